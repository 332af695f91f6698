/**
 * The values that expressions have, in columns.
 *
 * A vector over a grid of steps is one row a series: `values[i * steps + s]` is the i-th series at step s, where
 * `present` has {@link FLOAT} at the same place. Where it has {@link HISTOGRAM}, the value is the number of a native histogram
 * in `histograms`; where it has 0, values mean nothing. So code that knows floats only passes over histograms. Rows are in the
 * order in which the expression makes them, which is label order for selectors.
 */
import { must } from '../../lib/assert.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { cellsOf } from './cells.ts';
import type { MatrixHistograms } from '../../model/float-histogram/matrix-histograms.ts';

/** In {@link StepVectors.present}: what a cell holds. */
export const FLOAT = 1;
export const HISTOGRAM = 2;

/** An instant vector at every step. Whoever evaluates an expression owns its result and may write to it. */
export interface StepVectors {
  readonly kind: 'vectors';
  readonly steps: number;
  readonly labels: Labels[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Native histograms by number; several cells may share one. Empty for most vectors. */
  readonly histograms: FloatHistogram[];
  /** 1 where the metric's name is to be dropped at the end: only with delayed name removal. */
  readonly dropName: Uint8Array;
}

/** A scalar at every step. */
export interface StepScalars {
  readonly kind: 'scalars';
  readonly values: Float64Array;
}

/** A string. */
export interface StringValue {
  readonly kind: 'string';
  readonly value: string;
}

/** A range vector: series i has samples offsets[i] … offsets[i+1]-1 of `t` (ms) and `v`, and histograms likewise. */
export interface RawSeries {
  readonly kind: 'raw';
  readonly labels: Labels[];
  readonly offsets: Uint32Array;
  readonly t: Float64Array;
  readonly v: Float64Array;
  readonly histograms: MatrixHistograms;
}

/** What evaluating a node gives. */
export type Value = StepVectors | StepScalars | StringValue | RawSeries;

/** A vector of so many series without any value. */
export function newVectors(labels: Labels[], steps: number): StepVectors {
  const size = cellsOf(labels.length, steps);
  return vectorsOf(labels, steps, {
    values: new Float64Array(size),
    present: new Uint8Array(size),
  });
}

/** Vectors of numbers whose cells are there already. */
export function vectorsOf(
  labels: Labels[],
  steps: number,
  { values, present }: Pick<StepVectors, 'values' | 'present'>,
): StepVectors {
  const dropName = new Uint8Array(labels.length);
  return { kind: 'vectors', steps, labels, values, present, histograms: [], dropName };
}

/** The histogram of a cell that holds one. */
export function histogramOf({ histograms, values }: StepVectors, cell: number): FloatHistogram {
  return must(histograms[values[cell] as number], 'the cell has a histogram');
}

/** Collects rows whose number is not known before. */
export class VectorBuilder {
  readonly #steps: number;
  readonly #labels: Labels[] = [];
  readonly #drop: number[] = [];
  #values: Float64Array;
  #present: Uint8Array;
  readonly #histograms: FloatHistogram[] = [];

  constructor(steps: number, rows = 16) {
    this.#steps = steps;
    const size = cellsOf(rows, steps);
    this.#values = new Float64Array(size);
    this.#present = new Uint8Array(size);
  }

