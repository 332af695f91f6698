/**
 * Writes the samples of a histogram chunk behind its layout (docs/format/histogram-chunks.md): the counterparts of
 * histogram-samples.ts.
 */
import type { HistogramColumns, HistogramLayout } from '../model/histogram.ts';
import type { BitWriter } from './bit-writer.ts';
import { Halves } from './halves.ts';
import { BUCKETS, COUNT, SUM, ZERO_COUNT } from './histogram-samples.ts';
import { writeVarbitInt, writeVarbitUint } from './varbit.ts';
import { XorValues } from './xor-values.ts';

/** A sample that is to be written: row i of columns, and its buckets, as the chunk's layout has them, from `at` on. */
export interface SampleSource {
  columns: HistogramColumns;
  i: number;
  buckets: Float64Array;
  at: number;
  /** A stale marker: written without counts and buckets. */
  isStale: boolean;
}

/** Appends samples, but for their times, in turn. */
export interface SampleWriter {
  /** The last sample that was no stale marker: count, zero count, something else, buckets; absolute. */
  readonly last: Float64Array;
  write(out: BitWriter, isFirst: boolean, sample: SampleSource): void;
}

/** perf: one of each for all chunks, because the samples of a request are in the same columns. */
const HALVES = {
  sum: new Halves(),
  count: new Halves(),
  zeroCount: new Halves(),
  buckets: new Halves(),
} as const;

/** Samples with integer counts up to 2^53; limit: see IntegerSampleReader. */
export class IntegerSampleWriter implements SampleWriter {
  readonly last: Float64Array;
  /** What the last sample had grown by. */
  readonly #grown: Float64Array;
  readonly #negative: number;
  readonly #sum = new XorValues(1, 'write');

  constructor(layout: HistogramLayout) {
    const width = BUCKETS + layout.positiveCount + layout.negativeCount;
    this.last = new Float64Array(width);
    this.#grown = new Float64Array(width);
    this.#negative = BUCKETS + layout.positiveCount;
  }

  write(out: BitWriter, isFirst: boolean, sample: SampleSource): void {
    const { columns, i, isStale } = sample;
    const { last } = this;
    const sum = HALVES.sum.of(columns.sum);
    const hi = sum[2 * i + 1] as number;
    const lo = sum[2 * i] as number;
    const count = isStale ? 0 : (columns.count[i] as number);
    const zeroCount = isStale ? 0 : (columns.zeroCount[i] as number);
    if (isFirst) {
      writeVarbitUint(out, count);
      writeVarbitUint(out, zeroCount);
      last[COUNT] = count;
      last[ZERO_COUNT] = zeroCount;
      this.#sum.writeWhole(out, 0, hi, lo);
      if (!isStale) this.#writeFirst(out, sample);
      return;
    }
    // Stale markers go without a change of counts; only stale markers follow.
    writeVarbitInt(out, isStale ? 0 : this.#change(COUNT, count));
    writeVarbitInt(out, isStale ? 0 : this.#change(ZERO_COUNT, zeroCount));
    this.#sum.write(out, 0, hi, lo);
    if (!isStale) this.#writeNext(out, sample);
  }

  /** Takes the next absolute count of one kind; answers how its growth changed. */
  #change(k: number, absolute: number): number {
    const grown = absolute - (this.last[k] as number);
    const change = grown - (this.#grown[k] as number);
    this.last[k] = absolute;
    this.#grown[k] = grown;
    return change;
  }

  #writeFirst(out: BitWriter, { buckets, at }: SampleSource): void {
    const { last } = this;
    let before = 0;
    for (let k = BUCKETS, from = at; k < last.length; k++) {
      if (k === this.#negative) before = 0;
      const absolute = buckets[from++] as number;
      writeVarbitInt(out, absolute - before);
      last[k] = absolute;
      before = absolute;
    }
  }

  #writeNext(out: BitWriter, { buckets, at }: SampleSource): void {
    const { length } = this.last;
    let before = 0;
    for (let k = BUCKETS, from = at; k < length; k++) {
      if (k === this.#negative) before = 0;
      const change = this.#change(k, buckets[from++] as number);
      writeVarbitInt(out, change - before);
      before = change;
    }
  }
}

/** Samples with float counts, bit by bit. */
export class FloatSampleWriter implements SampleWriter {
  readonly last: Float64Array;
  readonly #values: XorValues;

  constructor(layout: HistogramLayout) {
    const width = BUCKETS + layout.positiveCount + layout.negativeCount;
    this.#values = new XorValues(width, 'write');
    this.last = this.#values.doubles;
  }

  write(out: BitWriter, isFirst: boolean, sample: SampleSource): void {
    const { columns, i, buckets, at, isStale } = sample;
    const row = isStale ? 0 : i;
    this.#put(out, isFirst, COUNT, isStale ? ZERO : HALVES.count.of(columns.count), row);
    this.#put(
      out,
      isFirst,
      ZERO_COUNT,
      isStale ? ZERO : HALVES.zeroCount.of(columns.zeroCount),
      row,
    );
    this.#put(out, isFirst, SUM, HALVES.sum.of(columns.sum), i);
    if (isStale) return;
    const words = HALVES.buckets.of(buckets);
    const { length } = this.last;
    for (let k = BUCKETS, n = at; k < length; k++) this.#put(out, isFirst, k, words, n++);
  }

  /** Appends double n of words as value k. */
  #put(out: BitWriter, isFirst: boolean, k: number, words: Uint32Array, n: number): void {
    const hi = words[2 * n + 1] as number;
    const lo = words[2 * n] as number;
    if (isFirst) this.#values.writeWhole(out, k, hi, lo);
    else this.#values.write(out, k, hi, lo);
  }
}

/** The halves of 0. */
const ZERO = new Uint32Array(2);
