import assert from 'node:assert/strict';
import test from 'node:test';
import { xxhash64 } from './xxhash64.ts';

test('hashes as cespare/xxhash v2.3.0', () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, i) => (i * 37 + 11) & 0xff);
  const f = (length: number, want: bigint) =>
    assert.equal(xxhash64(bytes.subarray(0, length)), want, `${length} bytes`);
  f(0, 0xef46db3751d8e999n);
  f(1, 0xf592c0c7639c4cb6n);
  f(3, 0x22c08528601d4f27n);
  f(4, 0xfb1e5cf2f1ae4d95n);
  f(7, 0x5613ac510496c04en);
  f(8, 0x57cb2b7521f3e21an);
  f(15, 0x90a9714eb00e8d29n);
  f(31, 0xe4a0e629e519a4aen);
  f(32, 0xcc6b8aaada790b2dn);
  f(33, 0x35ec49850475a832n);
  f(63, 0xbf9f0ba3cf95b28an);
  f(64, 0x155ccce4bf32befcn);
  f(100, 0x4826e367566ea023n);
  f(101, 0x30383413a6f6646an);
});
