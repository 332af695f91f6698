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
import { addRow, newStates, type GroupStates, type StateOp } from '../funcs/group-states.ts';
import {
  boundWindows,
  Scratch,
  type SeriesWindows,
  type WindowFunction,
} from '../funcs/series-windows.ts';
import { WINDOW_FUNCTIONS } from '../funcs/window-functions.ts';
import { EXTENDED_FUNCTIONS } from '../funcs/extended.ts';

/** What to compute of each series. */
export interface ScanSpec {
  /** 'value' and 'timestamp' of the last sample of each step, or a range function. */
  readonly func: string;
  readonly params: readonly Float64Array[];
  readonly steps: number;
  /** The end of the first step's window, and from one to the next; ms. */
  readonly refStartMs: number;
  readonly refStepMs: number;
  /** The evaluation time of the first step, and from one to the next; ms. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly lookbackMs: number;
  readonly extension: 'none' | 'anchored' | 'smoothed';
}

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

/** What a fragment gives: rows of all series, or the states of all groups. */
export interface FragmentResult {
  /** Row-major by series; empty when there are groups. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly states: GroupStates | undefined;
  /** How many values each series has. */
  readonly counts: Uint32Array;
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

/** How often a scan asks whether it is to go on. */
const SERIES_PER_CHECK = 8;

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
  const values = new Float64Array(rows * steps);
  const present = new Uint8Array(rows * steps);
  const states = groups === undefined ? undefined : newStates(groups.op, groups.count, steps);
  const counts = new Uint32Array(count);
  const scan = new SeriesScan(spec);
  for (let i = 0; i < count; i++) {
    if (i % SERIES_PER_CHECK === 0) check?.();
    const base = groups === undefined ? i * steps : 0;
    const out = groups === undefined ? values.subarray(base, base + steps) : values;
    const has = groups === undefined ? present.subarray(base, base + steps) : present;
    counts[i] = scan.run(set, from + i, out, has);
    if (states !== undefined && groups !== undefined) {
      addRow(states, groups.ids[i] as number, out, has);
    }
  }
  const { samples } = scan;
  if (states === undefined) return { values, present, states, counts, samples };
  return { values: new Float64Array(0), present: new Uint8Array(0), states, counts, samples };
}

/** One scan over many series, with the buffers that it reuses. */
class SeriesScan {
  samples = 0;
  readonly #spec: ScanSpec;
  readonly #columns = new FloatColumns();
  readonly #windows: SeriesWindows;
  readonly #func: WindowFunction | undefined;

  constructor(spec: ScanSpec) {
    this.#spec = spec;
    this.#windows = newWindows(spec, this.#columns.t, this.#columns.v);
    this.#func = windowFunction(spec);
  }

  /** Computes one row and returns how many values it has. */
  run(set: SeriesSet, i: number, out: Float64Array, present: Uint8Array): number {
    const columns = this.#columns;
    const func = this.#func;
    set.readFloats(i, columns, func !== undefined);
    if (func === undefined) {
      const found = lastSamples(columns, this.#spec, out, present);
      this.samples += found;
      return found;
    }
    const windows = this.#windows;
    windows.t = columns.t;
    windows.v = columns.v;
    windows.length = columns.length;
    this.samples += evaluateWindows(windows, func, this.#spec, out, present);
    return countOnes(present);
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
  if (func === 'timestamp' || (func === 'value' && plain)) return undefined;
  if (plain) return must(WINDOW_FUNCTIONS.get(func), 'planned function exists');
  return must(EXTENDED_FUNCTIONS.get(`${func} ${extension}`), 'planned function exists');
}

/** Bounds the windows of one series, calls the function, and returns how many samples the windows hold. */
export function evaluateWindows(
  windows: SeriesWindows,
  func: WindowFunction,
  { rangeMs, lookbackMs, extension }: ScanSpec,
  out: Float64Array,
  present: Uint8Array,
): number {
  const before = rangeMs + (extension === 'none' ? 0 : lookbackMs);
  const after = extension === 'smoothed' ? lookbackMs : 0;
  const samples = boundWindows(windows, before, after);
  if (samples === 0) present.fill(0);
  else func(windows, out, present);
  return samples;
}

/** The last sample of each step within the lookback, unless it is a stale marker. */
function lastSamples(
  columns: FloatColumns,
  { func, steps, refStartMs, refStepMs, lookbackMs }: ScanSpec,
  out: Float64Array,
  present: Uint8Array,
): number {
  const { t, v, length } = columns;
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  const wantTime = func === 'timestamp';
  let h = 0;
  let found = 0;
  for (let s = 0; s < steps; s++) {
    const ref = refStartMs + s * refStepMs;
    while (h < length && (t[h] as number) <= ref) h++;
    const last = h - 1;
    if (last < 0 || (t[last] as number) <= ref - lookbackMs || isStaleAt(halves, last)) {
      present[s] = 0;
      continue;
    }
    out[s] = wantTime ? (t[last] as number) / 1000 : (v[last] as number);
    present[s] = 1;
    found++;
  }
  return found;
}

function countOnes(present: Uint8Array): number {
  // perf: most series have a value at every step, and this search is native.
  const first = present.indexOf(0);
  if (first < 0) return present.length;
  let count = first;
  for (let i = first; i < present.length; i++) count += present[i] as number;
  return count;
}
