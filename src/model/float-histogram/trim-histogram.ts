/**
 * The operators `</` and `>/`: a histogram without the observations above, or below, a value (prometheus float_histogram.go,
 * TrimBuckets). Where the value lies inside a bucket, its observations are taken to be spread as quantiles take them. The sum is
 * estimated anew from the middles of the buckets, as soon as anything was taken away.
 */
import { fractionBelow, upperBound } from './bucket-bounds.ts';
import { compact, isCustom } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';

/** Which observations stay. */
export type TrimSide = 'below' | 'above';

/** What stays of a bucket, and the value that its observations are taken for. */
interface Kept {
  readonly count: number;
  readonly middle: number;
}

interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** The histogram without the observations on the other side of `at`. */
export function trimHistogram(
  histogram: FloatHistogram,
  at: number,
  keep: TrimSide,
): FloatHistogram {
  const trimming = new Trimming(histogram, at, keep);
  const positive = trimming.side('positive');
  const negative = trimming.side('negative');
  const zeroCount = trimming.zero();
  if (!trimming.changed) return histogram;
  const { count, sum } = trimming;
  return compact({ ...histogram, count, sum, zeroCount, positive, negative });
}

class Trimming {
  count = 0;
  sum = 0;
  changed = false;
  readonly #histogram: FloatHistogram;
  readonly #at: number;
  readonly #keep: TrimSide;
  readonly #filled = { positive: false, negative: false };

  constructor(histogram: FloatHistogram, at: number, keep: TrimSide) {
    this.#histogram = histogram;
    this.#at = at;
    this.#keep = keep;
  }

  side(name: 'positive' | 'negative'): BucketSide {
    const { index, count } = this.#histogram[name];
    const out = new Float64Array(count.length);
    for (let i = 0; i < count.length; i++) {
      const bucket = this.#bucket(name, index[i] as number, count[i] as number);
      if (bucket.count === 0) continue;
      this.#filled[name] = true;
      out[i] = this.#take(bucket.count, this.#keptOf(bucket, name === 'positive'));
    }
    return { index, count: out };
  }

  #bucket(name: 'positive' | 'negative', index: number, count: number): Bucket {
    const near = upperBound(this.#histogram, index - 1);
    const far = upperBound(this.#histogram, index);
    return name === 'positive'
      ? { lower: near, upper: far, count }
      : { lower: -far, upper: -near, count };
  }

  #take(before: number, { count, middle }: Kept): number {
    if (count !== before) this.changed = true;
    this.count += count;
    this.sum += middle * count;
    return count;
  }

  #keptOf(bucket: Bucket, isPositive: boolean): Kept {
    const { lower, upper, count } = bucket;
    const at = this.#at;
    const below = this.#keep === 'below';
    const linear = isCustom(this.#histogram);
    if (below ? upper <= at : lower >= at)
      return { count, middle: middleOf(lower, upper, { isPositive, linear }) };
    // Not the opposite: with NaN nothing stays.
    if (!(below ? lower < at : upper > at)) return { count: 0, middle: 0 };
    if (lower === -Infinity || upper === Infinity) return this.#keptOfInfinite(bucket);
    const under = count * fractionBelow(bucket, at, linear);
    return below
      ? { count: under, middle: middleOf(lower, at, { isPositive, linear }) }
      : { count: count - under, middle: middleOf(at, upper, { isPositive, linear }) };
  }

  /** A bucket without end: nobody knows where its observations are, unless it can be taken to begin at 0. */
  #keptOfInfinite({ lower, upper, count }: Bucket): Kept {
    const at = this.#at;
    const below = this.#keep === 'below';
    if (lower !== -Infinity) return below ? { count: 0, middle: lower } : { count, middle: at };
    if (below) {
      if (at > 0 && upper > 0 && upper !== Infinity)
        return { count: (count * at) / upper, middle: at / 2 };
      return upper <= 0 ? { count, middle: at } : { count: 0, middle: 0 };
    }
    if (at >= 0 && upper !== Infinity)
      return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
    return { count: 0, middle: 0 };
  }

  /** The zero bucket, which reaches to one side only when the other one has no observations. */
  zero(): number {
    const { zeroCount, zeroThreshold } = this.#histogram;
    if (!(zeroCount > 0)) return zeroCount;
    const { positive, negative } = this.#filled;
    const lower = positive && !negative ? 0 : -zeroThreshold;
    const upper = negative && !positive ? 0 : zeroThreshold;
    return this.#take(zeroCount, this.#keptOfZero({ lower, upper, count: zeroCount }));
  }

  #keptOfZero({ lower, upper, count }: Bucket): Kept {
    const at = this.#at;
    const below = this.#keep === 'below';
    const whole = { count, middle: (lower + upper) / 2 };
    if (at <= lower) return below ? { count: 0, middle: 0 } : whole;
    if (at >= upper) return below ? whole : { count: 0, middle: 0 };
    const share = (below ? at - lower : upper - at) / (upper - lower);
    return { count: count * share, middle: ((below ? lower : upper) + at) / 2 };
  }
}

/** The value that the observations of a bucket are taken for. */
function middleOf(
  lower: number,
  upper: number,
  { isPositive, linear }: { readonly isPositive: boolean; readonly linear: boolean },
): number {
  if (Math.abs(lower) === Infinity) {
    if (Math.abs(upper) === Infinity) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (Math.abs(upper) === Infinity) return lower;
  if (linear) return (lower + upper) / 2;
  const middle = Math.sqrt(Math.abs(lower * upper));
  return isPositive ? middle : -middle;
}
