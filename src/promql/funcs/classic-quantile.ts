/** Quantiles and fractions of classic histograms (Prometheus 3.14, promql/quantile.go). */

/**
 * The buckets of one classic histogram at one time: upper bounds, ascending, with cumulative counts. Made once for many times:
 * what is computed of them changes the counts.
 */
export class ClassicBuckets {
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
  length = 0;
  /** What the last quantile had to do to make counts rise; undefined when nothing, or only noise was removed. */
  fix: MonotonicityFix | undefined;

  constructor(capacity: number) {
    this.bounds = new Float64Array(capacity);
    this.counts = new Float64Array(capacity);
  }

  /** Takes all buckets away. */
  clear(): void {
    this.length = 0;
    this.fix = undefined;
  }

  /** Adds a bucket whose bound is not below that of the last one; counts of equal bounds are added up. */
  add(bound: number, count: number): void {
    const last = this.length - 1;
    if (last >= 0 && this.bounds[last] === bound) {
      this.counts[last] = (this.counts[last] as number) + count;
      return;
    }
    this.bounds[this.length] = bound;
    this.counts[this.length++] = count;
  }

  /** Without a last bucket that has everything nothing can be said. */
  get endsAtInfinity(): boolean {
    return this.length > 0 && this.bounds[this.length - 1] === Infinity;
  }
}

/** What had to be done to make counts rise. */
export interface MonotonicityFix {
  readonly minBound: number;
  readonly maxBound: number;
  readonly maxDiff: number;
}

/** Relative differences up to this are taken for floating-point noise. */
const SMALL_DELTA = 1e-12;
const MIN_NORMAL = 2.2250738585072014e-308;

function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  if (a === b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DELTA * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/** Makes counts rise in place; says what it did unless only noise was removed. */
function forceMonotonic({ bounds, counts, length }: ClassicBuckets): MonotonicityFix | undefined {
  let minBound = Infinity;
  let maxBound = -Infinity;
  let maxDiff = 0;
  let forced = false;
  let previous = counts[0] as number;
  for (let i = 1; i < length; i++) {
    const count = counts[i] as number;
    if (count === previous) continue;
    if (almostEqual(previous, count)) counts[i] = previous;
    else if (count < previous) {
      counts[i] = previous;
      forced = true;
      minBound = Math.min(minBound, bounds[i] as number);
      maxBound = Math.max(maxBound, bounds[i] as number);
      maxDiff = Math.max(maxDiff, previous - count);
    } else previous = count;
  }
  return forced ? { minBound, maxBound, maxDiff } : undefined;
}

/** The q-quantile of a classic histogram, linear inside buckets; `buckets.fix` tells what had to be fixed. */
export function bucketQuantile(q: number, buckets: ClassicBuckets): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  if (!buckets.endsAtInfinity) return NaN;
  buckets.fix = forceMonotonic(buckets);
  return interpolate(q, buckets);
}

function interpolate(q: number, { bounds, counts, length }: ClassicBuckets): number {
  const last = length - 1;
  const observations = counts[last] as number;
  if (last < 1 || observations === 0) return NaN;
  let rank = q * observations;
  let b = 0;
  // Not count < rank: with NaN no bucket satisfies the search, and the last one is taken.
  while (b < last && !((counts[b] as number) >= rank)) b++;
  if (b === last) return bounds[last - 1] as number;
  const end = bounds[b] as number;
  if (b === 0 && end <= 0) return end;
  let start = 0;
  let count = counts[b] as number;
  if (b > 0) {
    start = bounds[b - 1] as number;
    count -= counts[b - 1] as number;
    rank -= counts[b - 1] as number;
  }
  return start + (end - start) * (rank / count);
}

/** The share of observations between two values, linear inside buckets. */
export function bucketFraction(lower: number, upper: number, buckets: ClassicBuckets): number {
  if (!buckets.endsAtInfinity) return NaN;
  const total = buckets.counts[buckets.length - 1] as number;
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, buckets) - rankOf(lower, buckets)) / total;
}

/** How many observations lie below a value. */
function rankOf(value: number, { bounds, counts, length }: ClassicBuckets): number {
  const total = counts[length - 1] as number;
  let rank = 0;
  let low = (bounds[0] as number) <= 0 ? -Infinity : 0;
  for (let i = 0; i < length; i++) {
    const high = bounds[i] as number;
    if (i > 0) low = bounds[i - 1] as number;
    const count = counts[i] as number;
    if (low >= value) return Math.min(rank, total);
    if (high > value) {
      if (low === -Infinity) return Math.min(count, total);
      return Math.min(rank + ((count - rank) * (value - low)) / (high - low), total);
    }
    rank = count;
  }
  return total;
}
