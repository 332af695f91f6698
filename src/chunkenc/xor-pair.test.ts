import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { XorScratch } from './xor-scratch.ts';
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

/** Puts two chunks into the source of a scratch, and says where. */
function place(scratch: XorScratch, a: Uint8Array, b: Uint8Array, gap: number) {
  const { buffer, byteOffset, byteLength } = scratch.sourceWords;
  const source = new Uint8Array(buffer, byteOffset, byteLength);
  source.set(a, gap);
  source.set(b, gap + a.length + gap);
  const first = { from: gap, length: a.length };
  return { first, second: { from: gap + a.length + gap, length: b.length } };
}

function content({ t, v, length }: XorScratch): string {
  const bits = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  return `${t.subarray(0, length).join()} ${bits.join()}`;
}

test('two chunks at once give the bits of one after the other', () => {
  const random = new Random(5);
  for (let round = 0; round < 400; round++) {
    const count = 2 + random.below(round % 10 === 0 ? 300 : 20);
    const [a, b] = [randomChunk(random, count), randomChunk(random, count)];
    const [single, pair] = [new XorScratch({ capacity: 8 }), new XorScratch({ capacity: 8 })];
    const dropStale = random.below(2) === 0;
    for (const chunk of [a, b]) assert.ok(single.append(chunk, 0, chunk.length, count, dropStale));
    const { first, second } = place(pair, a, b, random.below(9));
    assert.ok(pair.appendSourcePair(first, second, count, dropStale));
    assert.equal(content(pair), content(single), `round ${round}`);
  }
});

test('damage to either chunk leaves the columns as they were, or does not show to one decoder only', () => {
  const random = new Random(6);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const count = 2 + random.below(30);
    const chunks = [randomChunk(random, count), randomChunk(random, count)];
    const broken = chunks[random.below(2)] as Uint8Array;
    if (random.below(3) === 0) {
      const cut = broken.slice(0, 2 + random.below(broken.length - 1));
      chunks[chunks.indexOf(broken)] = cut;
    } else broken[2 + random.below(broken.length - 2)] = random.below(256);
    const [a, b] = chunks as [Uint8Array, Uint8Array];
    const [single, pair] = [new XorScratch(), new XorScratch()];
    // What lies behind a chunk is the same for both.
    place(single, a, b, 0);
    const { first, second } = place(pair, a, b, 0);
    const wanted =
      single.appendSource(first.from, first.length, count, false) &&
      single.appendSource(second.from, second.length, count, false);
    assert.equal(pair.appendSourcePair(first, second, count, false), wanted, `round ${round}`);
    if (wanted) assert.equal(content(pair), content(single), `round ${round}`);
    else {
      refused++;
      assert.equal(pair.length, 0);
    }
  }
  assert.ok(refused > 300, `${refused} refused`);
});

test('what is no pair is left to be decoded one by one', () => {
  const random = new Random(7);
  const [a, b] = [randomChunk(random, 5), randomChunk(random, 5)];
  const twin = new XorScratch({ twin: true });
  const placed = place(twin, a, b, 0);
  assert.equal(twin.appendSourcePair(placed.first, placed.second, 5, false), false);
  const scratch = new XorScratch();
  const { first, second } = place(scratch, a, b, 0);
  assert.equal(scratch.appendSourcePair(first, second, 1, false), false);
  assert.equal(scratch.appendSourcePair(first, second, 60_000, false), false);
  assert.equal(scratch.appendSourcePair({ from: 0, length: 1 }, second, 2, false), false);
  assert.equal(scratch.length, 0);
});
