/**
 * Fragments: the part of a query that runs where samples are decoded. A fragment is plain data and survives a
 * structured clone; its result is typed arrays, to be transferred. What it computes depends on nothing else, so it
 * does not matter which thread runs it.
 */
import {
  isStaleAt,
  FloatColumns,
  type Queryable,
  type SeriesSet,
  type SharedSeries,
} from '../../storage/storage.ts';
import { must } from '../../lib/assert.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { addRow, newStates, type GroupStates, type StateOp } from '../funcs/group-states.ts';
import {
  boundWindows,
  Scratch,
  type SeriesWindows,
  type WindowFunction,
} from '../funcs/series-windows.ts';
import { WINDOW_FUNCTIONS } from '../funcs/window-functions.ts';
import { correctCounter } from '../funcs/counter-view.ts';
import { EXTENDED_FUNCTIONS } from '../funcs/extended.ts';
import type { RangeNote } from '../funcs/mixed-window.ts';
import {
  applyLastHistograms,
  applyMixed,
  histogramSamplesOf,
  bareSamplesOf,
} from './mixed-windows.ts';
import type { HistogramSamples, MixedRow } from './mixed-windows.ts';
import { cellsOf } from './cells.ts';
import { windowReach } from '../plan/node.ts';
import type { ScanSpec } from './scan-spec.ts';
import { FLOAT, HISTOGRAM } from './step-vectors.ts';

