/** Quantiles and fractions of classic histograms: series with a label le. */
import type { Labels } from '../../../src/model/labels.ts';
import type { Vector } from './sample.ts';

interface Bucket {
  readonly upper: number;
  count: number;
}

/** A classic histogram at one step, its buckets by upper bound. */
export interface ClassicHistogram {
  /** Without le. */
  readonly labels: Labels;
  readonly buckets: Bucket[];
}

const LE: ReadonlySet<string> = new Set(['le']);
const GO_FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** What Go's ParseFloat makes of the text of a bound, as far as bounds go; undefined when it refuses. */
function parseBound(text: string): number | undefined {
  if (GO_FLOAT.test(text)) return Number(text);
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinity !== null) return infinity[1] === '-' ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? NaN : undefined;
}

/** The histograms that the floats of a vector make; samples without a bound are left out. */
export function classicHistograms(vector: Vector): ClassicHistogram[] {
  const histograms = new Map<string, ClassicHistogram>();
  for (const { labels, value } of vector) {
    const upper = parseBound(labels.get('le'));
    if (upper === undefined || typeof value !== 'number') continue;
    const without = labels.drop(LE);
    const histogram = histograms.get(without.key) ?? { labels: without, buckets: [] };
    histograms.set(without.key, histogram);
    histogram.buckets.push({ upper, count: value });
  }
  return [...histograms.values()];
}

/** The buckets by bound, those of equal bounds added up; undefined when the last is not +Inf. */
function wholeBuckets({ buckets }: ClassicHistogram): Bucket[] | undefined {
  const sorted = buckets.toSorted((a, b) => (a.upper < b.upper ? -1 : a.upper > b.upper ? 1 : 0));
  if (sorted.at(-1)?.upper !== Infinity) return undefined;
  const merged: Bucket[] = [];
  for (const { upper, count } of sorted) {
    const last = merged.at(-1);
    if (last?.upper === upper) last.count += count;
    else merged.push({ upper, count });
  }
  return merged;
}

/** The difference between neighbours that is taken for a rounding error. */
const TOLERANCE = 1e-12;

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  const smallest = 2 ** -1022;
  if (a === 0 || b === 0 || sum < smallest) return difference < TOLERANCE * smallest;
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE;
}

/** A bucket holds at least what those below it hold. */
function makeMonotonic(buckets: readonly Bucket[]): void {
  let most = buckets[0]?.count ?? NaN;
  for (const bucket of buckets.slice(1)) {
    if (bucket.count === most) continue;
    if (almostEqual(most, bucket.count) || bucket.count < most) bucket.count = most;
    else most = bucket.count;
  }
}

/** The value below which a share q of the observations lies. */
export function classicQuantile(q: number, histogram: ClassicHistogram): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const buckets = wholeBuckets(histogram);
  if (buckets === undefined) return NaN;
  makeMonotonic(buckets);
  const total = buckets.at(-1)?.count ?? 0;
  if (buckets.length < 2 || total === 0) return NaN;
  const rank = q * total;
  const found = firstIndex(buckets.length - 1, (i) => (buckets[i]?.count ?? NaN) >= rank);
  const [bucket, below] = [buckets[found], buckets[found - 1]];
  if (bucket === undefined || found === buckets.length - 1) return below?.upper ?? NaN;
  if (below === undefined) {
    // Adding 0 is what makes 0 of -0.
    return bucket.upper <= 0 ? bucket.upper : 0 + bucket.upper * (rank / bucket.count);
  }
  const share = (rank - below.count) / (bucket.count - below.count);
  return below.upper + (bucket.upper - below.upper) * share;
}

/** The first index below n for which a condition holds that, once it holds, holds for all after; NaN breaks that. */
function firstIndex(n: number, test: (i: number) => boolean): number {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The share of observations between two values. */
export function classicFraction(lower: number, upper: number, histogram: ClassicHistogram): number {
  const buckets = wholeBuckets(histogram);
  const total = buckets?.at(-1)?.count ?? 0;
  if (buckets === undefined || total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) {
    return NaN;
  }
  if (lower >= upper) return 0;
  return (rankOf(upper, buckets, total) - rankOf(lower, buckets, total)) / total;
}

/** How many observations lie below a value. */
function rankOf(value: number, buckets: readonly Bucket[], total: number): number {
  let from = (buckets[0]?.upper ?? NaN) <= 0 ? -Infinity : 0;
  let rank = 0;
  for (const { upper, count } of buckets) {
    if (from >= value) return rank > total ? total : rank;
    if (upper > value) {
      const inside =
        from === -Infinity ? count : rank + ((count - rank) * (value - from)) / (upper - from);
      return inside > total ? total : inside;
    }
    rank = count;
    from = upper;
  }
  return total;
}
