/**
 * The values that expressions have, in columns.
 *
 * A vector over a grid of steps is one row a series: `values[i * steps + s]` is the i-th series at step s, where
 * `present` has 1 at the same place; other values mean nothing. Rows are in the order in which the expression makes
 * them, which is label order for selectors.
 */
import type { Labels } from '../../model/labels.ts';

/** An instant vector at every step. Whoever evaluates an expression owns its result and may write to it. */
export interface StepVectors {
  readonly kind: 'vectors';
  readonly steps: number;
  readonly labels: Labels[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
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

/** A range vector: series i has samples offsets[i] … offsets[i+1]-1 of `t` (ms) and `v`. */
export interface RawSeries {
  readonly kind: 'raw';
  readonly labels: Labels[];
  readonly offsets: Uint32Array;
  readonly t: Float64Array;
  readonly v: Float64Array;
}

/** What evaluating a node gives. */
export type Value = StepVectors | StepScalars | StringValue | RawSeries;

/** A vector of so many series without any value. */
export function newVectors(labels: Labels[], steps: number): StepVectors {
  const size = labels.length * steps;
  return {
    kind: 'vectors',
    steps,
    labels,
    values: new Float64Array(size),
    present: new Uint8Array(size),
    dropName: new Uint8Array(labels.length),
  };
}

/** Collects rows whose number is not known before. */
export class VectorBuilder {
  readonly #steps: number;
  readonly #labels: Labels[] = [];
  readonly #drop: number[] = [];
  #values: Float64Array;
  #present: Uint8Array;

  constructor(steps: number, rows = 16) {
    this.#steps = steps;
    this.#values = new Float64Array(rows * steps);
    this.#present = new Uint8Array(rows * steps);
  }

  /** Adds an empty row and returns its index. */
  add(labels: Labels, dropName: number): number {
    const row = this.#labels.length;
    this.#labels.push(labels);
    this.#drop.push(dropName);
    const size = (row + 1) * this.#steps;
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

  /** Whether the row has a value at the step. */
  has(row: number, step: number): boolean {
    return this.#present[row * this.#steps + step] === 1;
  }

  /** Sets the row's value at the step. */
  set(row: number, step: number, value: number): void {
    const i = row * this.#steps + step;
    this.#values[i] = value;
    this.#present[i] = 1;
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
      dropName: Uint8Array.from(this.#drop),
    };
  }
}

/** Whether a row has a value at any step. */
export function hasAny({ present, steps }: StepVectors, row: number): boolean {
  return (
    present.indexOf(1, row * steps) >= 0 && present.indexOf(1, row * steps) < (row + 1) * steps
  );
}

/** How many values there are. */
export function countPresent(present: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < present.length; i++) count += present[i] as number;
  return count;
}

/** Rows that have a value at the single step, in the order given. */
export function reorderRows(
  { labels, values, dropName }: StepVectors,
  order: readonly number[],
): StepVectors {
  const result = newVectors(
    order.map((row) => labels[row] as Labels),
    1,
  );
  result.present.fill(1);
  for (const [i, row] of order.entries()) {
    result.values[i] = values[row] as number;
    result.dropName[i] = dropName[row] as number;
  }
  return result;
}
