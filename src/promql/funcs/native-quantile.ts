/** Quantiles, fractions and variance of native histograms (Prometheus 3.14, promql/quantile.go, functions.go). */
import { fractionBelow, listBuckets, onlySide } from '../../model/float-histogram/bucket-bounds.ts';
import type { BucketList } from '../../model/float-histogram/bucket-bounds.ts';
import { isCustom } from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { sumError } from '../../lib/kahan.ts';

/** What observations that are NaN did to an answer. */
export type NanEffect = 'none' | 'result' | 'skew' | 'excluded';

/** An answer and what is to be said about it. */
export interface Estimate {
  readonly value: number;
  readonly nan: NanEffect;
}

function plain(value: number): Estimate {
  return { value, nan: 'none' };
}

/** The q-quantile. Inside a bucket it is interpolated: on a logarithmic scale, or linearly in custom and zero buckets. */
export function nativeQuantile(q: number, histogram: FloatHistogram): Estimate {
  if (q < 0) return plain(-Infinity);
  if (q > 1) return plain(Infinity);
  if (histogram.count === 0 || Number.isNaN(q)) return plain(NaN);
  const list = listBuckets(histogram);
  // NaN observations count as the greatest: from the top, they would be skipped.
  const hasNan = Number.isNaN(histogram.sum);
  const fromTop = !hasNan && q >= 0.5;
  const sought = (fromTop ? 1 - q : q) * histogram.count;
  const found = findBucket(list, sought, fromTop);
  const bounds = boundsOf(histogram, list, found.bucket);
  if (typeof bounds === 'number') return plain(bounds);
  const { lower, upper } = bounds;
  const cumulated = Math.min(found.cumulated, histogram.count);
  if (cumulated < sought) return hasNan ? { value: NaN, nan: 'result' } : plain(upper);
  const count = list.count[found.bucket] ?? 0;
  const rank = fromTop ? cumulated - sought : sought - (cumulated - count);
  const nan = hasNan && totalOf(list) < histogram.count ? 'skew' : 'none';
  const last = list.count.length - 1;
  if (!hasNan || found.bucket === last)
    return { value: interpolate({ lower, upper }, rank / count, isCustom(histogram)), nan };
  // compat: to count what is left, Prometheus goes on to the last bucket, and interpolates in that one.
  const ends = { lower: list.lower[last] as number, upper: list.upper[last] as number };
  const fraction = rank / (list.count[last] as number);
  return { value: interpolate(ends, fraction, isCustom(histogram)), nan };
}

/** The bucket at which the counts, added up from the bottom or the top, reach a rank; the last one if none does. */
function findBucket(
  { count }: BucketList,
  rank: number,
  fromTop: boolean,
): { bucket: number; cumulated: number } {
  let cumulated = 0;
  let bucket = -1;
  for (let k = 0; k < count.length; k++) {
    const i = fromTop ? count.length - 1 - k : k;
    bucket = i;
    if (count[i] === 0) continue;
    cumulated += count[i] as number;
    if (cumulated >= rank) break;
  }
  return { bucket, cumulated };
}

function totalOf({ count }: BucketList): number {
  return count.reduce((sum, one) => sum + one, 0);
}

/** The bounds of a bucket as quantiles take them; a number when they settle the answer. */
function boundsOf(
  histogram: FloatHistogram,
  list: BucketList,
  bucket: number,
): { lower: number; upper: number } | number {
  let lower = list.lower[bucket] ?? 0;
  let upper = list.upper[bucket] ?? 0;
  if (isCustom(histogram)) {
    if (lower === -Infinity) {
      if (upper <= 0) return upper;
      lower = 0;
    } else if (upper === Infinity) return lower;
  } else if (lower < 0 && upper > 0) {
    const side = onlySide(histogram);
    if (side === 'positive') lower = 0;
    else if (side === 'negative') upper = 0;
  }
  return { lower, upper };
}

function interpolate(
  { lower, upper }: { lower: number; upper: number },
  fraction: number,
  linear: boolean,
): number {
  if (linear || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** The share of observations between two values. */
export function nativeFraction(lower: number, upper: number, histogram: FloatHistogram): Estimate {
  const { count: all } = histogram;
  if (all === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return plain(NaN);
  if (lower >= upper) return plain(0);
  const list = listBuckets(histogram);
  const total = Number.isNaN(histogram.sum) ? totalOf(list) : all;
  const from = Math.min(rankOf(lower, histogram, list), total);
  const to = Math.min(rankOf(upper, histogram, list), total);
  return { value: (to - from) / all, nan: total < all ? 'excluded' : 'none' };
}

/** How many observations lie below a value. */
function rankOf(value: number, histogram: FloatHistogram, list: BucketList): number {
  const custom = isCustom(histogram);
  const side = onlySide(histogram);
  let rank = 0;
  for (let i = 0; i < list.count.length; i++) {
    let lower = list.lower[i] as number;
    let upper = list.upper[i] as number;
    const count = list.count[i] as number;
    const isZero = lower <= 0 && upper >= 0;
    if (isZero && side === 'positive') lower = 0;
    else if (isZero && side === 'negative') upper = 0;
    if (lower >= value) return rank;
    if (upper > value) {
      if (lower === -Infinity && (custom || isZero)) return count;
      return rank + count * fractionBelow({ lower, upper }, value, custom || isZero);
    }
    rank += count;
  }
  return Infinity;
}

/** The variance of the observations, each taken for the middle of its bucket. */
export function nativeVariance(histogram: FloatHistogram): number {
  const { lower, upper, count } = listBuckets(histogram);
  const mean = histogram.sum / histogram.count;
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < count.length; i++) {
    if (count[i] === 0) continue;
    const middle = middleOf(lower[i] as number, upper[i] as number, isCustom(histogram));
    const delta = middle - mean;
    const part = (count[i] as number) * delta * delta;
    const total = sum + part;
    lost = Math.abs(total) === Infinity ? 0 : lost + sumError(sum, part, total);
    sum = total;
  }
  return (sum + lost) / histogram.count;
}

function middleOf(lower: number, upper: number, linear: boolean): number {
  if (linear) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const middle = Math.sqrt(upper * lower);
  return upper < 0 ? -middle : middle;
}