  /** Adds an empty row and returns its index. */
  add(labels: Labels, dropName: number): number {
    const row = this.#labels.length;
    this.#labels.push(labels);
    this.#drop.push(dropName);
    const size = cellsOf(row + 1, this.#steps);
    if (size > this.#values.length) {
      const values = new Float64Array(size * 2);
      const present = new Uint8Array(size * 2);
      values.set(this.#values);
      present.set(this.#present);
      this.#values = values;
      this.#present = present;
    }
    return row;
  }

  /** The labels of a row. */
  labels(row: number): Labels {
    return must(this.#labels[row], 'the row was added');
  }

  /** Whether the row has a value at the step. */
  has(row: number, step: number): boolean {
    return this.#present[row * this.#steps + step] !== 0;
  }

  /** The cells of a row, to be written to until the next row is added. */
  cells(row: number): { readonly values: Float64Array; readonly present: Uint8Array } {
    const [from, to] = [row * this.#steps, (row + 1) * this.#steps];
    return { values: this.#values.subarray(from, to), present: this.#present.subarray(from, to) };
  }

  /** Sets the row's value at the step. */
  set(row: number, step: number, value: number): void {
    const i = row * this.#steps + step;
    this.#values[i] = value;
    this.#present[i] = 1;
  }

  /** Sets the row's value at the step to a native histogram. */
  setHistogram(row: number, step: number, histogram: FloatHistogram): void {
    const i = row * this.#steps + step;
    this.#values[i] = this.#histograms.push(histogram) - 1;
    this.#present[i] = HISTOGRAM;
  }

  /** Sets the row's value at the step to that of a cell of other vectors, which has one. */
  copy(row: number, step: number, from: StepVectors, cell: number): void {
    if (from.present[cell] === HISTOGRAM) this.setHistogram(row, step, histogramOf(from, cell));
    else this.set(row, step, from.values[cell] as number);
  }

  /** Marks a row's name for removal. */
  dropName(row: number): void {
    this.#drop[row] = 1;
  }

  /** The vectors; the builder is used up. */
  finish(): StepVectors {
    const size = this.#labels.length * this.#steps;
    return {
      kind: 'vectors',
      steps: this.#steps,
      labels: this.#labels,
      values: this.#values.subarray(0, size),
      present: this.#present.subarray(0, size),
      histograms: this.#histograms,
      dropName: Uint8Array.from(this.#drop),
    };
  }
}

/** Whether a row has a value at any step. */
export function hasAny({ present, steps }: StepVectors, row: number): boolean {
  for (let i = row * steps; i < (row + 1) * steps; i++) if (present[i] !== 0) return true;
  return false;
}

/**
 * How many values there are: bytes that are not 0, of 0, 1 and 2. perf: four at a time; nearly all of them are 1, and a search
 * for a 0 looks at each.
 */
export function countPresent(present: Uint8Array): number {
  const { buffer, byteOffset, length } = present;
  // Words begin at multiples of four, rows anywhere.
  const first = Math.min(-byteOffset & 3, length);
  const count = (length - first) >> 2;
  const words = new Int32Array(buffer, count === 0 ? 0 : byteOffset + first, count);
  return (
    countInWords(words) +
    countInBytes(present, 0, first) +
    countInBytes(present, first + count * 4, length)
  );
}

function countInWords(words: Int32Array): number {
  let count = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    count += Math.imul((word | (word >>> 1)) & 0x01010101, 0x01010101) >>> 24;
  }
  return count;
}

function countInBytes(present: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if (present[i] !== 0) count++;
  return count;
}

const FLOATS = new Uint8Array(65536).fill(FLOAT);

/**
 * Whether all cells, of a row or of vectors, hold numbers. perf: done by the library: a loop that is long and hardly ever called
 * is interpreted.
 */
export function isFull(present: Uint8Array): boolean {
  for (let at = 0; at < present.length; at += FLOATS.length) {
    const piece = present.subarray(at, at + FLOATS.length);
    const floats = piece.length === FLOATS.length ? FLOATS : FLOATS.subarray(0, piece.length);
    if (Buffer.compare(piece, floats) !== 0) return false;
  }
  return true;
}

/** The vectors without the rows that have no value at any step. */
export function withoutEmptyRows(vectors: StepVectors): StepVectors {
  const { labels, values, present, dropName, steps } = vectors;
  if (isFull(present) && steps > 0) return vectors;
  const kept = labels.map((_, row) => row).filter((row) => hasAny(vectors, row));
  if (kept.length === labels.length) return vectors;
  const result = newVectors(
    kept.map((row) => labels[row] as Labels),
    steps,
  );
  for (const [to, row] of kept.entries()) {
    result.values.set(values.subarray(row * steps, (row + 1) * steps), to * steps);
    result.present.set(present.subarray(row * steps, (row + 1) * steps), to * steps);
    result.dropName[to] = dropName[row] as number;
  }
  return { ...result, histograms: vectors.histograms };
}

/** Rows that have a value at the single step, in the order given. */
export function reorderRows(vectors: StepVectors, order: readonly number[]): StepVectors {
  const { labels, values, present, histograms, dropName } = vectors;
  const result = {
    ...newVectors(
      order.map((row) => labels[row] as Labels),
      1,
    ),
    histograms,
  };
  for (const [i, row] of order.entries()) {
    result.present[i] = present[row] as number;
    result.values[i] = values[row] as number;
    result.dropName[i] = dropName[row] as number;
  }
  return result;
}

/** Adds an offset to the numbers of a row's histograms. */
export function renumber({ values, present, steps }: StepVectors, row: number, by: number): void {
  for (let i = row * steps; i < (row + 1) * steps; i++)
    if (present[i] === HISTOGRAM) values[i] = (values[i] as number) + by;
}

/** Takes the native histograms out: what is left are the floats. */
export function dropHistograms(vectors: StepVectors): StepVectors {
  if (vectors.histograms.length === 0) return vectors;
  const { present } = vectors;
  for (let i = 0; i < present.length; i++) if (present[i] === HISTOGRAM) present[i] = 0;
  return { ...vectors, histograms: [] };
}

/** What a native histogram counts for in limits and statistics: its bytes over those of a float sample (prometheus promql/value.go). */
export function histogramSamples({ positive, negative, customValues }: FloatHistogram): number {
  const spans = spansOf(positive.index) + spansOf(negative.index);
  const buckets = positive.index.length + negative.index.length;
  return Math.floor((8 + 168 + 8 * (spans + buckets + customValues.length)) / 16);
}

function spansOf(index: Int32Array): number {
  let spans = 0;
  for (let i = 0; i < index.length; i++)
    if (i === 0 || index[i] !== (index[i - 1] as number) + 1) spans++;
  return spans;
}
