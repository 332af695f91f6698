/**
 * Reads the samples of a histogram chunk, one by one, into columns (docs/format/histogram-chunks.md). Two classes, because
 * integer counts are differences of differences and float counts are XORs.
 */
import { RESET_HINT } from '../model/histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import type { HistogramColumns, HistogramLayout } from '../model/histogram.ts';
import type { BitReader } from './bit-reader.ts';
import { Halves } from './halves.ts';
import { EMPTY_LAYOUT } from './histogram-chunk-layout.ts';
import { readVarbitInt, readVarbitUint } from './varbit.ts';
import { XorValues } from './xor-values.ts';

/** Of {@link XorValues}: where counts and sums are in front of the buckets. */
export const COUNT = 0;
export const ZERO_COUNT = 1;
export const SUM = 2;
/** Where the buckets begin. */
export const BUCKETS = 3;

const TWO_64 = 2 ** 64;

/** Reads samples in turn. */
export interface SampleReader {
  /**
   * Reads the next sample but for its time, which is the caller's to set, adds a row to the columns and answers its
   * number. A stale marker has neither buckets nor counts nor a hint, as Prometheus reads it. @throws CorruptionError.
   */
  read(reader: BitReader, isFirst: boolean, hint: number, into: HistogramColumns): number;
}

/**
 * Samples with integer counts. limit: a count is exact while all differences of differences are below 2^53, which they
 * are for counts up to 2^51; larger ones may lose their lowest bits.
 */
export class IntegerSampleReader implements SampleReader {
  readonly #layout: HistogramLayout;
  readonly #sum = new XorValues(1, 'read');
  readonly #sumHalves = new Halves();
  /** The sample before: count, zero count, nothing, buckets; absolute. */
  readonly #last: Float64Array;
  /** What they had grown by. */
  readonly #grown: Float64Array;

  constructor(layout: HistogramLayout) {
    this.#layout = layout;
    const width = BUCKETS + layout.positiveCount + layout.negativeCount;
    this.#last = new Float64Array(width);
    this.#grown = new Float64Array(width);
  }

  read(reader: BitReader, isFirst: boolean, hint: number, into: HistogramColumns): number {
    if (isFirst) {
      this.#last[COUNT] = readVarbitUint(reader);
      this.#last[ZERO_COUNT] = readVarbitUint(reader);
      this.#sum.readWhole(reader, 0);
    } else {
      this.#add(COUNT, readVarbitInt(reader));
      this.#add(ZERO_COUNT, readVarbitInt(reader));
      this.#sum.read(reader, 0);
    }
    const isStale = isStaleAt(this.#sum, 0);
    const row = into.add(isStale ? EMPTY_LAYOUT : this.#layout);
    copyHalves(this.#sum, 0, this.#sumHalves.of(into.sum), row);
    into.isFloat[row] = 0;
    into.hint[row] = isStale ? RESET_HINT.unknown : hint;
    into.count[row] = isStale ? 0 : asUint64(this.#last[COUNT] as number);
    into.zeroCount[row] = isStale ? 0 : asUint64(this.#last[ZERO_COUNT] as number);
    if (isFirst) this.#readFirst(reader);
    else if (!isStale) this.#readNext(reader);
    if (!isStale) copyBuckets(this.#last, into.buckets, into.start[row] as number);
    return row;
  }

  #add(k: number, change: number): void {
    const grown = (this.#grown[k] as number) + change;
    this.#grown[k] = grown;
    this.#last[k] = (this.#last[k] as number) + grown;
  }

  #readFirst(reader: BitReader): void {
    const last = this.#last;
    const negative = BUCKETS + this.#layout.positiveCount;
    let absolute = 0;
    for (let k = BUCKETS; k < last.length; k++) {
      if (k === negative) absolute = 0;
      absolute += readVarbitInt(reader);
      last[k] = absolute;
    }
  }

  /**
   * What is stored is the change of the growth of the difference to the bucket before: summed up over the buckets it is
   * the change of the growth of an absolute count.
   */
  #readNext(reader: BitReader): void {
    const last = this.#last;
    const growth = this.#grown;
    const negative = BUCKETS + this.#layout.positiveCount;
    let change = 0;
    for (let k = BUCKETS; k < last.length; k++) {
      if (k === negative) change = 0;
      change += readVarbitInt(reader);
      const grown = (growth[k] as number) + change;
      growth[k] = grown;
      last[k] = (last[k] as number) + grown;
    }
  }
}

/** Samples with float counts, bit by bit. */
export class FloatSampleReader implements SampleReader {
  readonly #layout: HistogramLayout;
  readonly #values: XorValues;
  readonly #width: number;
  readonly #count = new Halves();
  readonly #zeroCount = new Halves();
  readonly #sum = new Halves();
  readonly #buckets = new Halves();

  constructor(layout: HistogramLayout) {
    this.#layout = layout;
    this.#width = BUCKETS + layout.positiveCount + layout.negativeCount;
    this.#values = new XorValues(this.#width, 'read');
  }

  read(reader: BitReader, isFirst: boolean, hint: number, into: HistogramColumns): number {
    const values = this.#values;
    const width = this.#width;
    for (let k = 0; k < BUCKETS; k++) {
      if (isFirst) values.readWhole(reader, k);
      else values.read(reader, k);
    }
    const isStale = isStaleAt(values, SUM);
    if (isFirst) for (let k = BUCKETS; k < width; k++) values.readWhole(reader, k);
    else if (!isStale) for (let k = BUCKETS; k < width; k++) values.read(reader, k);
    const row = into.add(isStale ? EMPTY_LAYOUT : this.#layout);
    into.isFloat[row] = 1;
    into.hint[row] = isStale ? RESET_HINT.unknown : hint;
    copyHalves(values, SUM, this.#sum.of(into.sum), row);
    if (isStale) {
      into.count[row] = 0;
      into.zeroCount[row] = 0;
      return row;
    }
    copyHalves(values, COUNT, this.#count.of(into.count), row);
    copyHalves(values, ZERO_COUNT, this.#zeroCount.of(into.zeroCount), row);
    const words = this.#buckets.of(into.buckets);
    const start = (into.start[row] as number) - BUCKETS;
    for (let k = BUCKETS; k < width; k++) copyHalves(values, k, words, start + k);
    return row;
  }
}

/** Whether a value is the stale marker. */
export function isStaleAt(values: XorValues, k: number): boolean {
  return values.equals(k, STALE_NAN_HI, STALE_NAN_LO);
}

function copyHalves(from: XorValues, k: number, to: Uint32Array, i: number): void {
  to[2 * i] = from.halves[2 * k] as number;
  to[2 * i + 1] = from.halves[2 * k + 1] as number;
}

function copyBuckets(from: Float64Array, to: Float64Array, start: number): void {
  for (let k = BUCKETS, at = start; k < from.length; k++) to[at++] = from[k] as number;
}

/** compat: Go's counts are unsigned and wrap around. */
function asUint64(count: number): number {
  return count < 0 ? count + TWO_64 : count;
}
