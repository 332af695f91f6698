/**
 * Sums and differences of native histograms of different layouts (prometheus model/histogram/float_histogram.go, Add and Sub).
 * Exponential histograms come to the coarser schema and the wider zero bucket, custom ones to the bounds that both have.
 */
import { RESET_HINT, equalBits, equalIntegers } from '../histogram.ts';
import {
  addOnBounds,
  beyondZero,
  coarser,
  commonBounds,
  commonZero,
  onBounds,
} from './bucket-layout.ts';
import { isCustom } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';

/** A sum, and what there is to say about it. */
export interface Combined {
  readonly histogram: FloatHistogram;
  /** One was a counter that had been reset, the other one that had not. */
  readonly collision: boolean;
  /** Custom bounds differed. */
  readonly reconciled: boolean;
}

/** The sum of two histograms, empty buckets kept; undefined when only one of them has custom buckets. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  return combine(a, b, 1);
}

/** The difference of two histograms, likewise. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  return combine(a, b, -1);
}

function combine(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): Combined | undefined {
  if (isCustom(a) !== isCustom(b)) return undefined;
  const { hint, collision } = commonHint(a.hint, b.hint);
  const totals = { count: a.count + sign * b.count, sum: a.sum + sign * b.sum, hint };
  const { left, right, reconciled } = align(a, b);
  const histogram = {
    ...left,
    ...totals,
    // Custom buckets have no zero bucket: nothing is added, or -0 would become 0.
    zeroCount: isCustom(a) ? a.zeroCount : left.zeroCount + sign * right.zeroCount,
    positive: reconciled
      ? addOnBounds(left.positive, b.positive, {
          from: b.customValues,
          to: left.customValues,
          sign,
        })
      : merge(left.positive, right.positive, sign),
    negative: merge(left.negative, right.negative, sign),
  };
  return { histogram, collision, reconciled };
}

/** Two histograms of one layout: indexes and zero buckets mean the same. */
export interface Aligned {
  readonly left: FloatHistogram;
  readonly right: FloatHistogram;
  readonly reconciled: boolean;
}

/** Brings two histograms, both custom or none, to one layout. */
export function align(a: FloatHistogram, b: FloatHistogram): Aligned {
  if (isCustom(a)) return alignBounds(a, b);
  const schema = Math.min(a.schema, b.schema);
  const [zeroA, zeroB] = commonZero(a, b);
  const { threshold } = zeroA;
  const left = threshold === a.zeroThreshold ? a : withoutZero(a, threshold);
  return {
    left: {
      ...left,
      schema,
      zeroThreshold: threshold,
      zeroCount: zeroA.count,
      positive: coarser(left.positive, a.schema, schema),
      negative: coarser(left.negative, a.schema, schema),
    },
    // compat: what the zero bucket takes from the other one is told by its coarser buckets, so that it may count twice.
    right: {
      ...b,
      schema,
      zeroThreshold: threshold,
      zeroCount: zeroB.count,
      positive: beyondZero(coarser(b.positive, b.schema, schema), schema, threshold),
      negative: beyondZero(coarser(b.negative, b.schema, schema), schema, threshold),
    },
    reconciled: false,
  };
}

function withoutZero(histogram: FloatHistogram, threshold: number): FloatHistogram {
  const { schema } = histogram;
  return {
    ...histogram,
    positive: beyondZero(histogram.positive, schema, threshold),
    negative: beyondZero(histogram.negative, schema, threshold),
  };
}

function alignBounds(a: FloatHistogram, b: FloatHistogram): Aligned {
  if (equalBits(a.customValues, b.customValues)) return { left: a, right: b, reconciled: false };
  const customValues = commonBounds(a.customValues, b.customValues);
  const onto = (of: FloatHistogram): FloatHistogram => ({
    ...of,
    customValues,
    positive: onBounds(of.positive, of.customValues, customValues),
  });
  return { left: onto(a), right: onto(b), reconciled: true };
}

/** Adds up the buckets of two sides of one layout. */
function merge(a: BucketSide, b: BucketSide, sign: 1 | -1): BucketSide {
  if (equalIntegers(a.index, b.index)) {
    return {
      index: a.index,
      count: a.count.map((count, i) => count + sign * (b.count[i] as number)),
    };
  }
  const index = new Int32Array(a.index.length + b.index.length);
  const count = new Float64Array(index.length);
  let n = 0;
  for (let i = 0, j = 0; i < a.index.length || j < b.index.length; n++) {
    const x = i < a.index.length ? (a.index[i] as number) : Infinity;
    const y = j < b.index.length ? (b.index[j] as number) : Infinity;
    index[n] = Math.min(x, y);
    count[n] =
      (x <= y ? (a.count[i++] as number) : 0) + (y <= x ? sign * (b.count[j++] as number) : 0);
  }
  return { index: index.slice(0, n), count: count.slice(0, n) };
}

/** What a sum is: a gauge as soon as one of them is, unknown when they disagree. */
export function commonHint(a: number, b: number): { hint: number; collision: boolean } {
  const { unknown, reset, notReset, gauge } = RESET_HINT;
  if (a === b) return { hint: a, collision: false };
  if (a === gauge || b === gauge) return { hint: gauge, collision: false };
  const both = [a, b];
  return { hint: unknown, collision: both.includes(reset) && both.includes(notReset) };
}
