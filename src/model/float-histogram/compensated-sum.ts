/**
 * Compensated sums of native histograms: beside the running sum runs a second histogram of the same buckets, which holds what
 * rounding took from each count (prometheus float_histogram.go, KahanAdd, whose order of additions this has).
 */
import { equalBits, equalIntegers } from '../histogram.ts';
import { commonHint } from './add-histograms.ts';
import { exponentialBound } from './bucket-bounds.ts';
import { coarserIndex, commonBounds, commonZero, targetOnBounds } from './bucket-layout.ts';
import { isCustom } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';
import {
  Lossy,
  addAtSameIndexes,
  addLossy,
  lossySide,
  regroupLossy,
  splitSide,
} from './lossy-buckets.ts';
import type { LossySide, SplitSide } from './lossy-buckets.ts';

/** A running sum; both histograms have buckets at the same indexes. */
export interface CompensatedSum {
  readonly value: FloatHistogram;
  /** What was lost; undefined before the first addition. */
  readonly lost: FloatHistogram | undefined;
}

/** A sum after an addition, and whether custom bounds differed. */
export interface Addition {
  readonly sum: CompensatedSum;
  readonly reconciled: boolean;
}

/** Adds a histogram; undefined when only one of the two has custom buckets. */
export function addCompensated(sum: CompensatedSum, other: FloatHistogram): Addition | undefined {
  const { value, lost } = sum;
  if (isCustom(value) !== isCustom(other)) return undefined;
  const parts = isCustom(value) ? addCustom(sum, other) : addExponential(sum, other);
  const count = new Lossy(value.count, lost?.count ?? 0).add(other.count);
  const total = new Lossy(value.sum, lost?.sum ?? 0).add(other.sum);
  const { positive, negative } = parts;
  const part = (name: 'value' | 'lost'): FloatHistogram => ({
    ...parts.layout,
    hint: commonHint(value.hint, other.hint).hint,
    count: count[name],
    sum: total[name],
    zeroCount: parts.zero[name],
    positive: positive[name],
    negative: negative[name],
  });
  return { sum: { value: part('value'), lost: part('lost') }, reconciled: parts.reconciled };
}

/** The buckets of a sum after an addition. */
interface Parts {
  readonly layout: Pick<FloatHistogram, 'schema' | 'zeroThreshold' | 'customValues'>;
  readonly zero: Lossy;
  readonly positive: SplitSide;
  readonly negative: SplitSide;
  readonly reconciled: boolean;
}

function addCustom({ value, lost }: CompensatedSum, other: FloatHistogram): Parts {
  const { schema, zeroThreshold, customValues } = value;
  // Custom buckets have no zero bucket: nothing is added, or -0 would become 0.
  const negative = splitSide(lossySide(value.negative));
  const rest = { zero: new Lossy(value.zeroCount, 0), negative };
  if (equalBits(customValues, other.customValues)) {
    const layout = { schema, zeroThreshold, customValues };
    const positive = addOnSameBounds(value.positive, lost?.positive, other.positive);
    return { layout, ...rest, positive, reconciled: false };
  }
  const own = lossySide(value.positive, lost?.positive);
  const bounds = commonBounds(customValues, other.customValues);
  const cells = Array.from({ length: bounds.length + 1 }, () => new Lossy(0, 0));
  const put = (side: LossySide, from: Float64Array): void => {
    const target = targetOnBounds(from, bounds);
    for (const [i, index] of side.index.entries()) {
      const { value: more, lost: missing } = side.cells[i] as Lossy;
      (cells[target(index)] as Lossy).add(more).add(missing);
    }
  };
  put(own, customValues);
  put(lossySide(other.positive), other.customValues);
  const layout = { schema, zeroThreshold, customValues: bounds };
  const positive = splitSide({ index: [...cells.keys()], cells });
  return { layout, ...rest, positive, reconciled: true };
}

function addOnSameBounds(
  own: BucketSide,
  lost: BucketSide | undefined,
  more: BucketSide,
): SplitSide {
  if (equalIntegers(own.index, more.index)) return addAtSameIndexes(own, lost, more.count);
  return splitSide(addLossy(lossySide(own, lost), lossySide(more)));
}

function addExponential({ value, lost }: CompensatedSum, other: FloatHistogram): Parts {
  const schema = Math.min(value.schema, other.schema);
  const [, otherZero] = commonZero(value, other);
  const { threshold } = otherZero;
  const zero = new Lossy(value.zeroCount, lost?.zeroCount ?? 0);
  const widened = threshold !== value.zeroThreshold;
  const sideOf = (name: 'positive' | 'negative'): SplitSide => {
    const more = other[name];
    // perf: nearly all series of a metric have the same layout.
    const isAlike = !widened && value.schema === other.schema && isBeyond(more, schema, threshold);
    if (isAlike && equalIntegers(value[name].index, more.index))
      return addAtSameIndexes(value[name], lost?.[name], more.count);
    return splitSide(slowSideOf(name));
  };
  const slowSideOf = (name: 'positive' | 'negative'): LossySide => {
    let own = lossySide(value[name], lost?.[name]);
    if (widened) own = takeIntoZero(own, value.schema, { zero, threshold });
    const more = regroupLossy(lossySide(other[name]), coarserIndex(other.schema, schema));
    // compat: as in a plain sum, coarser buckets tell what the zero bucket takes from the other histogram.
    return addLossy(
      regroupLossy(own, coarserIndex(value.schema, schema)),
      takeIntoZero(more, schema, { zero: new Lossy(0, 0), threshold }),
    );
  };
  const positive = sideOf('positive');
  const negative = sideOf('negative');
  zero.add(otherZero.count);
  const layout = { schema, zeroThreshold: threshold, customValues: value.customValues };
  return { layout, zero, positive, negative, reconciled: false };
}

/** Whether no bucket ends within a zero bucket. */
function isBeyond({ index }: BucketSide, schema: number, threshold: number): boolean {
  return index.length === 0 || exponentialBound(schema, index[0] as number) > threshold;
}

/** Adds the buckets that a wider zero bucket reaches to it; answers the others. */
function takeIntoZero(
  { index, cells }: LossySide,
  schema: number,
  { zero, threshold }: { readonly zero: Lossy; readonly threshold: number },
): LossySide {
  let from = 0;
  while (from < index.length && exponentialBound(schema, index[from] as number) <= threshold) {
    const { value, lost } = cells[from++] as Lossy;
    zero.add(value).add(lost);
  }
  return { index: index.slice(from), cells: cells.slice(from) };
}

/** The sum with what was lost put back. */
export function finishSum({ value, lost }: CompensatedSum): FloatHistogram {
  if (lost === undefined) return value;
  const restored = (side: BucketSide, missing: BucketSide): BucketSide => ({
    index: side.index,
    count: side.count.map((count, i) => count + (missing.count[i] as number)),
  });
  return {
    ...value,
    count: value.count + lost.count,
    sum: value.sum + lost.sum,
    zeroCount: isCustom(value) ? value.zeroCount : value.zeroCount + lost.zeroCount,
    positive: restored(value.positive, lost.positive),
    negative: restored(value.negative, lost.negative),
  };
}

/** Whether any count or the sum is infinite. */
export function hasOverflow(histogram: FloatHistogram): boolean {
  const { count, sum, zeroCount, positive, negative } = histogram;
  const isInfinite = (value: number): boolean => Math.abs(value) === Infinity;
  return (
    [count, sum, zeroCount].some(isInfinite) ||
    positive.count.some(isInfinite) ||
    negative.count.some(isInfinite)
  );
}
