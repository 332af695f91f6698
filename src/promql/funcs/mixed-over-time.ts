/** The *_over_time functions of windows with native histograms (Prometheus 3.14, promql/functions.go). */
import { addCompensated, finishSum } from '../../model/float-histogram/compensated-sum.ts';
import type { CompensatedSum } from '../../model/float-histogram/compensated-sum.ts';
import { detectReset } from '../../model/float-histogram/detect-reset.ts';
import { sameHistograms } from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { HistogramMean } from '../../model/float-histogram/histogram-mean.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { mixedLastTwo, mixedRate } from './mixed-rate.ts';
import { countOf, startOf, startsAnew } from './mixed-window.ts';
import type { AnySample, MixedFunction, MixedWindow } from './mixed-window.ts';

/** A function that gives the float result, unless all or some samples are histograms. */
function ofHistograms(value: (window: MixedWindow) => FloatHistogram | undefined): MixedFunction {
  return (window) => {
    if (countOf(window.histograms) === 0) return window.ofFloats;
    if (countOf(window.floats) === 0) return value(window);
    window.note('mixed floats and histograms');
    return undefined;
  };
}

function noteHints(window: MixedWindow): void {
  const { v, from, to } = window.histograms;
  let reset = false;
  let notReset = false;
  for (let i = from; i < to; i++) {
    reset ||= v[i]?.hint === RESET_HINT.reset;
    notReset ||= v[i]?.hint === RESET_HINT.notReset;
  }
  if (reset && notReset) window.note('colliding resets');
}

function mixedSchemas(window: MixedWindow): undefined {
  window.note('mixed bucket schemas');
  return undefined;
}

const sumOverTime = ofHistograms((window) => {
  const { v, from, to } = window.histograms;
  let sum: CompensatedSum = { value: v[from] as FloatHistogram, lost: undefined };
  let reconciled = false;
  for (let i = from + 1; i < to; i++) {
    const added = addCompensated(sum, v[i] as FloatHistogram);
    if (added === undefined) return mixedSchemas(window);
    reconciled ||= added.reconciled;
    ({ sum } = added);
  }
  if (reconciled) window.note('bounds reconciled in aggregation');
  noteHints(window);
  return finishSum(sum);
});

const avgOverTime = ofHistograms((window) => {
  const { v, from, to } = window.histograms;
  const mean = new HistogramMean(v[from] as FloatHistogram);
  let reconciled = false;
  for (let i = from + 1; i < to; i++) {
    const added = mean.add(v[i] as FloatHistogram, i - from + 1);
    if (added === undefined) return mixedSchemas(window);
    reconciled ||= added.reconciled;
  }
  if (reconciled) window.note('bounds reconciled in aggregation');
  noteHints(window);
  return mean.finish(to - from);
});

/** Functions that pass over histograms, and say so when there are enough floats for them to have been asked. */
const ignoring: MixedFunction = (window) => {
  if (countOf(window.floats) > 0 && countOf(window.histograms) > 0)
    window.note('histograms ignored');
  return window.ofFloats;
};

/** The first or last sample of a window; of equal times, the histogram. */
function edge(last: boolean, wantsTime: boolean): MixedFunction {
  return ({ floats, histograms }) => {
    const f = last ? floats.to - 1 : floats.from;
    const h = last ? histograms.to - 1 : histograms.from;
    const floatT = countOf(floats) > 0 ? (floats.t[f] as number) : undefined;
    const histogramT = countOf(histograms) > 0 ? (histograms.t[h] as number) : undefined;
    const isFloat =
      histogramT === undefined ||
      (floatT !== undefined && (last ? floatT > histogramT : floatT < histogramT));
    if (wantsTime) return ((isFloat ? floatT : histogramT) ?? 0) / 1000;
    return isFloat ? floats.v[f] : histograms.v[h];
  };
}

/** All samples of a window, from numbers of each kind on, in order of time. */
function inOrder({ floats, histograms }: MixedWindow): AnySample[] {
  const list: AnySample[] = [];
  let f = floats.from;
  let h = histograms.from;
  while (f < floats.to || h < histograms.to) {
    const float =
      h >= histograms.to ||
      (f < floats.to && (floats.t[f] as number) < (histograms.t[h] as number));
    if (float) list.push({ ...startOf(floats, f), value: floats.v[f++] as number });
    else list.push({ ...startOf(histograms, h), value: histograms.v[h++] as FloatHistogram });
  }
  return list;
}

function isReset(before: AnySample, sample: AnySample): boolean {
  const a = before.value;
  const b = sample.value;
  if (typeof a === 'number' || typeof b === 'number')
    return typeof a !== typeof b || b < a || startsAnew(before, sample);
  return startsAnew(before, sample) || detectReset(b, a);
}

function isChange({ value: a }: AnySample, { value: b }: AnySample): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return a !== b && !(Number.isNaN(a) && Number.isNaN(b));
  return typeof a === 'number' || typeof b === 'number' || !sameHistograms(a, b);
}

/** Counts neighbours; an anchored window begins with the last sample at or before its range. */
function countPairs(
  test: (before: AnySample, sample: AnySample) => boolean,
  anchored: boolean,
): MixedFunction {
  return (window) => {
    const samples = inOrder(window);
    let first = 0;
    if (anchored) {
      const start = window.end - window.rangeMs;
      while (first < samples.length && (samples[first] as AnySample).t <= start) first++;
      if (first === samples.length) return undefined;
      first = Math.max(0, first - 1);
    }
    if (samples.length === 0) return undefined;
    let count = 0;
    for (let i = first + 1; i < samples.length; i++)
      if (test(samples[i - 1] as AnySample, samples[i] as AnySample)) count++;
    return count;
  };
}

/** Functions by name, and by name and modifier of the range. */
export const MIXED_FUNCTIONS: ReadonlyMap<string, MixedFunction> = new Map<string, MixedFunction>([
  ['rate', mixedRate(true, true)],
  ['increase', mixedRate(true, false)],
  ['delta', mixedRate(false, false)],
  ['irate', mixedLastTwo(true)],
  ['idelta', mixedLastTwo(false)],
  ['resets', countPairs(isReset, false)],
  ['changes', countPairs(isChange, false)],
  ['resets anchored', countPairs(isReset, true)],
  ['changes anchored', countPairs(isChange, true)],
  ['sum_over_time', sumOverTime],
  ['avg_over_time', avgOverTime],
  ['count_over_time', ({ floats, histograms }) => countOf(floats) + countOf(histograms)],
  ['present_over_time', () => 1],
  ['first_over_time', edge(false, false)],
  ['last_over_time', edge(true, false)],
  ['ts_of_first_over_time', edge(false, true)],
  ['ts_of_last_over_time', edge(true, true)],
  ...[
    'min_over_time',
    'max_over_time',
    'stddev_over_time',
    'stdvar_over_time',
    'quantile_over_time',
    'mad_over_time',
    'ts_of_min_over_time',
    'ts_of_max_over_time',
    'deriv',
    'predict_linear',
    'double_exponential_smoothing',
  ].map((name): [string, MixedFunction] => [name, ignoring]),
]);
