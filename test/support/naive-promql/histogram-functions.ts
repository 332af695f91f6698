/** Numbers that native histograms give: quantiles, fractions, deviations. */
import { allBuckets, isCustom, type BoundedBucket } from './histogram-buckets.ts';
import type { NaiveHistogram } from './histogram.ts';
import { kahanAdd } from './kahan.ts';

/** Where in a bucket a share of its observations ends; exponential buckets are even on a logarithmic scale. */
function within({ lower, upper }: BoundedBucket, share: number, isLinear: boolean): number {
  if (isLinear) return lower + (upper - lower) * share;
  const [low, high] = [Math.log2(Math.abs(lower)), Math.log2(Math.abs(upper))];
  if (lower > 0) return 2 ** (low + (high - low) * share);
  return -(2 ** (high + (low - high) * (1 - share)));
}

/** The share of a bucket's observations below a value inside it. */
export function shareBelow(
  { lower, upper }: BoundedBucket,
  value: number,
  isLinear: boolean,
): number {
  if (isLinear) return (value - lower) / (upper - lower);
  const [low, high, at] = [lower, upper, value].map((v) => Math.log2(Math.abs(v)));
  if (low === undefined || high === undefined || at === undefined) return NaN;
  return value > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

/** The zero bucket ends at 0 where all others are on one side. */
function trimmedZero(h: NaiveHistogram, bucket: BoundedBucket): BoundedBucket {
  if (h.negative.size === 0 && h.positive.size > 0) return { ...bucket, lower: 0 };
  if (h.positive.size === 0 && h.negative.size > 0) return { ...bucket, upper: 0 };
  return bucket;
}

/** The value below which a share q of the observations lies. */
export function histogramQuantile(q: number, h: NaiveHistogram): number {
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  if (h.count === 0 || Number.isNaN(q)) return NaN;
  const isForward = Number.isNaN(h.sum) || q < 0.5;
  const buckets = isForward ? allBuckets(h) : allBuckets(h).reverse();
  const rank = (isForward ? q : 1 - q) * h.count;
  let counted = 0;
  let found: BoundedBucket = { lower: 0, upper: 0, count: 0 };
  for (const bucket of buckets) {
    found = bucket;
    if (bucket.count === 0) continue;
    counted += bucket.count;
    if (counted >= rank) break;
  }
  const custom = isCustom(h);
  if (!custom && found.lower < 0 && found.upper > 0) found = trimmedZero(h, found);
  else if (custom && found.lower === -Infinity) {
    if (found.upper <= 0) return found.upper;
    found = { ...found, lower: 0 };
  } else if (custom && found.upper === Infinity) return found.lower;
  counted = Math.min(counted, h.count);
  if (counted < rank) return Number.isNaN(h.sum) ? NaN : found.upper;
  const inside = isForward ? rank - (counted - found.count) : counted - rank;
  const isLinear = custom || (found.lower <= 0 && found.upper >= 0);
  return within(found, inside / found.count, isLinear);
}

/** The share of observations between two values. */
export function histogramFraction(lower: number, upper: number, h: NaiveHistogram): number {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  const inBuckets = allBuckets(h).reduce((sum, { count }) => sum + count, 0);
  const total = Number.isNaN(h.sum) ? inBuckets : h.count;
  const rank = (value: number) => Math.min(rankOf(value, h) ?? total, total);
  return (rank(upper) - rank(lower)) / h.count;
}

/** How many observations lie below a value; undefined above all buckets. */
function rankOf(value: number, h: NaiveHistogram): number | undefined {
  let rank = 0;
  for (const bucket of allBuckets(h)) {
    const isZero = bucket.lower <= 0 && bucket.upper >= 0;
    const { lower, upper, count } = isZero ? trimmedZero(h, bucket) : bucket;
    if (lower >= value) return rank;
    if (upper > value) {
      const isLinear = isCustom(h) || isZero;
      if (isLinear && lower === -Infinity) return count;
      return rank + count * shareBelow({ lower, upper, count }, value, isLinear);
    }
    rank += count;
  }
  return undefined;
}

/** The mean square of the distances of all observations from their mean, as far as buckets tell. */
export function histogramVariance(h: NaiveHistogram): number {
  const mean = h.sum / h.count;
  let state: [number, number] = [0, 0];
  for (const { lower, upper, count } of allBuckets(h)) {
    if (count === 0) continue;
    let middle: number;
    if (isCustom(h)) middle = (upper + lower) / 2;
    else if (lower <= 0 && upper >= 0) middle = 0;
    else middle = Math.sign(upper) * Math.sqrt(upper * lower);
    const distance = middle - mean;
    state = kahanAdd(count * distance * distance, state);
  }
  return (state[0] + state[1]) / h.count;
}
