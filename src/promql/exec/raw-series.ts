/** Range vectors as values: raw samples from storage, and rows of steps turned into samples. */
import { FloatColumns, type SeriesSet } from '../../storage/storage.ts';
import type { Labels } from '../../model/labels.ts';
import type { Grid } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import type { RawSeries, StepVectors } from './step-vectors.ts';

/** limit: so many series are loaded at a time. */
const SERIES_PER_LOAD = 1024;

/** All samples with after < t <= until, of the series that have any. */
export async function readRaw(
  ctx: ExecContext,
  set: SeriesSet | undefined,
  after: number,
  until: number,
): Promise<RawSeries> {
  const labels: Labels[] = [];
  const offsets = [0];
  const all = new FloatColumns();
  const columns = new FloatColumns();
  const count = set?.count ?? 0;
  for (let i = 0; i < count; i++) {
    if (set === undefined) break;
    if (i % SERIES_PER_LOAD === 0) {
      await set.load(i, Math.min(count, i + SERIES_PER_LOAD));
      await ctx.breathe();
    }
    set.readFloats(i, columns, true);
    let from = 0;
    let to = columns.length;
    while (from < to && (columns.t[from] as number) <= after) from++;
    while (to > from && (columns.t[to - 1] as number) > until) to--;
    if (from === to) continue;
    ctx.hold(to - from);
    all.reserve(all.length + to - from);
    all.t.set(columns.t.subarray(from, to), all.length);
    all.v.set(columns.v.subarray(from, to), all.length);
    all.length += to - from;
    labels.push(set.labels(i));
    offsets.push(all.length);
  }
  return {
    kind: 'raw',
    labels,
    offsets: Uint32Array.from(offsets),
    t: all.t.slice(0, all.length),
    v: all.v.slice(0, all.length),
  };
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

/** Rows of steps as raw series; series without any value are left out. */
export function vectorsToRaw(vectors: StepVectors, grid: Grid): RawSeries {
  const { labels, present, steps } = vectors;
  let total = 0;
  for (let i = 0; i < labels.length * steps; i++) total += present[i] as number;
  const t = new Float64Array(total);
  const v = new Float64Array(total);
  const kept: Labels[] = [];
  const offsets = [0];
  let at = 0;
  for (const [i, label] of labels.entries()) {
    const n = compactRow(vectors, i, grid, t.subarray(at), v.subarray(at));
    if (n === 0) continue;
    at += n;
    kept.push(label);
    offsets.push(at);
  }
  return {
    kind: 'raw',
    labels: kept,
    offsets: Uint32Array.from(offsets),
    t,
    v,
  };
}
