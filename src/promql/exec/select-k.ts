/**
 * topk, bottomk and limitk: some of the series of each group, with their labels, chosen anew at each step.
 *
 * The choice among equal values is that of Prometheus: a heap of k series in which a later one replaces the worst only
 * when it is better, as Go's container/heap arranges it.
 */
import { CodedError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { printGeneral } from '../parse/go-float.ts';
import { FLOAT, newVectors, reorderRows, type StepVectors } from './step-vectors.ts';

interface RowGroups {
  readonly labels: readonly Labels[];
  readonly rows: readonly (readonly number[])[];
}

/** limit: what fits Go's int64. */
const MAX_K = 9223372036854774784;
const MIN_K = -9223372036854775808;

/** Keeps up to k series of each group at each step. One step: the result is ordered, best first. */
export function selectK(
  op: 'topk' | 'bottomk' | 'limitk',
  input: StepVectors,
  groups: RowGroups,
  k: Float64Array,
): StepVectors {
  const { steps, labels, values, present } = input;
  checkK(k);
  const result = { ...newVectors(labels, steps), histograms: input.histograms };
  result.dropName.set(input.dropName);
  const order: number[] = [];
  for (let s = 0; s < steps; s++) {
    const size = Math.min(Math.trunc(k[s] as number), labels.length);
    if (size < 1) continue;
    for (const rows of groups.rows) {
      const candidates = rows.filter((row) => {
        const has = present[row * steps + s];
        return op === 'limitk' ? has !== 0 : has === FLOAT;
      });
      const valueOf = (row: number) => values[row * steps + s] as number;
      const chosen =
        op === 'limitk'
          ? candidates.slice(0, size)
          : best(candidates, size, valueOf, op === 'topk');
      for (const row of chosen) {
        result.values[row * steps + s] = valueOf(row);
        result.present[row * steps + s] = present[row * steps + s] as number;
      }
      if (steps === 1) order.push(...chosen);
    }
  }
  return steps === 1 ? reorderRows(result, order) : result;
}

function checkK(k: Float64Array): void {
  let max = -Infinity;
  let min = Infinity;
  for (const value of k) {
    if (value > max) max = value;
    if (value < min) min = value;
  }
  if (k.some(Number.isNaN)) throw new CodedError('execution', 'Parameter value is NaN');
  if (max < 1) return;
  if (min <= MIN_K) {
    throw new CodedError('execution', `Scalar value ${printGeneral(min)} underflows int64`);
  }
  if (max >= MAX_K) {
    throw new CodedError('execution', `Scalar value ${printGeneral(max)} overflows int64`);
  }
}

/** The k rows of the greatest (or least) values, best first. */
function best(
  rows: readonly number[],
  k: number,
  valueOf: (row: number) => number,
  greatest: boolean,
): number[] {
  const heap: number[] = [];
  // NaN is worse than everything.
  const worse = (a: number, b: number) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    return Number.isNaN(x) || (greatest ? x < y : x > y);
  };
  for (const row of rows) {
    if (heap.length < k) {
      heap.push(row);
      siftUp(heap, heap.length - 1, worse);
      continue;
    }
    const [x, y] = [valueOf(heap[0] as number), valueOf(row)];
    if ((greatest ? x < y : x > y) || (Number.isNaN(x) && !Number.isNaN(y))) {
      heap[0] = row;
      siftDown(heap, 0, worse);
    }
  }
  return sortBestFirst(heap, worse);
}

type Worse = (a: number, b: number) => boolean;

function swap(heap: number[], i: number, j: number): void {
  const row = heap[i] as number;
  heap[i] = heap[j] as number;
  heap[j] = row;
}

function siftUp(heap: number[], start: number, worse: Worse): void {
  let j = start;
  while (j > 0) {
    const i = (j - 1) >> 1;
    if (!worse(heap[j] as number, heap[i] as number)) return;
    swap(heap, i, j);
    j = i;
  }
}

function siftDown(heap: number[], start: number, worse: Worse): void {
  let i = start;
  for (;;) {
    let j = 2 * i + 1;
    if (j >= heap.length) return;
    if (j + 1 < heap.length && worse(heap[j + 1] as number, heap[j] as number)) j++;
    if (!worse(heap[j] as number, heap[i] as number)) return;
    swap(heap, i, j);
    i = j;
  }
}

/** Insertion sort, as Go sorts up to twelve elements: it decides the order of equal values. */
function sortBestFirst(rows: number[], worse: Worse): number[] {
  if (rows.length > 12) return rows.sort((a, b) => Number(worse(a, b)) - Number(worse(b, a)));
  for (let i = 1; i < rows.length; i++) {
    for (let j = i; j > 0 && worse(rows[j - 1] as number, rows[j] as number); j--)
      swap(rows, j, j - 1);
  }
  return rows;
}
