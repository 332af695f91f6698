/** Brings the buckets of two histograms to one layout: a common schema, zero bucket, or list of custom bounds. */
import { exponentialBound } from './bucket-bounds.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';

/** Buckets of a coarser schema, as those of the finer one fall into them. */
export function coarser(side: BucketSide, from: number, to: number): BucketSide {
  if (from === to || side.index.length === 0) return side;
  return regroup(side, coarserIndex(from, to));
}

/** The index of the bucket of a coarser schema that one of the finer schema falls into. */
export function coarserIndex(from: number, to: number): (index: number) => number {
  const shift = from - to;
  return (index) => ((index - 1) >> shift) + 1;
}

/** Buckets with other indexes, which ascend as the old ones do; those that come to the same index are added up. */
function regroup({ index, count }: BucketSide, target: (index: number) => number): BucketSide {
  const indexes = new Int32Array(index.length);
  const counts = new Float64Array(index.length);
  let n = 0;
  for (let i = 0; i < index.length; i++) {
    const to = target(index[i] as number);
    if (n > 0 && indexes[n - 1] === to)
      counts[n - 1] = (counts[n - 1] as number) + (count[i] as number);
    else {
      indexes[n] = to;
      counts[n++] = count[i] as number;
    }
  }
  return { index: indexes.slice(0, n), count: counts.slice(0, n) };
}

/** The bounds that two lists of custom bounds have in common. */
export function commonBounds(a: Float64Array, b: Float64Array): Float64Array {
  const other = new Set(b);
  return a.filter((bound) => other.has(bound));
}

/** Custom buckets as they fall into those of fewer bounds: each goes where its upper bound is reached. */
export function onBounds(side: BucketSide, from: Float64Array, to: Float64Array): BucketSide {
  return regroup(side, targetOnBounds(from, to));
}

/** The bucket of fewer bounds that one falls into; asked in ascending order. */
export function targetOnBounds(from: Float64Array, to: Float64Array): (index: number) => number {
  let next = 0;
  return (index) => {
    if (index >= from.length) return to.length;
    while (next < to.length && (to[next] as number) < (from[index] as number)) next++;
    return next;
  };
}

/**
 * Adds custom buckets of other bounds to buckets of fewer bounds, `to`, one after the other, times `sign`.
 * compat: Prometheus adds them up in this order (float_histogram.go, addCustomBucketsWithMismatches).
 */
export function addOnBounds(
  sum: BucketSide,
  side: BucketSide,
  {
    from,
    to,
    sign,
  }: { readonly from: Float64Array; readonly to: Float64Array; readonly sign: 1 | -1 },
): BucketSide {
  const counts = new Float64Array(to.length + 1);
  for (const [i, index] of sum.index.entries()) counts[index] = sum.count[i] as number;
  const target = targetOnBounds(from, to);
  for (const [i, index] of side.index.entries()) {
    const at = target(index);
    counts[at] = (counts[at] as number) + sign * (side.count[i] as number);
  }
  return { index: Int32Array.from(counts.keys()), count: counts };
}

/** A zero bucket: how far it reaches, and what is in it. */
export interface ZeroBucket {
  readonly threshold: number;
  readonly count: number;
}

/**
 * What the zero bucket would be if it reached as far as `threshold`, which is not less than it does. It never ends inside a
 * bucket that is not empty, but takes it in and ends where that does.
 */
export function widerZero(histogram: FloatHistogram, threshold: number): ZeroBucket {
  if (threshold === histogram.zeroThreshold) return { threshold, count: histogram.zeroCount };
  for (let reach = threshold; ;) {
    let count = histogram.zeroCount;
    let end = reach;
    for (const side of [histogram.positive, histogram.negative]) {
      for (let i = 0; i < side.index.length; i++) {
        const index = side.index[i] as number;
        if (exponentialBound(histogram.schema, index - 1) >= reach) break;
        const upper = exponentialBound(histogram.schema, index);
        count += side.count[i] as number;
        if (upper > end && side.count[i] !== 0) end = upper;
      }
    }
    if (end === reach) return { threshold: reach, count };
    reach = end;
  }
}

/** The zero buckets of two histograms, made to reach equally far. */
export function commonZero(
  a: FloatHistogram,
  b: FloatHistogram,
): readonly [ZeroBucket, ZeroBucket] {
  let threshold = Math.max(a.zeroThreshold, b.zeroThreshold);
  for (;;) {
    const left = widerZero(a, threshold);
    const right = widerZero(b, left.threshold);
    if (left.threshold === right.threshold) return [left, right];
    threshold = right.threshold;
  }
}

/** The buckets that reach beyond a zero bucket. */
export function beyondZero(side: BucketSide, schema: number, threshold: number): BucketSide {
  let from = 0;
  const { index, count } = side;
  while (from < index.length && exponentialBound(schema, index[from] as number) <= threshold)
    from++;
  return from === 0 ? side : { index: index.subarray(from), count: count.subarray(from) };
}
