import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { quantileOf, sortNanFirst } from './quantile.ts';
import { SortedWindow, madOverTime } from './ranked-windows.ts';
import { Scratch } from './series-windows.ts';

const ODD = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 5e-324];

/** Values of which many are equal, and some odd. */
function values(random: Random, length: number): Float64Array {
  return Float64Array.from({ length }, () =>
    random.below(4) === 0 ? (ODD[random.below(ODD.length)] as number) : random.below(50) - 25,
  );
}

test('windows that move on are as if sorted anew', () => {
  const random = new Random(1);
  for (let round = 0; round < 50; round++) {
    const v = values(random, 400);
    const window = new SortedWindow(v, new Float64Array(400));
    let [from, to] = [0, 0];
    while (to < v.length) {
      to = Math.min(v.length, to + random.below(random.below(8) === 0 ? 200 : 4));
      from = Math.min(to, from + random.below(random.below(8) === 0 ? 100 : 4));
      const want = v.slice(from, to);
      sortNanFirst(want);
      assert.deepEqual(window.moveTo(from, to), want);
    }
  }
});

test('mad_over_time is the median of the distances from the median', () => {
  const random = new Random(2);
  for (let round = 0; round < 200; round++) {
    const length = 1 + random.below(40);
    const v = values(random, length);
    const median = quantileOf(0.5, v.slice());
    const distances = v.map((value) => Math.abs(value - median));
    const want = v.some(Number.isNaN) ? NaN : quantileOf(0.5, distances);
    const out = new Float64Array(1);
    const one = { steps: 1, refStart: 0, refStep: 0, rangeMs: 0, start: 0, step: 0, params: [] };
    const bounds = { lo: new Int32Array(1), hi: Int32Array.of(length), length };
    const w = { ...one, ...bounds, t: v, v, scratch: new Scratch() };
    madOverTime(w, out, new Uint8Array(1));
    assert.deepEqual(out[0], want, v.join());
  }
});
