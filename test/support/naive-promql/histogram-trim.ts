/** `</` and `>/`: histograms without the observations above or below a value. */
import {
  ascending,
  compact,
  isCustom,
  negativeBuckets,
  positiveBuckets,
  type BoundedBucket,
} from './histogram-buckets.ts';
import { shareBelow } from './histogram-functions.ts';
import type { NaiveHistogram } from './histogram.ts';

/** Which observations stay. */
export type Kept = 'below' | 'above';

interface Part {
  /** How many observations of a bucket stay. */
  readonly count: number;
  /** Where they are taken to lie. */
  readonly middle: number;
}

interface Side {
  readonly isPositive: boolean;
  readonly isLinear: boolean;
}

/** The histogram with what is kept; count and sum are estimated anew only when something goes. */
export function trimHistogram(h: NaiveHistogram, at: number, kept: Kept): NaiveHistogram {
  const isLinear = isCustom(h);
  const result = { ...h, positive: new Map(h.positive), negative: new Map(h.negative) };
  let [count, sum, trimmed] = [0, 0, false];
  const filled = { positive: false, negative: false };
  const take = (part: Part, before: number): number => {
    count += part.count;
    sum += part.middle * part.count;
    if (part.count !== before) trimmed = true;
    return part.count;
  };
  for (const side of ['positive', 'negative'] as const) {
    const buckets = side === 'positive' ? positiveBuckets(h) : negativeBuckets(h);
    for (const [i, index] of ascending(h[side]).entries()) {
      const bucket = buckets[i] as BoundedBucket;
      if (bucket.count === 0) continue;
      filled[side] = true;
      const part = partOf(bucket, at, kept, { isPositive: side === 'positive', isLinear });
      if (part === undefined) {
        trimmed = true;
        result[side].set(index, 0);
      } else result[side].set(index, take(part, bucket.count));
    }
  }
  if (h.zeroCount > 0) result.zeroCount = take(zeroPart(h, at, kept, filled), h.zeroCount);
  return trimmed ? compact({ ...result, count, sum }) : result;
}

/** What stays of a bucket; undefined when nothing can. */
function partOf(bucket: BoundedBucket, at: number, kept: Kept, side: Side): Part | undefined {
  const { lower, upper, count } = bucket;
  const isWhole = kept === 'below' ? upper <= at : lower >= at;
  if (isWhole) return { count, middle: middleOf(lower, upper, side) };
  const isCut = kept === 'below' ? lower < at : upper > at;
  if (!isCut) return undefined;
  if (lower === -Infinity || upper === Infinity) return openPart(bucket, at, kept);
  const below = count * shareOf(bucket, at, side.isLinear);
  if (kept === 'below') return { count: below, middle: middleOf(lower, at, side) };
  return { count: count - below, middle: middleOf(at, upper, side) };
}

function shareOf(bucket: BoundedBucket, at: number, isLinear: boolean): number {
  if (at <= bucket.lower) return 0;
  return at >= bucket.upper ? 1 : shareBelow(bucket, at, isLinear);
}

/** What stays of a cut bucket without an end: all, nothing, or, below a positive bound, the part from 0 on. */
function openPart({ lower, upper, count }: BoundedBucket, at: number, kept: Kept): Part {
  const finite = (value: number) => (Math.abs(value) === Infinity ? 0 : value);
  if (lower === -Infinity) {
    const fromZero = at >= 0 && upper > 0 && upper !== Infinity;
    if (kept === 'below') {
      if (at >= upper) return { count, middle: 0 };
      if (fromZero && at > 0) return { count: (count * at) / upper, middle: at / 2 };
      return upper <= 0 ? { count, middle: at } : { count: 0, middle: finite(upper) };
    }
    if (at <= lower) return { count, middle: 0 };
    if (fromZero && upper > at) {
      return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
    }
    return { count: 0, middle: finite(upper) };
  }
  if (kept === 'above' && at >= lower) return { count, middle: at };
  return { count: 0, middle: finite(lower) };
}

function zeroPart(
  { zeroThreshold, zeroCount }: NaiveHistogram,
  at: number,
  kept: Kept,
  filled: { positive: boolean; negative: boolean },
): Part {
  const lower = filled.positive && !filled.negative ? 0 : -zeroThreshold;
  const upper = filled.negative && !filled.positive ? 0 : zeroThreshold;
  const all = { count: zeroCount, middle: (lower + upper) / 2 };
  const none = { count: 0, middle: 0 };
  if (at <= lower) return kept === 'below' ? none : all;
  if (at >= upper) return kept === 'below' ? all : none;
  const width = upper - lower;
  return kept === 'below'
    ? { count: zeroCount * ((at - lower) / width), middle: (lower + at) / 2 }
    : { count: zeroCount * ((upper - at) / width), middle: (at + upper) / 2 };
}

function middleOf(lower: number, upper: number, { isPositive, isLinear }: Side): number {
  if (Math.abs(lower) === Infinity) {
    if (Math.abs(upper) === Infinity) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (Math.abs(upper) === Infinity) return lower;
  if (isLinear) return (lower + upper) / 2;
  const mean = Math.sqrt(Math.abs(lower * upper));
  return isPositive ? mean : -mean;
}
