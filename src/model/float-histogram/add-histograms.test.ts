/** Sums of native histograms against a plain second way: a count for each observation. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { RESET_HINT } from '../histogram.ts';
import { addHistograms, subtractHistograms } from './add-histograms.ts';
import { exponentialBound } from './bucket-bounds.ts';
import { addCompensated, finishSum } from './compensated-sum.ts';
import { detectReset } from './detect-reset.ts';
import { NO_BUCKETS, compact, divide, sameHistograms, scale } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';
import { HistogramMean } from './histogram-mean.ts';

interface Layout {
  readonly schema: number;
  readonly zeroThreshold: number;
}

/** The index of the bucket that an observation falls into: the first whose upper bound is not below it. */
function bucketOf(schema: number, size: number): number {
  let index = Math.floor(Math.log2(size) * 2 ** schema) - 1;
  while (exponentialBound(schema, index) < size) index++;
  return index;
}

function sideOf(values: readonly number[], schema: number): BucketSide {
  const counts = new Map<number, number>();
  for (const value of values) {
    const index = bucketOf(schema, value);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  return {
    index: Int32Array.from(sorted, ([index]) => index),
    count: Float64Array.from(sorted, ([, count]) => count),
  };
}

/** The histogram of observations. */
function histogramOf(values: readonly number[], { schema, zeroThreshold }: Layout): FloatHistogram {
  const outside = values.filter((value) => Math.abs(value) > zeroThreshold);
  return {
    schema,
    zeroThreshold,
    zeroCount: values.length - outside.length,
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    hint: RESET_HINT.unknown,
    positive: sideOf(
      outside.filter((value) => value > 0),
      schema,
    ),
    negative: sideOf(
      outside.filter((value) => value < 0).map((value) => -value),
      schema,
    ),
    customValues: new Float64Array(0),
  };
}

/** Quarters, so that sums are exact. */
function observations(random: Random): number[] {
  const count = random.below(40);
  return Array.from({ length: count }, () => (random.below(400) - 150) / 4);
}

function layout(random: Random): Layout {
  const zeroThreshold = [0, 1 / 16, 1, 16][random.below(4)] as number;
  return { schema: random.below(6) - 2, zeroThreshold };
}

test('sums and differences of any layouts are the histograms of all observations', () => {
  const random = new Random(20261127);
  for (let i = 0; i < 2000; i++) {
    const [one, two] = [observations(random), observations(random)];
    const [a, b] = [histogramOf(one, layout(random)), histogramOf(two, layout(random))];
    const sum = addHistograms(a, b)?.histogram;
    ok(sum !== undefined);
    const { schema, zeroThreshold } = sum;
    equal(schema, Math.min(a.schema, b.schema));
    ok(zeroThreshold >= Math.max(a.zeroThreshold, b.zeroThreshold));
    // All schemas have bounds at the zero thresholds, so nothing is split.
    const want = histogramOf([...one, ...two], { schema, zeroThreshold });
    ok(sameHistograms(sum, want), `case ${i}`);
    const rest = subtractHistograms(sum, b)?.histogram;
    ok(rest !== undefined);
    ok(sameHistograms(compact(rest), histogramOf(one, { schema, zeroThreshold })), `case ${i}`);
    // What is added to has grown.
    if (sum.schema === a.schema && zeroThreshold === a.zeroThreshold) {
      equal(detectReset(sum, a), false);
      equal(detectReset(a, sum), two.length > 0, `case ${i}`);
    }
    const lossy = addCompensated({ value: a, lost: undefined }, b);
    ok(lossy !== undefined && sameHistograms(finishSum(lossy.sum), sum));
  }
});

test('a compensated sum keeps what plain addition loses', () => {
  const big = histogramOf([1, 1, 1], { schema: 0, zeroThreshold: 0 });
  let sum = { value: scale(big, 1e16), lost: undefined as FloatHistogram | undefined };
  for (let i = 0; i < 10; i++) {
    const added = addCompensated(sum, histogramOf([1], { schema: 0, zeroThreshold: 0 }));
    ok(added !== undefined);
    sum = { value: added.sum.value, lost: added.sum.lost };
  }
  const { count } = finishSum(sum);
  equal(count, 3e16 + 10 - ((3e16 + 10) % 4));
  deepEqual([...finishSum(sum).positive.count], [count]);
});

test('a mean does not overflow', () => {
  const huge = scale(histogramOf([1, 2], { schema: 0, zeroThreshold: 0 }), 8e307);
  const mean = new HistogramMean(huge);
  equal(mean.add(huge, 2)?.reconciled, false);
  equal(mean.add(huge, 3)?.reconciled, false);
  const { count } = mean.finish(3);
  ok(Math.abs(count / 1.6e308 - 1) < 1e-14, `${count}`);
});

const custom = (customValues: readonly number[], counts: readonly number[]): FloatHistogram => ({
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: counts.reduce((sum, count) => sum + count, 0),
  sum: 0,
  hint: RESET_HINT.unknown,
  positive: { index: Int32Array.from(counts, (_, i) => i), count: Float64Array.from(counts) },
  negative: NO_BUCKETS,
  customValues: Float64Array.from(customValues),
});

test('custom buckets of other bounds come to those that both have', () => {
  const a = custom([1, 2, 3, 5], [1, 2, 3, 4, 5]);
  const b = custom([2, 4, 5], [10, 20, 30, 40]);
  const sum = addHistograms(a, b);
  equal(sum?.reconciled, true);
  deepEqual([...(sum?.histogram.customValues ?? [])], [2, 5]);
  // Up to 2: 1 + 2 + 10; up to 5: 3 + 4 + 20 + 30; beyond: 5 + 40.
  deepEqual([...(sum?.histogram.positive.count ?? [])], [13, 57, 45]);
  equal(addHistograms(a, histogramOf([1], { schema: 0, zeroThreshold: 0 })), undefined);
  equal(detectReset(custom([2, 5], [3, 7, 5]), a), false);
  equal(detectReset(custom([2, 5], [2, 8, 5]), a), true);
});

test('what is divided by 0 has no buckets, what is negative is a gauge', () => {
  const one = histogramOf([1, 2, -3, 0], { schema: 0, zeroThreshold: 0 });
  const none = divide(one, 0);
  deepEqual([none.count, none.sum, none.zeroCount], [Infinity, NaN, Infinity]);
  equal(none.positive.index.length + none.negative.index.length, 0);
  equal(scale(one, -1).hint, RESET_HINT.gauge);
  equal(scale(one, 2).hint, RESET_HINT.unknown);
});

test('hints of sums', () => {
  const { unknown, reset, notReset, gauge } = RESET_HINT;
  const f = (a: number, b: number, hint: number, collision = false): void => {
    const one = histogramOf([1], { schema: 0, zeroThreshold: 0 });
    const sum = addHistograms({ ...one, hint: a }, { ...one, hint: b });
    deepEqual([sum?.histogram.hint, sum?.collision], [hint, collision], `${a} and ${b}`);
  };
  f(reset, reset, reset);
  f(gauge, reset, gauge);
  f(notReset, gauge, gauge);
  f(unknown, reset, unknown);
  f(notReset, unknown, unknown);
  f(reset, notReset, unknown, true);
  f(notReset, reset, unknown, true);
});
