/**
 * Quantiles of what was observed in the last ten minutes, as client_golang's summaries give them: five ages of two
 * minutes, the oldest of which is dropped as a whole.
 *
 * Observations are counted in buckets that grow by 2 %, so that a quantile is at most 1 % beside the observation that
 * it stands for, and memory does not grow with their number.
 */

/** client_golang's defaults: MaxAge and AgeBuckets. */
const AGES = 5;
const AGE_MS = 120_000;

const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);

/** limit: what is shorter than a nanosecond counts as nothing. */
const SMALLEST = 1e-9;

interface Age {
  readonly number: number;
  /** How many by bucket; -Infinity is the bucket of nothing. */
  readonly counts: Map<number, number>;
}

/** Observations of a sliding window. They must not be negative. */
export class SlidingQuantiles {
  #ages: Age[] = [];

  /** Counts a value at a time (ms) that never goes back. */
  observe(value: number, nowMs: number): void {
    const number = Math.floor(nowMs / AGE_MS);
    let age = this.#ages.at(-1);
    if (age?.number !== number) {
      age = { number, counts: new Map() };
      this.#ages.push(age);
      this.#forget(number);
    }
    const bucket = value < SMALLEST ? -Infinity : Math.ceil(Math.log(value) / LOG_GROWTH);
    age.counts.set(bucket, (age.counts.get(bucket) ?? 0) + 1);
  }

  /** The quantiles at a time (ms); NaN when nothing was observed. */
  quantiles(wanted: readonly number[], nowMs: number): number[] {
    this.#forget(Math.floor(nowMs / AGE_MS));
    const counts = new Map<number, number>();
    let total = 0;
    for (const age of this.#ages) {
      for (const [bucket, count] of age.counts) {
        counts.set(bucket, (counts.get(bucket) ?? 0) + count);
        total += count;
      }
    }
    const sorted = [...counts].sort((a, b) => a[0] - b[0]);
    return wanted.map((q) => valueAt(sorted, Math.max(1, Math.ceil(q * total))));
  }

  #forget(number: number): void {
    this.#ages = this.#ages.filter((age) => age.number > number - AGES);
  }
}

/** The middle of the bucket that the rank-th observation fell in. */
function valueAt(sorted: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0;
  for (const [bucket, count] of sorted) {
    seen += count;
    if (seen < rank) continue;
    return bucket === -Infinity ? 0 : (2 * GROWTH ** bucket) / (GROWTH + 1);
  }
  return NaN;
}
