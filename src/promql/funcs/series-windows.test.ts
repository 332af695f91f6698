import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundWindows, Scratch, type SeriesWindows } from './series-windows.ts';
import { WINDOW_FUNCTIONS } from './window-functions.ts';

interface Case {
  readonly t: readonly number[];
  readonly v?: readonly number[];
  readonly start: number;
  readonly step: number;
  readonly steps: number;
  readonly range: number;
}

function windows({ t, v = t, start, step, steps, range }: Case): SeriesWindows {
  return {
    t: Float64Array.from(t),
    v: Float64Array.from(v),
    length: t.length,
    steps,
    lo: new Int32Array(steps),
    hi: new Int32Array(steps),
    refStart: start,
    refStep: step,
    rangeMs: range,
    start,
    step,
    params: [],
    scratch: new Scratch(),
  };
}

test('windows are left-open', () => {
  const f = (input: Case, want: string) => {
    const w = windows(input);
    const total = boundWindows(w, input.range, 0);
    const got = Array.from(w.lo, (lo, s) => `${lo}-${w.hi[s]}`).join(' ');
    assert.equal(got, want);
    assert.equal(
      total,
      Array.from(w.lo, (lo, s) => (w.hi[s] as number) - lo).reduce((a, b) => a + b, 0),
    );
  };
  f({ t: [10, 20, 30, 40], start: 20, step: 10, steps: 4, range: 10 }, '1-2 2-3 3-4 4-4');
  f({ t: [10, 20, 30, 40], start: 20, step: 10, steps: 3, range: 11 }, '0-2 1-3 2-4');
  f({ t: [10, 20, 30, 40], start: 45, step: 0, steps: 2, range: 20 }, '2-4 2-4');
  f({ t: [], start: 45, step: 5, steps: 2, range: 20 }, '0-0 0-0');
  // Uneven gaps: the guess that a window moves on as before is wrong at every second step.
  f(
    { t: [1, 2, 3, 9, 10, 11, 30], start: 4, step: 4, steps: 8, range: 4 },
    '0-3 3-3 3-6 6-6 6-6 6-6 6-6 6-7',
  );
});

test('bounds agree with a search from nothing', () => {
  let seed = 42;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  for (let round = 0; round < 200; round++) {
    const t: number[] = [];
    for (let i = 0, at = 0; i < 60; i++) t.push((at += 1 + Math.floor(random() * 20)));
    const input = {
      t,
      start: Math.floor(random() * 200),
      step: 1 + Math.floor(random() * 40),
      steps: 30,
      range: 1 + Math.floor(random() * 90),
    };
    const w = windows(input);
    boundWindows(w, input.range, 0);
    for (let s = 0; s < input.steps; s++) {
      const end = input.start + s * input.step;
      const inside = t.filter((x) => x <= end && x > end - input.range).length;
      assert.equal((w.hi[s] as number) - (w.lo[s] as number), inside, `seed 42, round ${round}`);
      if (inside > 0) assert.ok((t[w.lo[s] as number] as number) > end - input.range);
    }
  }
});

test('range functions', () => {
  const f = (name: string, v: readonly number[], want: number | undefined) => {
    const t = v.map((_, i) => (i + 1) * 10_000);
    const w = windows({ t, v, start: t.at(-1) ?? 0, step: 0, steps: 1, range: v.length * 10_000 });
    const out = new Float64Array(1);
    const present = new Uint8Array(1);
    boundWindows(w, w.rangeMs, 0);
    WINDOW_FUNCTIONS.get(name)?.(w, out, present);
    assert.ok(
      Object.is(present[0] === 1 ? out[0] : undefined, want),
      `${name} of ${v.join(' ')} is ${out[0]}`,
    );
  };
  f('max_over_time', [1, NaN, 3, 2], 3);
  f('min_over_time', [NaN, NaN], NaN);
  f('max_over_time', [-0, 0], -0);
  f('sum_over_time', [1, 1e100, 1, -1e100], 2);
  f('sum_over_time', [2 ** 53, 1, 1], 2 ** 53 + 2);
  f('sum_over_time', [0.5, Infinity], Infinity);
  f('avg_over_time', [1.7e308, 1.7e308], 1.7e308);
  f('avg_over_time', [1, 2, 6], 3);
  f('resets', [5, 3, 4, 1], 2);
  f('changes', [NaN, NaN, 1, 1, 2], 2);
  f('irate', [1, 21], 2);
  f('irate', [21, 1], 0.1);
  f('rate', [1], undefined);
  f('idelta', [21, 1], -20);
  f('count_over_time', [1, 1, 1], 3);
  f('stddev_over_time', [2, 4], 1);
  f('mad_over_time', [4, 6, 2, 1, 999, 1, 2], 1);
});
