/**
 * Fragments: the part of a query that runs where samples are decoded. A fragment is plain data and survives a
 * structured clone; its result is typed arrays, to be transferred. What it computes depends on nothing else, so it
 * does not matter which thread runs it.
 */
import type { Queryable, SeriesSet, SharedSeries } from '../../storage/storage.ts';
import { must } from '../../lib/assert.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import type { GroupStates } from '../funcs/group-states.ts';
import { cellsOf } from './cells.ts';
import type { MixedRow } from './mixed-windows.ts';
import type { ScanSpec } from './scan-spec.ts';
import { SeriesScan, type ScanGroups, type SeriesNote } from './series-scan.ts';
import { FLOAT, HISTOGRAM } from './step-vectors.ts';

/** The groups that rows are added to. */
export interface FragmentGroups extends ScanGroups {
  /** The group of each series of the fragment. */
  readonly ids: Uint32Array;
  /** So many groups, the first ones, have no series outside the fragment: they are finished here. */
  readonly closed: number;
}

/** Work on one shard of a select's series. */
export interface Fragment {
  readonly spec: ScanSpec;
  readonly series: SharedSeries;
  readonly groups: FragmentGroups | undefined;
}

/** A native histogram of a series of a grouped fragment: states hold numbers only. */
export interface HistogramCell {
  /** The series, counted from the fragment's first one. */
  readonly series: number;
  readonly step: number;
  readonly histogram: FloatHistogram;
}

/** What a fragment gives: rows of all series, or rows of the closed groups and the states of the others. */
export interface FragmentResult {
  /** Row-major by series or by closed group, as {@link StepVectors} has them. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: readonly FloatHistogram[];
  /** Only when there are groups, closed ones too: in order of series, then steps. */
  readonly cells: readonly HistogramCell[];
  readonly notes: readonly SeriesNote[];
  /** The states of the groups that are not closed, in their order; undefined when there are none. */
  readonly states: GroupStates | undefined;
  /** How many values each series has. */
  readonly counts: Uint32Array;
  /** Which series have any number among them. */
  readonly floats: Uint8Array;
  /** Samples in all windows. */
  readonly samples: number;
}

/** The fragments of a scan by number: each may be run where it is made, or made plain data and run elsewhere. */
export interface FragmentSource {
  readonly count: number;
  /** A fragment for another thread. */
  share(number: number): Fragment;
  /** Runs a fragment in this thread. */
  run(number: number): Promise<FragmentResult>;
}

/**
 * Runs fragments, possibly in other threads, and gives their results in the same order. Rejects when any fails, or
 * when the signal says so.
 */
export type FragmentRunner = (
  fragments: FragmentSource,
  signal: AbortSignal | undefined,
) => Promise<FragmentResult[]>;

/** Runs one fragment over a storage of this thread. Rejects as the signal says when it fires meanwhile. */
export async function runFragment(
  fragment: Fragment,
  queryable: Queryable,
  signal?: AbortSignal,
): Promise<FragmentResult> {
  const set = queryable.openShared(fragment.series);
  try {
    await set.load(0, set.count);
    const check = (): void => signal?.throwIfAborted();
    return scanSeries(set, 0, set.count, fragment.spec, fragment.groups, check);
  } finally {
    set.close();
  }
}

/** Runs over series from … to (exclusive), whose bytes are resident. `check` may throw to end the scan. */
export function scanSeries(
  set: SeriesSet,
  from: number,
  to: number,
  spec: ScanSpec,
  groups: FragmentGroups | undefined,
  check?: () => void,
): FragmentResult {
  const { steps } = spec;
  const count = to - from;
  const size = cellsOf(groups === undefined ? count : 1, steps);
  const values = new Float64Array(size);
  const present = new Uint8Array(size);
  const histograms: FloatHistogram[] = [];
  const cells: HistogramCell[] = [];
  const counts = new Uint32Array(count);
  const floats = new Uint8Array(count);
  const scan = new SeriesScan(spec, groups);
  for (let i = 0; i < count; i++) {
    // perf: nothing beside decoding a series.
    check?.();
    const base = groups === undefined ? i * steps : 0;
    const row = {
      values: groups === undefined ? values.subarray(base, base + steps) : values,
      present: groups === undefined ? present.subarray(base, base + steps) : present,
      histograms,
    };
    const numbers = histograms.length;
    counts[i] = scan.run(set, from + i, row);
    // perf: most rows hold numbers only, and those need not be looked through.
    const isFloat = histograms.length === numbers ? counts[i] !== 0 : row.present.includes(FLOAT);
    floats[i] = Number(isFloat);
    if (groups === undefined) continue;
    if (histograms.length > 0) takeCells(cells, i, row);
    scan.addRow(groups.ids[i] as number, row);
  }
  const { samples } = scan;
  const isOpen = groups !== undefined && groups.closed < groups.count;
  const states = isOpen ? scan.statesFrom(groups.closed) : undefined;
  const notes = scan.notes.map(({ series, note }) => ({ series: series - from, note }));
  const common = { cells, notes, states, counts, floats, samples };
  if (groups === undefined) return { values, present, histograms, ...common };
  return { ...scan.finishGroups(groups.closed), histograms: [], ...common };
}

/** Takes the histograms of a row that goes to a group. */
function takeCells(
  cells: HistogramCell[],
  series: number,
  { values, present, histograms }: Omit<MixedRow, 'note'>,
): void {
  for (let step = 0; step < present.length; step++) {
    if (present[step] !== HISTOGRAM) continue;
    const histogram = must(histograms[values[step] as number], 'the cell has a histogram');
    cells.push({ series, step, histogram });
  }
  histograms.length = 0;
}
