/** The scan of one series after the other: reads samples, bounds windows, applies the function, adds rows to groups. */
import { must } from '../../lib/assert.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { FloatColumns, type SeriesSet } from '../../storage/storage.ts';
import { correctCounter } from '../funcs/counter-view.ts';
import { EXTENDED_FUNCTIONS } from '../funcs/extended.ts';
import {
  addRow,
  finishStates,
  newStates,
  statesOf,
  type GroupStates,
  type StateOp,
} from '../funcs/group-states.ts';
import { KernelWindows } from '../funcs/kernel-windows.ts';
import { lastSamples } from '../funcs/last-samples.ts';
import type { RangeNote } from '../funcs/mixed-window.ts';
import {
  boundWindows,
  Scratch,
  type SeriesWindows,
  type WindowFunction,
} from '../funcs/series-windows.ts';
import { WINDOW_FUNCTIONS } from '../funcs/window-functions.ts';
import { windowReach } from '../plan/node.ts';
import {
  applyLastHistograms,
  applyMixed,
  bareSamplesOf,
  histogramSamplesOf,
} from './mixed-windows.ts';
import type { HistogramSamples, MixedRow } from './mixed-windows.ts';
import type { ScanSpec } from './scan-spec.ts';
import { countPresent } from './step-vectors.ts';

/** What is to be said of a series. */
export interface SeriesNote {
  readonly series: number;
  readonly note: RangeNote;
}

/** The groups that a scan adds rows to. */
export interface ScanGroups {
  readonly op: StateOp;
  readonly count: number;
}

/** One scan over many series, with the buffers that it reuses. */
export class SeriesScan {
  /** Samples in all windows. */
  samples = 0;
  readonly notes: SeriesNote[] = [];
  readonly #spec: ScanSpec;
  readonly #columns = new FloatColumns();
  readonly #corrected = new FloatColumns(0);
  readonly #histograms = new HistogramColumns();
  readonly #windows: SeriesWindows;
  readonly #func: WindowFunction | undefined;
  readonly #groups: ScanGroups | undefined;
  /** The states of groups, unless the kernel holds them. */
  #states: GroupStates | undefined;
  /** The kernel, once the first series shows that it can be used: it holds the sums of all rows or of none. */
  #kernel: KernelWindows | undefined;
  #started = false;
  /** Whether the row of the last series is with the kernel. */
  #inKernel = false;
  /** The times of the samples that instant selectors found: only filled for series with histograms. */
  #times = new Float64Array(0);

  constructor(spec: ScanSpec, groups: ScanGroups | undefined) {
    this.#spec = spec;
    this.#groups = groups;
    this.#windows = newWindows(spec, this.#columns.t, this.#columns.v);
    this.#func = windowFunction(spec);
  }

  /** The states of the groups from a number on. */
  statesFrom(first: number): GroupStates {
    const groups = must(this.#groups, 'there are groups');
    const sums = this.#sumsIn();
    return sums?.states(first) ?? statesOf(this.#statesOf(groups), first, groups.count);
  }

  /** The values of the first groups, row-major by group. */
  finishGroups(count: number): { values: Float64Array; present: Uint8Array } {
    const groups = must(this.#groups, 'there are groups');
    const sums = this.#sumsIn();
    return sums?.finish(count) ?? finishStates(statesOf(this.#statesOf(groups), 0, count));
  }

  #statesOf({ op, count }: ScanGroups): GroupStates {
    this.#states ??= newStates(op, count, this.#spec.steps);
    return this.#states;
  }

  /** Adds the row of the series that was run last to a group. */
  addRow(group: number, { values, present }: Omit<MixedRow, 'note'>): void {
    const groups = must(this.#groups, 'rows are added to groups');
    const sums = this.#sumsIn();
    if (sums === undefined) addRow(this.#statesOf(groups), group, values, present);
    else if (this.#inKernel) sums.addRow(group);
    else sums.addOther(group, values, present);
  }

  /**
   * Computes one row and returns how many values it has. With groups the row may stay with the kernel until
   * {@link SeriesScan.addRow}.
   */
  run(set: SeriesSet, i: number, row: Omit<MixedRow, 'note'>): number {
    const columns = this.#columns;
    const func = this.#func;
    this.#read(set, i);
    if (!this.#started) this.#start(set, i);
    const starts = this.#spec.useStarts ? set.readStarts?.(i, 'floats')?.slice() : undefined;
    const isPlain = !columns.mayHaveHistograms && starts === undefined;
    const inKernel = isPlain ? this.#runKernel(row) : -1;
    this.#inKernel = inKernel >= 0;
    if (this.#inKernel) return inKernel;
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
    if (!isPlain) this.#mixed(set, i, row, starts);
    return countPresent(present);
  }

  /** Reads a series; instant selectors see stale markers. */
  #read(set: SeriesSet, i: number): void {
    set.readFloats(i, this.#columns, this.#func !== undefined);
  }

  /** Asks for the kernel when the first series has been read. */
  #start(set: SeriesSet, i: number): void {
    this.#started = true;
    const spec = this.#spec;
    if (spec.extension !== 'none' || spec.correctsCounters) return;
    const sums = this.#groups?.op === 'sum' ? this.#groups.count : 0;
    this.#kernel = KernelWindows.over(this.#columns, spec, sums);
    // Making room for the kernel's own may have moved the columns.
    if (this.#kernel !== undefined) this.#read(set, i);
  }

  /** The kernel, when it holds the sums. */
  #sumsIn(): KernelWindows | undefined {
    return this.#groups?.op === 'sum' ? this.#kernel : undefined;
  }

  /** The row by kernel: how many values it has, or -1 when it cannot compute it. */
  #runKernel({ values, present }: Omit<MixedRow, 'note'>): number {
    const kernel = this.#kernel;
    if (kernel === undefined || !kernel.takes(this.#columns)) return -1;
    const found = kernel.run(this.#columns);
    if (found < 0) return -1;
    this.samples += kernel.samples;
    if (this.#sumsIn() === undefined) kernel.copyRow(values, present);
    return found;
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
    if (samples.values.length === 0) return countPresent(row.present);
    const starts = spec.useStarts ? set.readStarts?.(i, 'histograms')?.slice() : undefined;
    const { present } = row;
    const found = this.#note(i, row);
    this.samples += applyLastHistograms(spec, times, samples, found, starts);
    if (spec.func === 'start_timestamp' && !spec.useStarts) present.fill(0);
    return countPresent(present);
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
