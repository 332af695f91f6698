import assert from 'node:assert/strict';
import test from 'node:test';
import { status as Status } from '@grpc/grpc-js';
import { Backoff, DEFAULT_BACKOFF } from './backoff.ts';
import { parseDialAddress } from './dial.ts';
import { isGrpcContentType } from './http2-settings.ts';
import {
  GRPC_CODES,
  GrpcError,
  decodeGrpcMessage,
  encodeGrpcMessage,
  grpcCodeNumber,
  grpcCodeOf,
  resetError,
} from './status.ts';
import { formatTimeout, parseTimeout } from './timeout.ts';

test('codes have the numbers of gRPC', () => {
  for (const code of GRPC_CODES) {
    const name =
      code === 'Canceled' ? 'CANCELLED' : code.replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
    assert.equal(grpcCodeNumber(code), Status[name as keyof typeof Status], name);
    assert.equal(grpcCodeOf(grpcCodeNumber(code)), code);
  }
  assert.equal(grpcCodeOf(17), 'Unknown');
});

test('messages are percent-encoded UTF-8', () => {
  const f = (text: string, encoded: string) => {
    assert.equal(encodeGrpcMessage(text), encoded);
    assert.equal(decodeGrpcMessage(encoded), text);
  };
  f('', '');
  f('Hello', 'Hello');
  f(' ~!', ' ~!');
  f('100%', '100%25');
  f('a\nb', 'a%0Ab');
  f('Ü', '%C3%9C');
  f('日本', '%E6%97%A5%E6%9C%AC');
  // As grpc-go: what is no escape stays.
  assert.equal(decodeGrpcMessage('%'), '%');
  assert.equal(decodeGrpcMessage('%a%zz%41'), '%a%zzA');
});

test('timeouts of all units', () => {
  const f = (text: string, ms: number) => assert.equal(parseTimeout(text), ms);
  f('1H', 3_600_000);
  f('2M', 120_000);
  f('3S', 3000);
  f('4m', 4);
  f('5u', 0.005);
  f('99999999n', 99.999999);
  const bad = (text: string, message: string) =>
    assert.throws(() => parseTimeout(text), { message: `malformed grpc-timeout: ${message}` });
  bad('', 'transport: timeout string is too short: ""');
  bad('S', 'transport: timeout string is too short: "S"');
  bad('123456789S', 'transport: timeout string is too long: "123456789S"');
  bad('1s', 'transport: timeout unit is not recognized: "1s"');
  bad('-1S', 'strconv.ParseUint: parsing "-1": invalid syntax');
  const g = (ms: number, text: string) => assert.equal(formatTimeout(ms), text);
  g(0.5, '500000n');
  g(1000, '1000000u');
  g(60_000, '60000000u');
  g(100_000, '100000m');
  g(1e8, '100000S');
  g(-1, '0n');
  for (const ms of [0.001, 1, 50, 99, 100, 1e5, 1e8, 1e12]) {
    assert.ok(parseTimeout(formatTimeout(ms)) >= ms);
    assert.ok(parseTimeout(formatTimeout(ms)) < ms * 1.001 + 0.001);
  }
});

test('content types', () => {
  for (const good of ['application/grpc', 'application/grpc+proto', 'application/grpc;a=b']) {
    assert.ok(isGrpcContentType(good), good);
  }
  assert.ok(!isGrpcContentType(undefined));
  for (const bad of ['', 'text/html', 'application/grpc-web', 'application/json']) {
    assert.ok(!isGrpcContentType(bad), bad);
  }
});

test('back-off grows to its maximum, give or take a fifth', () => {
  const waits = (random: number) => {
    const backoff = new Backoff(DEFAULT_BACKOFF, () => random);
    return Array.from({ length: 14 }, () => backoff.next());
  };
  assert.deepEqual(
    waits(0.5)
      .slice(0, 4)
      .map((ms) => Math.round(ms)),
    [1000, 1600, 2560, 4096],
  );
  assert.equal(waits(0.5).at(-1), 120_000);
  assert.equal(waits(0)[0], 800);
  assert.ok((waits(0.999)[0] ?? 0) > 1199);
  const backoff = new Backoff(DEFAULT_BACKOFF, () => 0.5);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 1000);
});

test('addresses to connect to', () => {
  assert.deepEqual(parseDialAddress('a.b:1'), { host: 'a.b', port: 1 });
  assert.deepEqual(parseDialAddress('[::1]:10901'), { host: '::1', port: 10901 });
  for (const bad of ['', 'a', 'a:', ':1', 'a:0', 'a:65536', '::1:1', 'http://a:1']) {
    assert.throws(() => parseDialAddress(bad), /expected host:port such as store.example:10901/);
  }
});

test('errors as Go prints them', () => {
  assert.equal(new GrpcError('Unavailable', 'x').rpcText, 'rpc error: code = Unavailable desc = x');
  assert.equal(
    resetError(8).rpcText,
    'rpc error: code = Canceled desc = stream terminated by RST_STREAM with error code: CANCEL',
  );
  assert.equal(resetError(99).grpcCode, 'Unknown');
});