/** The groups that rows are added to. */
export interface FragmentGroups {
  readonly op: StateOp;
  readonly count: number;
  /** The group of each series of the fragment. */
  readonly ids: Uint32Array;
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

/** What is to be said of a series. */
export interface SeriesNote {
  readonly series: number;
  readonly note: RangeNote;
}

/** What a fragment gives: rows of all series, or the states of all groups. */
export interface FragmentResult {
  /** Row-major by series, as {@link StepVectors} has them; empty when there are groups. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: readonly FloatHistogram[];
  /** Only when there are groups: in order of series, then steps. */
  readonly cells: readonly HistogramCell[];
  readonly notes: readonly SeriesNote[];
  readonly states: GroupStates | undefined;
  /** How many values each series has. */
  readonly counts: Uint32Array;
  /** Which series have any number among them. */
  readonly floats: Uint8Array;
  /** Samples in all windows. */
  readonly samples: number;
}

/**
 * Runs fragments, possibly in other threads, and gives their results in the same order. Rejects when any fails, or
 * when the signal says so.
 */
export type FragmentRunner = (
  fragments: readonly Fragment[],
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
  const rows = groups === undefined ? count : 1;
  const size = cellsOf(rows, steps);
  const values = new Float64Array(size);
  const present = new Uint8Array(size);
  const histograms: FloatHistogram[] = [];
  const cells: HistogramCell[] = [];
  const states = groups === undefined ? undefined : newStates(groups.op, groups.count, steps);
  const counts = new Uint32Array(count);
  const floats = new Uint8Array(count);
  const scan = new SeriesScan(spec);
  for (let i = 0; i < count; i++) {
    // perf: nothing beside decoding a series.
    check?.();
    const base = groups === undefined ? i * steps : 0;
    const out = groups === undefined ? values.subarray(base, base + steps) : values;
    const has = groups === undefined ? present.subarray(base, base + steps) : present;
    const numbers = histograms.length;
    counts[i] = scan.run(set, from + i, { values: out, present: has, histograms });
    // perf: most rows hold numbers only, and those need not be looked through.
    const isFloat = histograms.length === numbers ? counts[i] !== 0 : has.includes(FLOAT);
    floats[i] = Number(isFloat);
    if (states === undefined || groups === undefined) continue;
    if (histograms.length > 0) takeCells(cells, i, { values: out, present: has, histograms });
    addRow(states, groups.ids[i] as number, out, has);
  }
  const { samples } = scan;
  const notes = scan.notes.map(({ series, note }) => ({ series: series - from, note }));
  const common = { cells, notes, states, counts, floats, samples };
  if (states === undefined) return { values, present, histograms, ...common };
  return {
    values: new Float64Array(0),
    present: new Uint8Array(0),
    histograms: [],
    ...common,
  };
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

/** One scan over many series, with the buffers that it reuses. */
class SeriesScan {
  samples = 0;
  readonly notes: SeriesNote[] = [];
  readonly #spec: ScanSpec;
  readonly #columns = new FloatColumns();
  readonly #corrected = new FloatColumns(0);
  readonly #histograms = new HistogramColumns();
  readonly #windows: SeriesWindows;
  readonly #func: WindowFunction | undefined;
  /** The times of the samples that instant selectors found: only filled for series with histograms. */
  #times = new Float64Array(0);

  constructor(spec: ScanSpec) {
    this.#spec = spec;
    this.#windows = newWindows(spec, this.#columns.t, this.#columns.v);
    this.#func = windowFunction(spec);
  }

  /** Computes one row and returns how many values it has. */
  run(set: SeriesSet, i: number, row: Omit<MixedRow, 'note'>): number {
    const columns = this.#columns;
    const func = this.#func;
    set.readFloats(i, columns, func !== undefined);
    const starts = this.#spec.useStarts ? set.readStarts?.(i, 'floats')?.slice() : undefined;
    if (func === undefined) {
      const times = columns.mayHaveHistograms ? this.#roomForTimes() : undefined;
      const found = this.#last(row, starts, times);
      this.samples += found;
      return times === undefined ? found : this.#lastHistograms(set, i, row, times);
    }
    const seen = this.#seen();
    const windows = this.#windows;
    windows.t = seen.t;
    windows.v = seen.v;
    windows.length = seen.length;
    const { values, present } = row;
    this.samples += evaluateWindows(windows, func, this.#spec, values, present);
    if (columns.mayHaveHistograms || starts !== undefined) this.#mixed(set, i, row, starts);
    return countOnes(present);
  }

  /** The samples that were read, as the view of counters shows them. */
  #seen(): FloatColumns {
    if (!this.#spec.correctsCounters) return this.#columns;
    correctCounter(this.#columns, this.#corrected);
    return this.#corrected;
  }

  /** Where the times of the samples go that an instant selector finds. */
  #roomForTimes(): Float64Array {
    if (this.#times.length < this.#spec.steps) this.#times = new Float64Array(this.#spec.steps);
    return this.#times;
  }

  #last(
    row: Omit<MixedRow, 'note'>,
    starts: Float64Array | undefined,
    times: Float64Array | undefined,
  ): number {
    const spec = this.#spec;
    const { values, present } = row;
    const found = lastSamples(this.#columns, spec, { values, present, times });
    if (spec.func !== 'start_timestamp') return found;
    // Samples without a start timestamp have 0, but nothing is said unless they are looked at.
    if (!spec.useStarts) present.fill(0);
    else
      for (let s = 0; s < spec.steps; s++) values[s] = (starts?.[values[s] as number] ?? 0) / 1000;
    return found;
  }

  /** `times` has those of the samples of floats that were found. */
  #lastHistograms(
    set: SeriesSet,
    i: number,
    row: Omit<MixedRow, 'note'>,
    times: Float64Array,
  ): number {
    const spec = this.#spec;
    const samples = this.#readHistograms(set, i, true);
    if (samples.values.length === 0) return countOnes(row.present);
    const starts = spec.useStarts ? set.readStarts?.(i, 'histograms')?.slice() : undefined;
    const { present } = row;
    const found = this.#note(i, row);
    this.samples += applyLastHistograms(spec, times, samples, found, starts);
    if (spec.func === 'start_timestamp' && !spec.useStarts) present.fill(0);
    return countOnes(present);
  }

  #mixed(
    set: SeriesSet,
    i: number,
    row: Omit<MixedRow, 'note'>,
    starts: Float64Array | undefined,
  ): void {
    const samples = this.#readHistograms(set, i, false);
    if (samples.values.length === 0 && starts === undefined) return;
    const { useStarts } = this.#spec;
    const histograms = useStarts ? set.readStarts?.(i, 'histograms')?.slice() : undefined;
    const ofSamples =
      starts === undefined && histograms === undefined ? undefined : { floats: starts, histograms };
    const windows = this.#windows;
    if (windows.length > 0) {
      // The floats were read into memory that reading histograms may have used.
      set.readFloats(i, this.#columns, true);
      const seen = this.#seen();
      windows.t = seen.t;
      windows.v = seen.v;
    }
    this.samples += applyMixed(this.#spec, windows, samples, this.#note(i, row), ofSamples);
  }

  #readHistograms(set: SeriesSet, i: number, keepsStale: boolean): HistogramSamples {
    set.readHistograms(i, this.#histograms, !keepsStale);
    const samplesOf = this.#spec.statsOnly ? bareSamplesOf : histogramSamplesOf;
    return samplesOf(this.#histograms, keepsStale);
  }

  #note(series: number, row: Omit<MixedRow, 'note'>): MixedRow {
    const said = new Set<RangeNote>();
    const note = (what: RangeNote): void => {
      // compat: overlaps of start timestamps are counted.
      if (said.has(what) && what !== 'start times overlap') return;
      this.notes.push({ series, note: what });
      said.add(what);
    };
    return { ...row, note };
  }
}

/** Windows for a range function; the samples are set a series at a time. */
export function newWindows(spec: ScanSpec, t: Float64Array, v: Float64Array): SeriesWindows {
  return {
    t,
    v,
    length: 0,
    steps: spec.steps,
    lo: new Int32Array(spec.steps),
    hi: new Int32Array(spec.steps),
    refStart: spec.refStartMs,
    refStep: spec.refStepMs,
    rangeMs: spec.rangeMs,
    start: spec.startMs,
    step: spec.stepMs,
    params: spec.params,
    scratch: new Scratch(),
  };
}

/** The range function of a spec; undefined for 'value' and 'timestamp'. */
export function windowFunction({ func, extension }: ScanSpec): WindowFunction | undefined {
  const plain = extension === 'none';
  if (func === 'timestamp' || func === 'start_timestamp' || (func === 'value' && plain))
    return undefined;
  if (plain) return must(WINDOW_FUNCTIONS.get(func), 'planned function exists');
  return must(EXTENDED_FUNCTIONS.get(`${func} ${extension}`), 'planned function exists');
}

/** Bounds the windows of one series, calls the function, and returns how many samples the windows hold. */
export function evaluateWindows(
  windows: SeriesWindows,
  func: WindowFunction,
  spec: ScanSpec,
  out: Float64Array,
  present: Uint8Array,
): number {
  const { before, after } = windowReach(spec);
  const samples = boundWindows(windows, before, after);
  if (samples === 0) present.fill(0);
  else func(windows, out, present);
  return samples;
}

/** Where the newest samples of all steps go. */
interface LastSamples {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** The times of the samples, stale markers included; -Infinity where there is none. */
  readonly times: Float64Array | undefined;
}

/** The last sample of each step within the lookback, unless it is a stale marker; for start_timestamp, its number. */
function lastSamples(
  columns: FloatColumns,
  { func, steps, refStartMs, refStepMs, lookbackMs }: ScanSpec,
  { values, present, times }: LastSamples,
): number {
  const { t, v, length } = columns;
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  const wantTime = func === 'timestamp';
  const wantNumber = func === 'start_timestamp';
  let h = 0;
  let found = 0;
  for (let s = 0; s < steps; s++) {
    const ref = refStartMs + s * refStepMs;
    while (h < length && (t[h] as number) <= ref) h++;
    const last = h - 1;
    const isThere = last >= 0 && (t[last] as number) > ref - lookbackMs;
    if (times !== undefined) times[s] = isThere ? (t[last] as number) : -Infinity;
    if (!isThere || isStaleAt(halves, last)) {
      present[s] = 0;
      continue;
    }
    if (wantNumber) values[s] = last;
    else values[s] = wantTime ? (t[last] as number) / 1000 : (v[last] as number);
    present[s] = 1;
    found++;
  }
  return found;
}

/**
 * How many bytes are not 0, of 0, 1 and 2. perf: four at a time; nearly all of them are 1, and a search for a 0 looks at
 * each.
 */
function countOnes(present: Uint8Array): number {
  const { buffer, byteOffset, length } = present;
  // Words begin at multiples of four, rows anywhere.
  const first = Math.min(-byteOffset & 3, length);
  const count = (length - first) >> 2;
  const words = new Int32Array(buffer, count === 0 ? 0 : byteOffset + first, count);
  let ones = 0;
  for (let i = 0; i < count; i++) {
    const word = words[i] as number;
    ones += Math.imul((word | (word >>> 1)) & 0x01010101, 0x01010101) >>> 24;
  }
  for (let i = 0; i < first; i++) if (present[i] !== 0) ones++;
  for (let i = first + count * 4; i < length; i++) if (present[i] !== 0) ones++;
  return ones;
}
