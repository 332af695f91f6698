/** Buckets whose counts are added up with compensation: each has what it holds and what rounding took from it. */
import { sumError } from '../../lib/kahan.ts';
import type { BucketSide } from './float-histogram.ts';

/** A number and what was lost in adding it up. */
export class Lossy {
  value: number;
  lost: number;

  constructor(value: number, lost: number) {
    this.value = value;
    this.lost = lost;
  }

  /** Adds a number. */
  add(more: number): this {
    const total = this.value + more;
    if (Math.abs(total) === Infinity) this.lost = 0;
    else this.lost += sumError(this.value, more, total);
    this.value = total;
    return this;
  }
}

/** Buckets by ascending index. */
export interface LossySide {
  readonly index: readonly number[];
  readonly cells: readonly Lossy[];
}

/** A side with what its buckets lost; nothing when `lost` is absent. */
export function lossySide({ index, count }: BucketSide, lost?: BucketSide): LossySide {
  return {
    index: Array.from(index),
    cells: Array.from(count, (value, i) => new Lossy(value, lost?.count[i] ?? 0)),
  };
}

/** Counts and what they lost, as two sides with the same indexes. */
export interface SplitSide {
  readonly value: BucketSide;
  readonly lost: BucketSide;
}

/** Its counts and what they lost, as two sides. */
export function splitSide({ index, cells }: LossySide): SplitSide {
  const indexes = Int32Array.from(index);
  return {
    value: { index: indexes, count: Float64Array.from(cells, ({ value }) => value) },
    lost: { index: indexes, count: Float64Array.from(cells, ({ lost }) => lost) },
  };
}

/** Adds counts at the same indexes to those of a side. perf: what {@link addLossy} gives, without an object a bucket. */
export function addAtSameIndexes(
  { index, count }: BucketSide,
  lost: BucketSide | undefined,
  more: Float64Array,
): SplitSide {
  const totals = new Float64Array(count.length);
  const losses = new Float64Array(count.length);
  for (let i = 0; i < count.length; i++) {
    const before = count[i] as number;
    const added = more[i] as number;
    const total = before + added;
    totals[i] = total;
    if (Math.abs(total) === Infinity) continue;
    const missing = lost === undefined ? 0 : (lost.count[i] as number);
    losses[i] = missing + sumError(before, added, total);
  }
  return { value: { index, count: totals }, lost: { index, count: losses } };
}

/** Buckets with other indexes, which ascend as the old ones do; those that come to the same index are added up. */
export function regroupLossy(
  { index, cells }: LossySide,
  target: (index: number) => number,
): LossySide {
  const out: { index: number[]; cells: Lossy[] } = { index: [], cells: [] };
  for (const [i, at] of index.entries()) {
    const { value, lost } = cells[i] as Lossy;
    const to = target(at);
    if (out.index.at(-1) === to) (out.cells.at(-1) as Lossy).add(value).add(lost);
    else {
      out.index.push(to);
      out.cells.push(new Lossy(value, lost));
    }
  }
  return out;
}

/** Adds the buckets of one side to those of another one, bucket by bucket. */
export function addLossy(a: LossySide, b: LossySide): LossySide {
  const out: { index: number[]; cells: Lossy[] } = { index: [], cells: [] };
  for (let i = 0, j = 0; i < a.index.length || j < b.index.length;) {
    const x = a.index[i] ?? Infinity;
    const y = b.index[j] ?? Infinity;
    const one = x <= y ? (a.cells[i++] as Lossy) : undefined;
    const two = y <= x ? (b.cells[j++] as Lossy) : undefined;
    out.index.push(Math.min(x, y));
    if (one === undefined) out.cells.push(two as Lossy);
    else {
      if (two !== undefined) one.add(two.value);
      if (two !== undefined && two.lost !== 0) one.add(two.lost);
      out.cells.push(one);
    }
  }
  return out;
}
