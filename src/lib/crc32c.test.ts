import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { crc32c } from './crc32c.ts';
import { Random } from './prng.ts';

test('crc32c: the check value of the polynomial, and bytes that end anywhere', () => {
  // RFC 3720, B.4.
  equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  equal(crc32c(new Uint8Array(0)), 0);
  const random = new Random(1);
  const bytes = Uint8Array.from({ length: 1000 }, () => random.below(256));
  for (let i = 0; i < 2000; i++) {
    const from = random.below(400);
    const to = from + random.below(500);
    const middle = from + random.below(to - from + 1);
    const want = nativeCrc32c(bytes.subarray(from, to));
    equal(crc32c(bytes, from, to), want);
    equal(crc32c(bytes, middle, to, crc32c(bytes, from, middle)), want);
  }
});
