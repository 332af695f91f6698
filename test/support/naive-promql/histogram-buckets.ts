/** The buckets of native histograms: bounds, orders, and what changes of resolution and zero bucket do to them. */
import { CUSTOM_SCHEMA, type NaiveHistogram } from './histogram.ts';
import { kahanAdd } from './kahan.ts';

/** A bucket with its bounds. */
export interface BoundedBucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** Counts by index. */
export type Buckets = ReadonlyMap<number, number>;

/** Whether the bounds of a histogram's buckets are its own. */
export function isCustom({ schema }: NaiveHistogram): boolean {
  return schema === CUSTOM_SCHEMA;
}

/** A copy that may be changed. */
export function copyHistogram(h: NaiveHistogram): NaiveHistogram {
  return { ...h, positive: new Map(h.positive), negative: new Map(h.negative) };
}

/** The part of a bound that is no power of two, 1 to 2: what is between two bounds of a coarser schema is grown from the lower one. */
function fractionOf(place: number, schema: number): number {
  if (schema === 0) return 1;
  const coarser = fractionOf(Math.floor(place / 2), schema - 1);
  // Prometheus' table is made with a root of two that is a bit too low.
  const growth = schema === 1 ? 1.414213562373095 : 2 ** (2 ** -schema);
  return place % 2 === 0 ? coarser : coarser * growth;
}

/** The upper bound of a bucket; the last one before that of the infinities ends with the greatest double. */
export function exponentialBound(index: number, schema: number): number {
  const octave = Math.floor(index * 2 ** -schema);
  const place = schema <= 0 ? 0 : index - octave * 2 ** schema;
  if (octave === 1024 && place === 0) return Number.MAX_VALUE;
  return fractionOf(place, Math.max(0, schema)) * 2 ** octave;
}

function upperBound({ schema, bounds }: NaiveHistogram, index: number): number {
  if (schema !== CUSTOM_SCHEMA) return exponentialBound(index, schema);
  return index < 0 ? -Infinity : (bounds[index] ?? Infinity);
}

/** Indexes in ascending order: away from zero. */
export function ascending(buckets: Buckets): number[] {
  return [...buckets.keys()].toSorted((a, b) => a - b);
}

/** The positive buckets with their bounds, from zero on. */
export function positiveBuckets(h: NaiveHistogram): BoundedBucket[] {
  return ascending(h.positive).map((index) => ({
    lower: upperBound(h, index - 1),
    upper: upperBound(h, index),
    count: h.positive.get(index) ?? 0,
  }));
}

/** The negative buckets with their bounds, from zero on. */
export function negativeBuckets(h: NaiveHistogram): BoundedBucket[] {
  return ascending(h.negative).map((index) => ({
    lower: -upperBound(h, index),
    upper: -upperBound(h, index - 1),
    count: h.negative.get(index) ?? 0,
  }));
}

/** All buckets from the lowest to the highest, cut where they reach into the zero bucket. */
export function allBuckets(h: NaiveHistogram): BoundedBucket[] {
  const { zeroThreshold, zeroCount } = h;
  const cut = (bucket: BoundedBucket): BoundedBucket => {
    const { lower, upper } = bucket;
    if (upper < 0 && upper > -zeroThreshold) return { ...bucket, upper: -zeroThreshold };
    if (lower > 0 && lower < zeroThreshold) return { ...bucket, lower: zeroThreshold };
    return bucket;
  };
  const zero = { lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount };
  return [
    ...negativeBuckets(h).reverse().map(cut),
    ...(zeroCount > 0 ? [zero] : []),
    ...positiveBuckets(h).map(cut),
  ];
}

/** Where a bucket lies in a schema of lower resolution. */
export function targetIndex(index: number, schema: number, target: number): number {
  return Math.ceil(index / 2 ** (schema - target));
}

/** Buckets in a schema of lower resolution. */
export function reduceBuckets(
  buckets: Buckets,
  schema: number,
  target: number,
): Map<number, number> {
  const reduced = new Map<number, number>();
  for (const index of ascending(buckets)) {
    const at = targetIndex(index, schema, target);
    reduced.set(at, (reduced.get(at) ?? 0) + (buckets.get(index) ?? 0));
  }
  return reduced;
}

/** The histogram in a schema of lower resolution. */
export function reduceTo(h: NaiveHistogram, schema: number): NaiveHistogram {
  if (h.schema === schema) return copyHistogram(h);
  return {
    ...h,
    schema,
    positive: reduceBuckets(h.positive, h.schema, schema),
    negative: reduceBuckets(h.negative, h.schema, schema),
  };
}

/** Without empty buckets. */
export function compact(h: NaiveHistogram): NaiveHistogram {
  const filled = (buckets: Buckets) => new Map([...buckets].filter(([, count]) => count !== 0));
  return { ...h, positive: filled(h.positive), negative: filled(h.negative) };
}

/** A zero bucket that is as wide as asked for, or wider where that would lie inside a bucket that counts something. */
export function widerZeroBucket(
  h: NaiveHistogram,
  threshold: number,
): { count: number; threshold: number; compensation: number } {
  if (threshold === h.zeroThreshold) return { count: h.zeroCount, threshold, compensation: 0 };
  let wanted = threshold;
  for (;;) {
    let state: [number, number] = [h.zeroCount, 0];
    let again = false;
    for (const { lower, upper, count } of positiveBuckets(h)) {
      if (lower >= wanted) break;
      state = kahanAdd(count, state);
      if (upper > wanted) {
        if (count !== 0) wanted = upper;
        break;
      }
    }
    for (const { lower, upper, count } of negativeBuckets(h)) {
      if (upper <= -wanted) break;
      state = kahanAdd(count, state);
      if (lower < -wanted) {
        again = count !== 0;
        if (again) wanted = -lower;
        break;
      }
    }
    if (!again) return { count: state[0], threshold: wanted, compensation: state[1] };
  }
}

/** The histogram with such a zero bucket. */
export function widenZeroBucket(h: NaiveHistogram, threshold: number): NaiveHistogram {
  const zero = widerZeroBucket(h, threshold);
  const outside = (buckets: Buckets) =>
    new Map(
      [...buckets].filter(
        ([index, count]) => count !== 0 && exponentialBound(index - 1, h.schema) >= zero.threshold,
      ),
    );
  return {
    ...h,
    zeroCount: zero.count,
    zeroThreshold: zero.threshold,
    positive: outside(h.positive),
    negative: outside(h.negative),
  };
}
