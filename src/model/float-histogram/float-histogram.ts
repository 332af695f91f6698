/**
 * A native histogram as a value of a query: counts are doubles, and each side is a sorted list of bucket indexes with
 * their counts. Adding, comparing and thinning out are merges of sorted lists, without spans and offsets.
 *
 * Samples at rest are columns ({@link HistogramColumns}); these objects are made where an expression gives a histogram, one a
 * series and step. They are plain data that survive a structured clone, and nobody writes to one that he did not make.
 */
import { CUSTOM_BUCKETS_SCHEMA, RESET_HINT, equalBits, equalIntegers } from '../histogram.ts';
import type { HistogramColumns } from '../histogram.ts';

/** Buckets by ascending index; a count may be 0. */
export interface BucketSide {
  readonly index: Int32Array;
  readonly count: Float64Array;
}

/** A histogram. */
export interface FloatHistogram {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  /** Of all observations, those that are NaN included. */
  readonly count: number;
  readonly sum: number;
  /** One of RESET_HINT. */
  readonly hint: number;
  readonly positive: BucketSide;
  readonly negative: BucketSide;
  /** Upper bounds of the buckets of schema -53, without +Inf; empty otherwise. */
  readonly customValues: Float64Array;
}

/** No buckets. */
export const NO_BUCKETS: BucketSide = { index: new Int32Array(0), count: new Float64Array(0) };

/** Whether a histogram has custom buckets. */
export function isCustom({ schema }: Pick<FloatHistogram, 'schema'>): boolean {
  return schema === CUSTOM_BUCKETS_SCHEMA;
}

/** The i-th sample of columns. */
export function histogramAt(columns: HistogramColumns, i: number): FloatHistogram {
  const layout = columns.layoutAt(i);
  const start = columns.start[i] as number;
  const middle = start + layout.positiveCount;
  const { buckets } = columns;
  return {
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: columns.zeroCount[i] as number,
    count: columns.count[i] as number,
    sum: columns.sum[i] as number,
    hint: columns.hint[i] as number,
    positive: sideOf(layout.positiveSpans, buckets.slice(start, middle)),
    negative: sideOf(layout.negativeSpans, buckets.slice(middle, middle + layout.negativeCount)),
    customValues: layout.customValues,
  };
}

/** Indexes by the spans of the layout. perf: its samples share them, so that comparing two is mostly looking at one pointer. */
const indexesBySpans = new WeakMap<Int32Array, Int32Array>();

function sideOf(spans: Int32Array, count: Float64Array): BucketSide {
  if (count.length === 0) return NO_BUCKETS;
  let index = indexesBySpans.get(spans);
  if (index === undefined) {
    index = indexesOf(spans, count.length);
    indexesBySpans.set(spans, index);
  }
  return { index, count };
}

function indexesOf(spans: Int32Array, count: number): Int32Array {
  const index = new Int32Array(count);
  let at = 0;
  let next = 0;
  for (let k = 0; k < spans.length; k += 2) {
    next += spans[k] as number;
    for (let left = spans[k + 1] as number; left > 0; left--) index[at++] = next++;
  }
  return index;
}

/** The histogram with empty buckets left out. */
export function compact(histogram: FloatHistogram): FloatHistogram {
  const positive = withoutEmpty(histogram.positive);
  const negative = withoutEmpty(histogram.negative);
  if (positive === histogram.positive && negative === histogram.negative) return histogram;
  return { ...histogram, positive, negative };
}

function withoutEmpty(side: BucketSide): BucketSide {
  const { index, count } = side;
  if (!count.includes(0)) return side;
  const kept: number[] = [];
  for (let i = 0; i < count.length; i++) if (count[i] !== 0) kept.push(i);
  return {
    index: Int32Array.from(kept, (i) => index[i] as number),
    count: Float64Array.from(kept, (i) => count[i] as number),
  };
}

/** Every count and the sum times a factor; below 0 what comes out is a gauge. */
export function scale(histogram: FloatHistogram, factor: number): FloatHistogram {
  return change(histogram, factor < 0, (value) => value * factor);
}

/** Every count and the sum divided; by 0 no bucket stays, below 0 what comes out is a gauge. */
export function divide(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const result = change(histogram, divisor < 0, (value) => value / divisor);
  return divisor === 0 ? { ...result, positive: NO_BUCKETS, negative: NO_BUCKETS } : result;
}

function change(
  histogram: FloatHistogram,
  becomesGauge: boolean,
  by: (value: number) => number,
): FloatHistogram {
  const { positive, negative, zeroCount, count, sum, hint } = histogram;
  return {
    ...histogram,
    zeroCount: by(zeroCount),
    count: by(count),
    sum: by(sum),
    hint: becomesGauge ? RESET_HINT.gauge : hint,
    positive: { index: positive.index, count: positive.count.map(by) },
    negative: { index: negative.index, count: negative.count.map(by) },
  };
}

/** The histogram with another hint. */
export function withHint(histogram: FloatHistogram, hint: number): FloatHistogram {
  return histogram.hint === hint ? histogram : { ...histogram, hint };
}

/** Whether two histograms are the same, empty buckets included, hints apart; any NaN is any other. */
export function sameHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    equalBits(a.customValues, b.customValues) &&
    sameSides(a.positive, b.positive) &&
    sameSides(a.negative, b.negative)
  );
}

function sameSides(a: BucketSide, b: BucketSide): boolean {
  return equalIntegers(a.index, b.index) && equalBits(a.count, b.count);
}
