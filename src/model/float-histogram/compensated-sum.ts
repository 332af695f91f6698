/**
 * Compensated sums of native histograms: beside the running sum runs a second histogram of the same buckets, which holds what
 * rounding took from each count (prometheus float_histogram.go, KahanAdd).
 */
import { sumError } from '../../lib/kahan.ts';
import { align, commonHint } from './add-histograms.ts';
import { beyondZero, coarser, onBounds } from './bucket-layout.ts';
import { exponentialBound } from './bucket-bounds.ts';
import { isCustom, sameNumbers } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';

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
  const { value } = sum;
  if (isCustom(value) !== isCustom(other)) return undefined;
  const { left, right, reconciled } = align(value, other);
  const lost = followLayout(sum.lost ?? emptied(value), value, left);
  const count = new Lossy(value.count, lost.count).add(other.count);
  const total = new Lossy(value.sum, lost.sum).add(other.sum);
  const zero = new Lossy(left.zeroCount, lost.zeroCount);
  // Custom buckets have no zero bucket: nothing is added, or -0 would become 0.
  if (!isCustom(value)) zero.add(right.zeroCount);
  const positive = addSides(left.positive, lost.positive, right.positive);
  const negative = addSides(left.negative, lost.negative, right.negative);
  const part = (name: 'value' | 'lost'): FloatHistogram => ({
    ...left,
    hint: commonHint(value.hint, other.hint).hint,
    count: count[name],
    sum: total[name],
    zeroCount: zero[name],
    positive: positive[name],
    negative: negative[name],
  });
  return { sum: { value: part('value'), lost: part('lost') }, reconciled };
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

/** A number and what was lost in adding it up. */
class Lossy {
  value: number;
  lost: number;

  constructor(value: number, lost: number) {
    this.value = value;
    this.lost = lost;
  }

  add(more: number): this {
    const total = this.value + more;
    if (Math.abs(total) === Infinity) this.lost = 0;
    else this.lost += sumError(this.value, more, total);
    this.value = total;
    return this;
  }
}

function emptied(histogram: FloatHistogram): FloatHistogram {
  const empty = ({ index }: BucketSide): BucketSide => ({
    index,
    count: new Float64Array(index.length),
  });
  return {
    ...histogram,
    count: 0,
    sum: 0,
    zeroCount: 0,
    positive: empty(histogram.positive),
    negative: empty(histogram.negative),
  };
}

/** What was lost, in the layout that the value came to. */
function followLayout(
  lost: FloatHistogram,
  before: FloatHistogram,
  after: FloatHistogram,
): FloatHistogram {
  if (isCustom(before)) {
    if (sameNumbers(before.customValues, after.customValues)) return lost;
    return { ...lost, positive: onBounds(lost.positive, before.customValues, after.customValues) };
  }
  const { zeroThreshold } = after;
  const widened = zeroThreshold !== before.zeroThreshold;
  if (!widened && before.schema === after.schema) return lost;
  let { zeroCount } = lost;
  const follow = (side: BucketSide): BucketSide => {
    if (!widened) return coarser(side, before.schema, after.schema);
    for (let i = 0; i < side.index.length; i++) {
      if (exponentialBound(before.schema, side.index[i] as number) <= zeroThreshold)
        zeroCount += side.count[i] as number;
    }
    const rest = beyondZero(side, before.schema, zeroThreshold);
    return coarser(rest, before.schema, after.schema);
  };
  const positive = follow(lost.positive);
  const negative = follow(lost.negative);
  return { ...lost, zeroCount, positive, negative };
}

/** Adds a side to another one and to what that has lost, whose buckets are at the same indexes. */
function addSides(
  a: BucketSide,
  lostOfA: BucketSide,
  b: BucketSide,
): { value: BucketSide; lost: BucketSide } {
  const index = new Int32Array(a.index.length + b.index.length);
  const value = new Float64Array(index.length);
  const lost = new Float64Array(index.length);
  let n = 0;
  for (let i = 0, j = 0; i < a.index.length || j < b.index.length; n++) {
    const x = i < a.index.length ? (a.index[i] as number) : Infinity;
    const y = j < b.index.length ? (b.index[j] as number) : Infinity;
    const cell = new Lossy(0, 0);
    if (x <= y) {
      cell.value = a.count[i] as number;
      cell.lost = lostOfA.count[i++] as number;
    }
    if (y <= x) cell.add(b.count[j++] as number);
    index[n] = Math.min(x, y);
    value[n] = cell.value;
    lost[n] = cell.lost;
  }
  const indexes = index.slice(0, n);
  return {
    value: { index: indexes, count: value.slice(0, n) },
    lost: { index: indexes, count: lost.slice(0, n) },
  };
}
