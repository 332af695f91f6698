/** The hashes of hash-wasm; loaded by load-hashes.ts when they are needed. */
import { createBLAKE2b, createXXHash64 } from 'hash-wasm';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { Hashes } from './hashes.ts';

/** Compiles and instantiates them. */
export async function instantiateHashes(): Promise<Hashes> {
  const [blake2b, xxhash] = await Promise.all([createBLAKE2b(256), createXXHash64()]);
  // perf: keys are short and many; one buffer for all of them halves the time.
  const scratch = new Uint8Array(1024);
  const encoder = new TextEncoder();
  const encode = (text: string): Uint8Array => {
    if (text.length * 3 > scratch.length) return encodeUtf8(text);
    return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
  };
  return {
    blake2b256: (bytes) => blake2b.init().update(bytes).digest('binary'),
    xxhash64: (text) => {
      const digest = xxhash.init().update(encode(text)).digest('binary');
      return { hi: bigEndian(digest, 0), lo: bigEndian(digest, 4) };
    },
  };
}

function bigEndian(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
