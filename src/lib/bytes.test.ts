import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.ts';
import { compareUtf8, decodeUtf8, encodeUtf8, isValidUtf8 } from './utf8.ts';
import {
  ShortBytesError,
  readUvarint,
  readVarint,
  sizeUvarint,
  writeUvarint,
  writeVarint,
} from './varint.ts';

test('utf8: order is that of the bytes', () => {
  const text = fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed());
  fc.assert(
    fc.property(text, text, (a, b) => {
      equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('utf8: decoding and validity agree with the platform', () => {
  const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const f = (bytes: Uint8Array): void => {
    let want: string | undefined;
    try {
      want = fatal.decode(bytes);
    } catch {
      want = undefined;
    }
    equal(isValidUtf8(bytes), want !== undefined, Buffer.from(bytes).toString('hex'));
    if (want !== undefined) {
      equal(decodeUtf8(bytes), want);
      deepEqual(encodeUtf8(want), new Uint8Array(bytes));
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      equal(decodeUtf8(shared), want);
    }
  };
  for (const hex of [
    '',
    '61',
    'c3a9',
    'c0af',
    'e08080',
    'eda080',
    'f4908080',
    'f0808080',
    'e282',
    'f09f9880',
    'efbbbf61',
    'ff',
  ]) {
    f(Buffer.from(hex, 'hex'));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), f), { numRuns: 2000 });
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (s) => f(Buffer.from(s))));
});

test('varint: numbers come back, in as many bytes as announced', () => {
  const bytes = new Uint8Array(20);
  fc.assert(
    fc.property(fc.maxSafeInteger(), (x) => {
      const end = writeUvarint(bytes, 3, Math.abs(x));
      equal(end - 3, sizeUvarint(Math.abs(x)));
      equal(readUvarint({ bytes, pos: 3, end }), Math.abs(x));
      // Adding 0 makes of -0, which no bytes can tell from it, a 0.
      const half = Math.trunc(x / 2) + 0;
      const cursor = { bytes, pos: 3, end: writeVarint(bytes, 3, half) };
      equal(readVarint(cursor), half);
      equal(cursor.pos, cursor.end);
    }),
  );
  const ff = new Uint8Array(20).fill(0xff);
  throws(() => readUvarint({ bytes: ff, pos: 0, end: 20 }), ShortBytesError);
  throws(() => readVarint({ bytes: ff, pos: 0, end: 20 }), ShortBytesError);
  throws(() => readUvarint({ bytes: new Uint8Array([0x80]), pos: 0, end: 1 }), ShortBytesError);
  const minusOne = new Uint8Array([1]);
  equal(readVarint({ bytes: minusOne, pos: 0, end: 1 }), -1);
});

test('duration: Prometheus grammar and texts', () => {
  const f = (text: string, want: number): void => equal(parseDuration(text), want, text);
  f('0', 0);
  f('1ms', 1);
  f('1h30m', 5_400_000);
  f('15d', 15 * 86_400_000);
  f('1y2w3d4h5m6s7ms', 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000 + 4 * 3_600_000 + 306_007);
  const bad = (text: string, message: RegExp): void => throws(() => parseDuration(text), message);
  bad('', /empty duration string/);
  bad('1', /not a valid duration string: "1"/);
  bad('1m1h', /not a valid duration string/);
  bad('-1m', /not a valid duration string/);
  bad('1.5h', /^CodedError: unknown unit "." in duration "1.5h"$/);
  bad('1h5é', /^CodedError: unknown unit "é" in duration "1h5é"$/);
  bad('1m 5s', /^CodedError: unknown unit "m " in duration "1m 5s"$/);
  bad('1m1m', /not a valid duration string: "1m1m"/);
  bad('1m5', /not a valid duration string: "1m5"/);
  bad('300y', /duration out of range/);
  bad('18446744073709551615ms', /duration out of range/);
  bad('18446744073709551616ms', /not a valid duration string/);
  f('00000000000000000000001h', 3_600_000);
  const print = (ms: number, want: string): void => equal(formatDuration(ms), want);
  print(0, '0s');
  print(5_400_000, '1h30m');
  print(604_800_000, '1w');
  print(8 * 86_400_000, '8d');
  print(1001, '1s1ms');
  ok(parseDuration(formatDuration(86_399_999)) === 86_399_999);
});
