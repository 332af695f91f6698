/** XOR2 chunks: against what Prometheus wrote (prometheus-chunks.ts), and both ways. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CorruptionError } from '../lib/errors.ts';
import { ENCODING_HISTOGRAM, ENCODING_XOR, ENCODING_XOR2 } from './encodings.ts';
import { FLOAT_CASES } from '../../test/support/float-cases.ts';
import { PROMETHEUS_CHUNKS } from '../../test/support/prometheus-chunks.ts';
import { StartTimes } from './start-times.ts';
import { transcodeChunk } from './transcode.ts';
import { XorScratch } from './xor-scratch.ts';
import { XorAppender } from './xor-twin.ts';
import { Xor2Appender, decodeXor2 } from './xor2.ts';

/** Time, the halves of the value, start timestamp. */
type Row = [t: number, hi: number, lo: number, st: number];

const STALE = [0x7ff00000, 2] as const;

function halvesOf(value: number | 'stale'): readonly [number, number] {
  if (value === 'stale') return STALE;
  const words = new Uint32Array(Float64Array.of(value).buffer);
  return [words[1] as number, words[0] as number];
}

function encode(rows: readonly Row[], appender: XorAppender | Xor2Appender): Uint8Array {
  for (const [t, hi, lo, st] of rows) appender.append(t, hi, lo, st);
  return appender.bytes();
}

/** Decodes a chunk that lies within other bytes. */
function decode(chunk: Uint8Array, count: number, dropStale = false): Row[] | undefined {
  const bytes = new Uint8Array(chunk.length + 12).fill(0xff);
  bytes.set(chunk, 5);
  const t = new Float64Array(count + 1);
  const halves = new Uint32Array(t.length * 2);
  const st = new StartTimes();
  const source = { bytes, offset: 5, length: chunk.length, count };
  const n = decodeXor2(source, { t, halves }, 1, { dropStale, st });
  if (n < 0) return undefined;
  return Array.from({ length: n }, (_, i) => [
    t[i + 1] as number,
    halves[2 * i + 3] as number,
    halves[2 * i + 2] as number,
    st.values[i + 1] as number,
  ]);
}

for (const [name, samples] of Object.entries(FLOAT_CASES)) {
  test(`xor2: ${name}`, () => {
    const rows = samples.map(([t, value, st = 0]): Row => [t, ...halvesOf(value), st]);
    const chunk = encode(rows, new Xor2Appender());
    deepEqual([Buffer.from(chunk).toString('hex')], PROMETHEUS_CHUNKS[`4 ${name}`]);
    deepEqual(decode(chunk, rows.length), rows);
    const old = encode(rows, new XorAppender());
    deepEqual([Buffer.from(old).toString('hex')], PROMETHEUS_CHUNKS[`1 ${name}`]);
    deepEqual(transcodeChunk(ENCODING_XOR2, chunk), { encoding: ENCODING_XOR, data: old });
    const scratch = new XorScratch();
    ok(scratch.append(chunk, 0, chunk.length, rows.length, false, ENCODING_XOR2));
    ok(scratch.append(old, 0, old.length, rows.length, false));
    const half = scratch.length / 2;
    const bits = new BigUint64Array(scratch.v.buffer, scratch.v.byteOffset, scratch.length);
    deepEqual(scratch.t.slice(0, half), scratch.t.slice(half, 2 * half));
    deepEqual(bits.slice(0, half), bits.slice(half));
    equal(half, rows.length);
  });
}

const value = fc.oneof(
  fc.constantFrom(STALE, [0, 0] as const, [0x7ff00000, 0] as const, [0x40590000, 0] as const),
  fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)),
);
const step = fc.oneof(
  fc.constant(15000),
  fc.integer({ min: 1, max: 30000 }),
  fc.integer({ min: 1, max: 2 ** 41 }),
);
const before = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 40 }));

test('xor2: what is encoded decodes to the same bits and start timestamps', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(step, value, before), { minLength: 1, maxLength: 200 }),
      (samples) => {
        let t = 1_600_000_000_000;
        const rows = samples.map(([delta, [hi, lo], behind]): Row => {
          t += delta;
          return [t, hi, lo, behind === 0 ? 0 : t - behind];
        });
        const chunk = encode(rows, new Xor2Appender());
        deepEqual(decode(chunk, rows.length), rows);
        const kept = rows.filter(([, hi, lo]) => hi !== STALE[0] || lo !== STALE[1]);
        deepEqual(decode(chunk, rows.length, true), kept);
      },
    ),
    { numRuns: 300 },
  );
});

test('xor2: bytes that are no chunk', () => {
  equal(decode(new Uint8Array(2), 1), undefined);
  equal(decode(new Uint8Array(3), 1), undefined);
  equal(decode(new Uint8Array(2), 0), undefined);
  deepEqual(decode(new Uint8Array(3), 0), []);
  const chunk = encode(
    [
      [1, 1, 1, 0],
      [2, 3, 4, 0],
    ],
    new Xor2Appender(),
  );
  equal(decode(chunk.subarray(0, -1), 2), undefined);
  // 31 leading bits and 40 others.
  const wide = Uint8Array.from([...chunk.subarray(0, 12), 1, 0xdf, 0xd4, 0, 0, 0, 0, 0, 0]);
  equal(decode(wide, 2), undefined);
  for (const bad of [new Uint8Array(1), Uint8Array.of(0, 1, 0), Uint8Array.of(255, 255, 0)])
    throws(() => transcodeChunk(ENCODING_XOR2, bad), CorruptionError);
  const scratch = new XorScratch();
  equal(scratch.append(chunk, 0, chunk.length, 65535, false, ENCODING_XOR2), false);
  equal(scratch.append(chunk, 0, chunk.length, 2, false, ENCODING_HISTOGRAM), false);
  equal(scratch.length, 0);
});

test('xor2: a window that was never written is the whole 64 bits, as Prometheus reads it', () => {
  const first = encode([[1, 0, 1, 0]], new Xor2Appender());
  // A step of one, 10 for the window before, 64 bits, the rest of the byte.
  const chunk = Uint8Array.from([...first, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
  deepEqual(decode(chunk, 2), [
    [1, 0, 1, 0],
    [2, 0, 1 ^ 3, 0],
  ]);
});

test('transcode: what is already plain is answered as it is', () => {
  const data = Uint8Array.of(1, 2, 3);
  for (const encoding of [1, 2, 3, 255])
    deepEqual(transcodeChunk(encoding, data), { encoding, data });
});
