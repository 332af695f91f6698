/** Quantiles of plain values and of classic histograms' buckets (Prometheus 3.14, promql/quantile.go). */

/** The q-quantile, interpolated between neighbours. Sorts the values in place; NaN sorts first. */
export function quantileOf(q: number, values: Float64Array): number {
  sortNanFirst(values);
  return quantileOfSorted(q, values);
}

/** The q-quantile of values that {@link sortNanFirst} has sorted. */
export function quantileOfSorted(q: number, values: Float64Array): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (values[lower] as number) * (1 - weight) + (values[upper] as number) * weight;
}

/** Typed arrays sort by number with NaN last; here it comes first. -0 comes before 0. */
export function sortNanFirst(values: Float64Array): void {
  values.sort(); // tidy: bare-sort: typed array
  let n = values.length;
  while (n > 0 && Number.isNaN(values[n - 1])) n--;
  if (n === values.length) return;
  values.copyWithin(values.length - n, 0, n);
  values.fill(NaN, 0, values.length - n);
}

/** Buckets of one classic histogram at one time: upper bounds with cumulative counts. */
export interface Buckets {
  bounds: number[];
  counts: number[];
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

/** Adds up buckets of equal bounds. They are sorted by bound. */
function coalesce({ bounds, counts }: Buckets): Buckets {
  const merged: Buckets = { bounds: [], counts: [] };
  for (const [i, bound] of bounds.entries()) {
    const last = merged.bounds.length - 1;
    if (last >= 0 && merged.bounds[last] === bound) {
      merged.counts[last] = (merged.counts[last] as number) + (counts[i] as number);
    } else {
      merged.bounds.push(bound);
      merged.counts.push(counts[i] as number);
    }
  }
  return merged;
}

/** Sorted by bound, equal bounds merged; undefined when the last bound is not +Inf. */
function prepare({ bounds, counts }: Buckets): Buckets | undefined {
  const order = bounds.map((_, i) => i).sort((a, b) => compare(bounds[a], bounds[b]));
  const sorted: Buckets = {
    bounds: order.map((i) => bounds[i] as number),
    counts: order.map((i) => counts[i] as number),
  };
  return sorted.bounds.at(-1) === Infinity ? coalesce(sorted) : undefined;
}

function compare(a = NaN, b = NaN): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

/** Makes counts rise in place; says what it did unless only noise was removed. */
function forceMonotonic({ bounds, counts }: Buckets): MonotonicityFix | undefined {
  let minBound = Infinity;
  let maxBound = -Infinity;
  let maxDiff = 0;
  let forced = false;
  let previous = counts[0] as number;
  for (let i = 1; i < counts.length; i++) {
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

/** The q-quantile of a classic histogram, linear inside buckets, and what had to be fixed. */
export function bucketQuantile(
  q: number,
  input: Buckets,
): { value: number; fix?: MonotonicityFix } {
  if (Number.isNaN(q)) return { value: NaN };
  if (q < 0) return { value: -Infinity };
  if (q > 1) return { value: Infinity };
  const buckets = prepare(input);
  if (buckets === undefined) return { value: NaN };
  const fix = forceMonotonic(buckets);
  const value = interpolate(q, buckets);
  return fix === undefined ? { value } : { value, fix };
}

function interpolate(q: number, { bounds, counts }: Buckets): number {
  const last = bounds.length - 1;
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
export function bucketFraction(lower: number, upper: number, input: Buckets): number {
  const buckets = prepare(input);
  if (buckets === undefined) return NaN;
  const { bounds, counts } = buckets;
  const total = counts.at(-1) as number;
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, bounds, counts) - rankOf(lower, bounds, counts)) / total;
}

/** How many observations lie below a value. */
function rankOf(value: number, bounds: readonly number[], counts: readonly number[]): number {
  const total = counts.at(-1) as number;
  let rank = 0;
  let low = (bounds[0] as number) <= 0 ? -Infinity : 0;
  for (const [i, high] of bounds.entries()) {
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
