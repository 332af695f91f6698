import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { ENCODING_XOR } from './encodings.ts';
import { XorScratch } from './xor-scratch.ts';
import type { SourceFrames } from './xor-scratch.ts';
import { XorAppender } from './xor-twin.ts';

const halves = new Uint32Array(2);
const value = new Float64Array(halves.buffer);

/** A chunk of any samples: deltas of deltas of every length, values that stay, change a little, or altogether, stale ones. */
function randomChunk(random: Random, count: number): Uint8Array {
  const appender = new XorAppender();
  let t = random.below(1000) - 500;
  let v = random.below(100);
  for (let i = 0; i < count; i++) {
    t += [15_000, 15_000 + random.below(20), 1, 9000, 70_000, 600_000, 2 ** 33][
      random.below(7)
    ] as number;
    if (random.below(4) !== 0)
      v = [v, v + random.below(100), random.float(), -v][random.below(4)] as number;
    value[0] = v;
    const isStale = random.below(12) === 0;
    appender.append(
      t,
      isStale ? STALE_NAN_HI : (halves[1] as number),
      isStale ? STALE_NAN_LO : (halves[0] as number),
    );
  }
  return appender.bytes().slice();
}

/** A chunk as it lies in a segment file; nobody looks at the checksum here. */
function frameOf(chunk: Uint8Array, encoding = ENCODING_XOR): number[] {
  const length: number[] = [];
  let rest = chunk.length;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  return [...length, rest, encoding, ...chunk, 1, 2, 3, 4];
}

/** Puts frames into the source of a scratch, behind some bytes, and says where. */
function place(scratch: XorScratch, frames: readonly number[][], gap: number): SourceFrames {
  const { source } = scratch;
  let at = gap;
  let lastFrom = gap;
  for (const frame of frames) {
    source.set(frame, at);
    lastFrom = at;
    at += frame.length;
  }
  return { from: gap, end: at, count: frames.length, lastFrom };
}

function content({ t, v, length }: XorScratch): string {
  const bits = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  return `${t.subarray(0, length).join()} ${bits.join()}`;
}

test('chunks of frames give the bits of one chunk after the other', () => {
  const random = new Random(5);
  for (let round = 0; round < 600; round++) {
    const usual = random.below(round % 10 === 0 ? 300 : 20);
    const chunks = Array.from({ length: 1 + random.below(7) }, () => {
      const count = random.below(4) === 0 ? random.below(4) : usual;
      return { count, bytes: randomChunk(random, count) };
    });
    // Frames are longer than any room that was made before.
    const [single, framed] = [new XorScratch({ capacity: 8 }), new XorScratch({ capacity: 8 })];
    const dropStale = random.below(2) === 0;
    for (const scratch of [single, framed]) {
      const before = randomChunk(new Random(round), 3);
      assert.ok(scratch.append(before, 0, before.length, 3, dropStale));
    }
    for (const { bytes, count } of chunks)
      assert.ok(single.append(bytes, 0, bytes.length, count, dropStale));
    const frames = place(
      framed,
      chunks.map(({ bytes }) => frameOf(bytes)),
      random.below(9),
    );
    assert.ok(framed.appendFrames(frames, dropStale));
    assert.equal(content(framed), content(single), `round ${round}`);
  }
});

test('damage to any frame leaves the columns as they were, or does not show to one decoder only', () => {
  const random = new Random(6);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const count = 2 + random.below(30);
    const chunks = Array.from({ length: 1 + random.below(4) }, () => randomChunk(random, count));
    const broken = chunks[random.below(chunks.length)] as Uint8Array;
    if (random.below(3) === 0)
      chunks[chunks.indexOf(broken)] = broken.slice(0, 2 + random.below(broken.length - 1));
    else broken[2 + random.below(broken.length - 2)] = random.below(256);
    const [single, framed] = [new XorScratch(), new XorScratch()];
    // What lies behind a chunk is the same for both.
    const list = chunks.map((chunk) => frameOf(chunk));
    place(single, list, 0);
    const frames = place(framed, list, 0);
    let at = 0;
    const wanted = list.every((frame, i) => {
      const { length } = chunks[i] as Uint8Array;
      const from = at + frame.length - 4 - length;
      at += frame.length;
      return single.appendSource(from, length, count, false);
    });
    assert.equal(framed.appendFrames(frames, false), wanted, `round ${round}`);
    if (wanted) assert.equal(content(framed), content(single), `round ${round}`);
    else {
      refused++;
      assert.equal(framed.length, 0);
    }
  }
  assert.ok(refused > 300, `${refused} refused`);
});

test('what are no frames of floats is left to be decoded one by one', () => {
  const random = new Random(7);
  const chunks = [5, 5, 3].map((count) => randomChunk(random, count));
  const list = chunks.map((chunk) => frameOf(chunk));
  const twin = new XorScratch({ twin: true });
  assert.equal(twin.appendFrames(place(twin, list, 0), false), false);
  const scratch = new XorScratch();
  const f = (frames: readonly number[][], change: Partial<SourceFrames> = {}): void => {
    assert.equal(scratch.appendFrames({ ...place(scratch, frames, 3), ...change }, false), false);
    assert.equal(scratch.length, 0);
  };
  const { end, lastFrom } = place(scratch, list, 3);
  // They end earlier, or the last one is not where it should be.
  for (let cut = 1; cut < end - 3; cut++) f(list, { end: end - cut });
  f(list, { end: 65536 });
  f(list, { lastFrom: lastFrom - 1 });
  f(list, { count: 2 });
  f(list, { count: 4 });
  // Other encodings, and lengths and counts that lie.
  f([list[0] as number[], frameOf(chunks[1] as Uint8Array, 2)]);
  f([list[0] as number[], [0, ...(list[1] as number[])]]);
  f([list[0] as number[], [1, ...(list[1] as number[]).slice(1)]]);
  f([list[0] as number[], [0xff, 0xff, 0xff, 0xff, 0x7f, ENCODING_XOR, 0, 1]]);
  f([list[0] as number[], [0xff, 0xff, 0xff, 0xff, 0xff, 0x01, ENCODING_XOR, 0, 1, 1]]);
  f([frameOf(Uint8Array.of(0xff, 0xff, ...(chunks[0] as Uint8Array).subarray(2)))]);
});
