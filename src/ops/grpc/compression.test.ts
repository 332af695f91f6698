import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { compressMessage, decompressMessage } from './compression.ts';
import { compressSnappyFrames, decompressSnappyFrames } from '../../lib/snappy-frames.ts';
import { GrpcError } from './status.ts';

const MAX = 1 << 20;

/** 60 bytes of a linear congruential generator, of which snappy makes nothing smaller. */
function noise(): Buffer {
  const out = Buffer.alloc(60);
  let x = 1;
  for (let i = 0; i < out.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    out[i] = x >>> 24;
  }
  return out;
}

/** What Go writes: github.com/golang/snappy 1.0.0, github.com/klauspost/compress 1.20.4 (Thanos' own choice). */
const GO_FRAMES: readonly (readonly [content: Buffer, frames: string, packed?: boolean])[] = [
  [Buffer.alloc(0), ''],
  [Buffer.of(7), '/wYAAHNOYVBwWQEFAABG+PcRBw=='],
  [
    noise(),
    '/wYAAHNOYVBwWQFAAAA+2VpCPF6BtAxexo4Eo0Bsl9Y8+9xTrog3GhJRIbWVYUPA7i1V+2OMd/7gtvX5J1+vKX4sl99UBPM71AZiC1gh',
  ],
  [
    Buffer.from('thanos '.repeat(100)),
    '/wYAAHNOYVBwWQAvAAChx85cvAUYdGhhbm9zIP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HANIHAA==',
  ],
  [
    Buffer.from('thanos '.repeat(100)),
    '/wYAAHNOYVBwWQAyAAChx85cvAUYdGhhbm9zIO4HAO4HAO4HAO4HAO4HAO4HAO4HAO4HAO4HAO4HAO4HAIIHAA==',
  ],
  [
    Buffer.alloc(65_546, 'A'),
    'H4sIAAAAAAACA/vPxsBQ7JcYUBDJcJ2H4eXje84//jMzOL5jZBhFo2gUjaJRNIpG0SgaRaNoFI2iIYd4GRnFGBgsGGwzHTEAADnM1vf/DAAA',
    true,
  ],
];

test('frames of Go are read', () => {
  for (const [content, text, packed = false] of GO_FRAMES) {
    const base = Buffer.from(text, 'base64');
    const frames = packed ? gunzipSync(base) : base;
    assert.deepEqual(Buffer.from(decompressSnappyFrames(frames, MAX)), content);
    // Behind each other, and with chunks that may be skipped.
    const skipped = Buffer.of(0xfe, 2, 0, 0, 1, 2, 0x80, 0, 0, 0);
    const twice = Buffer.concat([frames, frames.length === 0 ? Buffer.of() : skipped, frames]);
    assert.deepEqual(
      Buffer.from(decompressSnappyFrames(twice, MAX)),
      Buffer.concat([content, content]),
    );
  }
});

test('what is written can be read, whatever the size', () => {
  const random = noise();
  for (const size of [0, 1, 59, 1000, 65_535, 65_536, 65_537, 200_000]) {
    for (const content of [Buffer.alloc(size, 'ab'), Buffer.alloc(size, random)]) {
      for (const how of ['gzip', 'snappy'] as const) {
        const packed = compressMessage(how, content);
        assert.deepEqual(Buffer.from(decompressMessage(how, packed, MAX)), content);
        if (size === 200_000) assert.ok(packed.length < size / 10);
      }
    }
  }
  // The smallest frame, by the format's description: Go writes the same.
  const frames = compressSnappyFrames(Buffer.of(7));
  assert.equal(Buffer.from(frames).toString('base64'), GO_FRAMES[1]?.[1]);
});

test('broken frames, and what is too large, are refused', () => {
  const good = compressSnappyFrames(Buffer.from('thanos '.repeat(100)));
  const f = (bytes: Uint8Array, message: RegExp, max = MAX) =>
    assert.throws(
      () => decompressMessage('snappy', bytes, max),
      (thrown: unknown) => {
        assert.ok(thrown instanceof GrpcError);
        assert.equal(thrown.grpcCode, max === MAX ? 'Internal' : 'ResourceExhausted');
        assert.match(thrown.message, message);
        return true;
      },
    );
  f(good.subarray(0, -1), /snappy: corrupt input/);
  f(good.subarray(10), /snappy: corrupt input \(offset 0\)/);
  f(Buffer.concat([good, Buffer.of(2, 0, 0, 0)]), /snappy: unsupported input/);
  f(Buffer.concat([good, Buffer.of(0)]), /snappy: corrupt input/);
  const flipped = Buffer.from(good);
  flipped[14] = (flipped[14] as number) ^ 1; // of the checksum
  f(flipped, /snappy: corrupt input \(offset 10\)/);
  f(good, /larger than max 699/, 699);
  assert.equal(decompressMessage('snappy', good, 700).length, 700);
  const bomb = compressMessage('gzip', Buffer.alloc(10 << 20));
  assert.throws(() => decompressMessage('gzip', bomb, MAX), /larger than max 1048576/);
  assert.throws(() => decompressMessage('gzip', bomb.subarray(0, 100), MAX), /failed to read/);
});

for (const how of ['gzip', 'snappy'] as const) {
  const sound = [1, 100, 70_000].map((size) => compressMessage(how, Buffer.alloc(size, noise())));
  testFuzz({
    name: `a message compressed by ${how}`,
    every: 5,
    run: (random, i) => {
      const bytes = mutate(sound[i % sound.length] as Uint8Array, random);
      decompressMessage(how, bytes, MAX);
      return bytes.length;
    },
  });
}
