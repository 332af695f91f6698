/** Range vectors as values: raw samples from storage, and rows of steps turned into samples. */
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { histogramAt } from '../../model/float-histogram/float-histogram.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { FloatColumns, type SeriesSet } from '../../storage/storage.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { CodedError } from '../../lib/errors.ts';
import { extendRange } from '../funcs/extended.ts';
import type { Grid, RawNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import {
  NO_HISTOGRAMS,
  type MatrixHistograms,
} from '../../model/float-histogram/matrix-histograms.ts';
import {
  FLOAT,
  HISTOGRAM,
  countPresent,
  histogramOf,
  histogramSamples,
  isFull,
} from './step-vectors.ts';
import type { RawSeries, StepVectors } from './step-vectors.ts';

/** limit: so many series are loaded at a time. */
const SERIES_PER_LOAD = 1024;

/** Histograms of series after series. */
class HistogramList {
  readonly #offsets: number[] = [0];
  readonly #t: number[] = [];
  readonly values: FloatHistogram[] = [];

  add(t: number, histogram: FloatHistogram): void {
    this.#t.push(t);
    this.values.push(histogram);
  }

  endSeries(): void {
    this.#offsets.push(this.values.length);
  }

  finish(): MatrixHistograms {
    if (this.values.length === 0) return NO_HISTOGRAMS;
    const { values } = this;
    return { offsets: Uint32Array.from(this.#offsets), t: Float64Array.from(this.#t), values };
  }
}

/**
 * The samples of a range selector, of the series that have any. Extended ranges also have one at each of their bounds.
 * @throws CodedError execution when an extended range holds native histograms.
 */
export async function readRaw(
  ctx: ExecContext,
  set: SeriesSet | undefined,
  { endMs, rangeMs, lookbackMs, extension }: RawNode,
): Promise<RawSeries> {
  const range = { start: endMs - rangeMs, end: endMs };
  const after = range.start - lookbackMs;
  const until = endMs + (extension === 'smoothed' ? lookbackMs : 0);
  const labels: Labels[] = [];
  const offsets = [0];
  const all = new FloatColumns();
  const columns = new FloatColumns();
  const own = new HistogramColumns();
  const histograms = new HistogramList();
  const count = set?.count ?? 0;
  for (let i = 0; i < count; i++) {
    if (set === undefined) break;
    if (i % SERIES_PER_LOAD === 0) {
      await set.load(i, Math.min(count, i + SERIES_PER_LOAD));
      await ctx.breathe();
    }
    set.readFloats(i, columns, true);
    if (extension === 'none') appendRange(all, columns, after, until);
    else appendExtended(all, columns, range, extension);
    const before = histograms.values.length;
    if (columns.mayHaveHistograms) {
      set.readHistograms(i, own, true);
      for (let k = 0; k < own.length; k++) {
        const t = own.t[k] as number;
        if (t <= after || t > until) continue;
        if (extension !== 'none') {
          const text = `${extension} modifier is not supported with histograms`;
          throw new CodedError('execution', text);
        }
        histograms.add(t, histogramAt(own, k));
      }
    }
    const more = histograms.values.slice(before);
    const size = more.reduce((sum, histogram) => sum + histogramSamples(histogram), 0);
    if (all.length === offsets.at(-1) && more.length === 0) continue;
    ctx.hold(all.length - (offsets.at(-1) ?? 0) + size);
    labels.push(set.labels(i));
    offsets.push(all.length);
    histograms.endSeries();
  }
  return {
    kind: 'raw',
    labels,
    offsets: Uint32Array.from(offsets),
    t: all.t.slice(0, all.length),
    v: all.v.slice(0, all.length),
    histograms: histograms.finish(),
  };
}

/** Appends the samples with after < t <= until. */
function appendRange(all: FloatColumns, columns: FloatColumns, after: number, until: number): void {
  let from = 0;
  let to = columns.length;
  while (from < to && (columns.t[from] as number) <= after) from++;
  while (to > from && (columns.t[to - 1] as number) > until) to--;
  if (from === to) return;
  all.reserve(all.length + to - from);
  all.t.set(columns.t.subarray(from, to), all.length);
  all.v.set(columns.v.subarray(from, to), all.length);
  all.length += to - from;
}

/** Appends the samples of an extended range, the first and the last at its bounds. */
function appendExtended(
  all: FloatColumns,
  { t, v, length }: FloatColumns,
  range: { readonly start: number; readonly end: number },
  extension: 'anchored' | 'smoothed',
): void {
  const found = extendRange({ t, v, length }, range, extension === 'smoothed');
  if (found === undefined) return;
  const { first, last, left, right } = found;
  const inside = Math.max(0, last - first + 1);
  all.reserve(all.length + inside + 2);
  const at = all.length;
  all.t[at] = range.start;
  all.v[at] = left;
  all.t.set(t.subarray(first, first + inside), at + 1);
  all.v.set(v.subarray(first, first + inside), at + 1);
  all.t[at + 1 + inside] = range.end;
  all.v[at + 1 + inside] = right;
  all.length = at + inside + 2;
}

/** Writes the values of one row as samples and returns how many there are. */
export function compactRow(
  { values, present, steps }: StepVectors,
  row: number,
  { startMs, stepMs }: Grid,
  t: Float64Array,
  v: Float64Array,
): number {
  let n = 0;
  for (let s = 0; s < steps; s++) {
    if (present[row * steps + s] !== 1) continue;
    t[n] = startMs + s * stepMs;
    v[n] = values[row * steps + s] as number;
    n++;
  }
  return n;
}

function countFloats({ labels, present, steps, histograms }: StepVectors): number {
  const cells = labels.length * steps;
  if (histograms.length === 0) return countPresent(present.subarray(0, cells));
  let count = 0;
  for (let i = 0; i < cells; i++) if (present[i] === FLOAT) count++;
  return count;
}

/** The rows in label order. */
function labelOrder(labels: readonly Labels[]): number[] {
  const order = labels.map((_, i) => i);
  return order.sort((a, b) => compareLabels(labels[a] as Labels, labels[b] as Labels));
}

/** perf: vectors of numbers at every step. Rows that are in order already are taken as they are. */
function fullToRaw(
  { labels, values, steps }: StepVectors,
  order: readonly number[],
  times: Float64Array,
): RawSeries {
  const t = new Float64Array(labels.length * steps);
  for (let row = 0; row < labels.length; row++) t.set(times, row * steps);
  let v = values;
  if (order.some((i, row) => i !== row)) {
    v = new Float64Array(t.length);
    for (const [row, i] of order.entries())
      v.set(values.subarray(i * steps, (i + 1) * steps), row * steps);
  }
  return {
    kind: 'raw',
    labels: order.map((i) => labels[i] as Labels),
    offsets: Uint32Array.from({ length: labels.length + 1 }, (_, row) => row * steps),
    t,
    v,
    histograms: NO_HISTOGRAMS,
  };
}

/** Rows of steps as raw series, in label order; series without any value are left out. */
export function vectorsToRaw(vectors: StepVectors, grid: Grid): RawSeries {
  const { labels, values, present, steps } = vectors;
  const order = labelOrder(labels);
  const times = Float64Array.from({ length: steps }, (_, s) => grid.startMs + s * grid.stepMs);
  if (steps > 0 && isFull(present)) return fullToRaw(vectors, order, times);
  const total = countFloats(vectors);
  const t = new Float64Array(total);
  const v = new Float64Array(total);
  const kept: Labels[] = [];
  const offsets = [0];
  const histograms = new HistogramList();
  let at = 0;
  for (const i of order) {
    const [from, to] = [i * steps, (i + 1) * steps];
    let n = steps;
    // perf: most rows have a number at every step.
    if (isFull(present.subarray(from, to))) {
      t.set(times, at);
      v.set(values.subarray(from, to), at);
    } else n = compactRow(vectors, i, grid, t.subarray(at), v.subarray(at));
    const before = histograms.values.length;
    if (vectors.histograms.length > 0)
      eachHistogram(vectors, i, (histogram, s) => {
        histograms.add(grid.startMs + s * grid.stepMs, histogram);
      });
    if (n === 0 && histograms.values.length === before) continue;
    at += n;
    kept.push(labels[i] as Labels);
    offsets.push(at);
    histograms.endSeries();
  }
  return {
    kind: 'raw',
    labels: kept,
    offsets: Uint32Array.from(offsets),
    t,
    v,
    histograms: histograms.finish(),
  };
}

/** Visits the native histograms of a row, in order of the steps. */
export function eachHistogram(
  vectors: StepVectors,
  row: number,
  visit: (histogram: FloatHistogram, step: number) => void,
): void {
  const { present, steps } = vectors;
  for (let s = 0; s < steps; s++) {
    const cell = row * steps + s;
    if (present[cell] === HISTOGRAM) visit(histogramOf(vectors, cell), s);
  }
}
