/**
 * Range functions and instant selectors over series that have native histograms, or start timestamps: window by window, beside
 * what the float columns give.
 */
import { must } from '../../lib/assert.ts';
import { detectReset } from '../../model/float-histogram/detect-reset.ts';
import { NO_BUCKETS, histogramAt } from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { RESET_HINT, type HistogramColumns } from '../../model/histogram.ts';
import { isStaleAt } from '../../storage/storage.ts';
import { MIXED_EXTENDED_FUNCTIONS } from '../funcs/mixed-extended.ts';
import { MIXED_FUNCTIONS } from '../funcs/mixed-over-time.ts';
import type { MixedFunction, RangeNote, WindowSamples } from '../funcs/mixed-window.ts';
import type { SeriesWindows } from '../funcs/series-windows.ts';
import { windowReach } from '../plan/node.ts';
import type { ScanSpec } from './scan-spec.ts';
import { FLOAT, HISTOGRAM, histogramSamples } from './step-vectors.ts';

/** One row of results, and what to say of it. */
export interface MixedRow {
  /** The value of a step, or the number of its histogram in `histograms`. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: FloatHistogram[];
  note(note: RangeNote): void;
}

/** Histogram samples of one series. */
export interface HistogramSamples {
  readonly t: Float64Array;
  readonly values: readonly FloatHistogram[];
  /** 1 for stale markers. Range functions get none. */
  readonly stale: Uint8Array | undefined;
}

/** The samples of columns; a view of their times, valid as long as they stand. */
export function histogramSamplesOf(
  columns: HistogramColumns,
  keepsStale: boolean,
): HistogramSamples {
  const values = Array.from({ length: columns.length }, (_, i) => histogramAt(columns, i));
  return { ...timesOf(columns, keepsStale), values };
}

/**
 * The samples without their buckets. What those would tell of resets is put into the hints, as long as it can be told
 * (prometheus promql/histogram_stats_iterator.go).
 */
export function bareSamplesOf(columns: HistogramColumns, keepsStale: boolean): HistogramSamples {
  const { t, stale } = timesOf(columns, keepsStale);
  let before = -1;
  const values = Array.from({ length: columns.length }, (_, i): FloatHistogram => {
    let hint = columns.hint[i] as number;
    if (stale?.[i] !== 1) {
      // perf: within a chunk the hints of all samples but the first one are known.
      if (hint === RESET_HINT.unknown && before >= 0) hint = hintAfter(columns, i, before);
      before = i;
    }
    const { schema } = columns.layoutAt(i);
    return {
      ...NOTHING,
      schema,
      count: columns.count[i] as number,
      sum: columns.sum[i] as number,
      hint,
    };
  });
  return { t, values, stale };
}

/** What the buckets of a sample and of one before it tell of a reset between them. */
function hintAfter(columns: HistogramColumns, i: number, before: number): number {
  const isReset = detectReset(histogramAt(columns, i), histogramAt(columns, before));
  return isReset ? RESET_HINT.reset : RESET_HINT.notReset;
}

function timesOf(
  columns: HistogramColumns,
  keepsStale: boolean,
): Pick<HistogramSamples, 't' | 'stale'> {
  const { length, sum } = columns;
  const t = columns.t.subarray(0, length);
  if (!keepsStale) return { t, stale: undefined };
  const halves = new Uint32Array(sum.buffer, sum.byteOffset, length * 2);
  return { t, stale: Uint8Array.from(t, (_, i) => Number(isStaleAt(halves, i))) };
}

const NOTHING = {
  zeroThreshold: 0,
  zeroCount: 0,
  positive: NO_BUCKETS,
  negative: NO_BUCKETS,
  customValues: new Float64Array(0),
};

/** Start timestamps of the samples of a series, when they are looked at. */
export interface SampleStarts {
  readonly floats: Float64Array | undefined;
  readonly histograms: Float64Array | undefined;
}

/** The function for windows with histograms; every range function has one. */
export function mixedFunction({ func, extension }: ScanSpec): MixedFunction {
  const name = extension === 'none' ? func : `${func} ${extension}`;
  return must(
    MIXED_FUNCTIONS.get(name) ?? MIXED_EXTENDED_FUNCTIONS.get(name),
    'range functions know histograms',
  );
}

/**
 * Replaces what the floats alone gave, at every step whose window holds histograms, and at all when there are start timestamps.
 * The bounds of the windows over floats are set. Answers for how many samples the histograms in all windows count.
 */
export function applyMixed(
  spec: ScanSpec,
  windows: SeriesWindows,
  samples: HistogramSamples,
  row: MixedRow,
  starts?: SampleStarts,
): number {
  const func = mixedFunction(spec);
  const { steps, refStartMs, refStepMs, rangeMs } = spec;
  const { before, after } = windowReach(spec);
  const { t } = samples;
  let from = 0;
  let to = 0;
  let held = 0;
  let counted = 0;
  for (let s = 0; s < steps; s++) {
    const end = refStartMs + s * refStepMs;
    for (; to < t.length && (t[to] as number) <= end + after; to++)
      held += histogramSamples(samples.values[to] as FloatHistogram);
    for (; from < to && (t[from] as number) <= end - before; from++)
      held -= histogramSamples(samples.values[from] as FloatHistogram);
    counted += held;
    const [lo, hi] = [windows.lo[s] as number, windows.hi[s] as number];
    if (to === from && (starts === undefined || hi === lo)) continue;
    const floats: WindowSamples<Float64Array> = {
      t: windows.t,
      v: windows.v,
      from: lo,
      to: hi,
      starts: starts?.floats,
    };
    const histograms: WindowSamples<readonly FloatHistogram[]> = {
      t,
      v: samples.values,
      from,
      to,
      starts: starts?.histograms,
    };
    const ofFloats = row.present[s] === FLOAT ? (row.values[s] as number) : undefined;
    const note = (what: RangeNote): void => row.note(what);
    put(row, s, func({ floats, histograms, end, rangeMs, ofFloats, note }));
  }
  return counted;
}

/** Writes the result of a step. */
export function put(
  { values, present, histograms }: MixedRow,
  s: number,
  value: number | FloatHistogram | undefined,
): void {
  if (value === undefined) present[s] = 0;
  else if (typeof value === 'number') {
    values[s] = value;
    present[s] = FLOAT;
  } else {
    values[s] = histograms.push(value) - 1;
    present[s] = HISTOGRAM;
  }
}

/** The newest sample of each step within the lookback, where it is a histogram; `floatTimes` has those of the floats. */
export function applyLastHistograms(
  spec: ScanSpec,
  floatTimes: Float64Array,
  samples: HistogramSamples,
  row: MixedRow,
  starts?: Float64Array,
): number {
  const { func, steps, refStartMs, refStepMs, lookbackMs } = spec;
  const { t, values, stale } = samples;
  // Steps that fall on one sample share its histogram.
  const numbers = new Map<number, number>();
  let counted = 0;
  let next = 0;
  for (let s = 0; s < steps; s++) {
    const ref = refStartMs + s * refStepMs;
    while (next < t.length && (t[next] as number) <= ref) next++;
    const last = next - 1;
    const at = last < 0 ? -Infinity : (t[last] as number);
    if (at <= ref - lookbackMs || at < (floatTimes[s] as number)) continue;
    if (stale?.[last] === 1) {
      row.present[s] = 0;
      continue;
    }
    if (func === 'timestamp') put(row, s, at / 1000);
    else if (func === 'start_timestamp') put(row, s, (starts?.[last] ?? 0) / 1000);
    else {
      let number = numbers.get(last);
      if (number === undefined) {
        number = row.histograms.push(values[last] as FloatHistogram) - 1;
        numbers.set(last, number);
      }
      row.values[s] = number;
      row.present[s] = HISTOGRAM;
      counted += histogramSamples(values[last] as FloatHistogram);
      continue;
    }
    counted++;
  }
  return counted;
}
