/** Where the buckets of native histograms lie (docs: prometheus.io/docs/specs/native_histograms). */
import { isCustom, type FloatHistogram } from './float-histogram.ts';

/**
 * How much wider a bucket is than the one before it, by schema: 2^(2^-schema).
 * compat: that of schema 1 is a bit too low. Clients see bounds, and Prometheus' are made so (model/histogram/generic.go,
 * exponentialBounds); some are a few bits off the true ones.
 */
const GROWTH = [
  2, 1.414213562373095, 1.189207115002721, 1.0905077326652577, 1.0442737824274138,
  1.0218971486541166, 1.0108892860517005, 1.0054299011128027, 1.0027112750502025,
] as const;

/** The bounds from 1/2 to 1 by schema, 0 to 8. */
const FRACTIONS: readonly Float64Array[] = fractions();

function fractions(): Float64Array[] {
  const tables = [Float64Array.of(0.5)];
  for (let schema = 1; schema < GROWTH.length; schema++) {
    const coarser = tables[schema - 1] as Float64Array;
    const table = new Float64Array(coarser.length * 2);
    for (const [i, bound] of coarser.entries()) {
      table[2 * i] = bound;
      table[2 * i + 1] = bound * (GROWTH[schema] as number);
    }
    tables.push(table);
  }
  return tables;
}

/** The upper bound of an exponential bucket; the last one before that of the infinities ends with the greatest double. */
export function exponentialBound(schema: number, index: number): number {
  if (schema < 0) {
    const exponent = index * 2 ** -schema;
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent;
  }
  const exponent = index >> schema;
  const fraction = FRACTIONS[schema]?.[index & ((1 << schema) - 1)] ?? NaN;
  if (exponent >= 1024) return exponent === 1024 && fraction === 0.5 ? Number.MAX_VALUE : Infinity;
  // Where one power would underflow, or overflow, the product does not.
  return fraction * 2 ** (exponent >> 1) * 2 ** (exponent + 1 - (exponent >> 1));
}

/** The upper bound of a bucket by its index. */
export function upperBound(
  { schema, customValues }: Pick<FloatHistogram, 'schema' | 'customValues'>,
  index: number,
): number {
  if (!isCustom({ schema })) return exponentialBound(schema, index);
  if (index < 0) return -Infinity;
  return index < customValues.length ? (customValues[index] as number) : Infinity;
}

/** Which bounds belong to a bucket. */
export type Inclusive = 'upper' | 'lower' | 'both';

/** The buckets of a histogram in ascending order, the zero bucket among them if it is not empty; other empty ones, too. */
export interface BucketList {
  readonly lower: number[];
  readonly upper: number[];
  readonly count: number[];
  readonly inclusive: Inclusive[];
}

/**
 * Lists the buckets; those that reach into the zero bucket end, or begin, where it does. A zero bucket with less than nothing in it is
 * left out unless it is asked for.
 */
export function listBuckets(
  histogram: FloatHistogram,
  { negativeZero = false }: { readonly negativeZero?: boolean } = {},
): BucketList {
  const list: BucketList = { lower: [], upper: [], count: [], inclusive: [] };
  const { negative, positive, zeroThreshold, zeroCount } = histogram;
  const custom = isCustom(histogram);
  const push = (lower: number, upper: number, count: number, inclusive: Inclusive): void => {
    list.lower.push(lower);
    list.upper.push(upper);
    list.count.push(count);
    list.inclusive.push(inclusive);
  };
  for (let i = negative.index.length - 1; i >= 0; i--) {
    const index = negative.index[i] as number;
    const upper = -upperBound(histogram, index - 1);
    const nearest = upper > -zeroThreshold ? -zeroThreshold : upper;
    push(-upperBound(histogram, index), nearest, negative.count[i] as number, 'lower');
  }
  const showsZero = negativeZero ? zeroCount !== 0 : zeroCount > 0;
  if (showsZero) push(-zeroThreshold, zeroThreshold, zeroCount, 'both');
  for (let i = 0; i < positive.index.length; i++) {
    const index = positive.index[i] as number;
    const lower = upperBound(histogram, index - 1);
    const nearest = lower > 0 && lower < zeroThreshold ? zeroThreshold : lower;
    const inclusive = custom && index === 0 ? 'both' : 'upper';
    push(nearest, upperBound(histogram, index), positive.count[i] as number, inclusive);
  }
  return list;
}

/** Whether a histogram has buckets of its positive side only, or its negative one only: where its zero bucket reaches. */
export function onlySide({ positive, negative }: FloatHistogram): 'positive' | 'negative' | 'both' {
  const [p, n] = [positive.index.length, negative.index.length];
  if (p > 0 && n === 0) return 'positive';
  return n > 0 && p === 0 ? 'negative' : 'both';
}

/** The share of a bucket's width at or below a value inside it; not linear is logarithmic. */
export function fractionBelow(
  { lower, upper }: { readonly lower: number; readonly upper: number },
  value: number,
  linear: boolean,
): number {
  if (linear) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}
