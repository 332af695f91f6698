/** Where the buckets of native histograms lie (docs: prometheus.io/docs/specs/native_histograms). */
import { isCustom, type FloatHistogram } from './float-histogram.ts';

/** The finest schema: its bounds hold those of all others. */
const FINEST = 8;
/** Bits behind the point while the table is made: far more than a double has. */
const PRECISION = 160n;

/** 2^(i / 256) for i = 0 … 255, each the double next to the true value. */
const FRACTIONS = fractions();

function fractions(): Float64Array {
  const one = 1n << PRECISION;
  // The 256th root of two: eight square roots.
  let root = one << 1n;
  for (let i = 0; i < FINEST; i++) root = integerRoot(root << PRECISION);
  const table = new Float64Array(1 << FINEST);
  let power = one;
  for (let i = 0; i < table.length; i++) {
    // Between 1 and 2, a double has 52 bits behind the point.
    const shift = PRECISION - 52n;
    table[i] = Number((power + (1n << (shift - 1n))) >> shift) / 2 ** 52;
    power = (power * root) >> PRECISION;
  }
  return table;
}

/** The largest whole number whose square is not larger. */
function integerRoot(square: bigint): bigint {
  let root = 1n << (BigInt(square.toString(2).length + 1) / 2n);
  for (;;) {
    const next = (root + square / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The upper bound of an exponential bucket; the last one before that of the infinities ends with the greatest double. */
export function exponentialBound(schema: number, index: number): number {
  const perOctave = 2 ** schema;
  const exponent = Math.floor(index / perOctave);
  const rest = index - exponent * perOctave;
  if (exponent === 1024 && rest === 0) return Number.MAX_VALUE;
  const fraction = schema < 0 ? 1 : (FRACTIONS[rest * 2 ** (FINEST - schema)] as number);
  // Beyond the smallest normal double one power would underflow where the product does not.
  return exponent < -1022
    ? fraction * 2 ** (exponent + 100) * 2 ** -100
    : exponent > 1023
      ? Infinity
      : fraction * 2 ** exponent;
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
