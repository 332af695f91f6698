/**
 * rate, increase and delta of windows with native histograms or start timestamps (Prometheus 3.14, promql/functions.go,
 * extrapolatedRate and histogramRate), irate and idelta of them (instantValue).
 */
import { addHistograms, subtractHistograms } from '../../model/float-histogram/add-histograms.ts';
import { coarser } from '../../model/float-histogram/bucket-layout.ts';
import { detectReset } from '../../model/float-histogram/detect-reset.ts';
import {
  NO_BUCKETS,
  compact,
  divide,
  isCustom,
  scale,
  withHint,
} from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { countOf, startOf, startsAnew, startsOverlap } from './mixed-window.ts';
import type {
  AnySample,
  MixedFunction,
  MixedWindow,
  RangeNote,
  WindowSamples,
} from './mixed-window.ts';

type Sums = typeof addHistograms;

/** What a window's samples grew by, before extrapolation, and what it began with. */
interface Growth {
  readonly value: number | FloatHistogram | undefined;
  readonly first: number;
  readonly samples: WindowSamples<ArrayLike<unknown>>;
}

/** The function for windows that may hold native histograms. */
export function mixedRate(isCounter: boolean, isRate: boolean): MixedFunction {
  return (window) => {
    const { floats, histograms } = window;
    if (countOf(floats) > 0 && countOf(histograms) > 0) {
      window.note('mixed floats and histograms');
      return undefined;
    }
    const growth =
      countOf(histograms) > 0 ? histogramGrowth(window, isCounter) : floatGrowth(window, isCounter);
    return growth === undefined ? undefined : extrapolate(window, growth, { isCounter, isRate });
  };
}

function floatGrowth(window: MixedWindow, isCounter: boolean): Growth | undefined {
  const { floats } = window;
  const { v, from, to } = floats;
  if (to === from) return undefined;
  const first = v[from] as number;
  let value = (v[to - 1] as number) - first;
  if (!isCounter) return { value, first, samples: floats };
  noteOverlap(window, floats);
  for (let i = from + 1; i < to; i++) {
    const before = v[i - 1] as number;
    if ((v[i] as number) < before || isNewStart(floats, i)) value += before;
  }
  return { value, first, samples: floats };
}

function isNewStart(samples: WindowSamples<ArrayLike<unknown>>, i: number): boolean {
  if (samples.starts === undefined) return false;
  return startsAnew(startOf(samples, i - 1), startOf(samples, i));
}

function histogramGrowth(window: MixedWindow, isCounter: boolean): Growth | undefined {
  const { histograms } = window;
  const { v, from, to } = histograms;
  const first = v[from] as FloatHistogram;
  const growth = { first: first.count, samples: histograms };
  if (to - from === 1) return { ...growth, value: undefined };
  const value = histogramIncrease(window, isCounter);
  return value === undefined ? undefined : { ...growth, value };
}

/** The difference of the last and the first histogram, with what was there before each reset. */
function histogramIncrease(window: MixedWindow, isCounter: boolean): FloatHistogram | undefined {
  const { v, from, to } = window.histograms;
  const last = v[to - 1] as FloatHistogram;
  let first = v[from] as FloatHistogram;
  // A first sample that is followed by a reset counts for nothing, whatever its buckets.
  if (isCounter && isReset(window, from + 1)) first = nothingLike(v[from + 1] as FloatHistogram);
  const custom = isCustom(first);
  if (isCustom(last) !== custom) {
    if (isCounter) noteGauges(window, [v[from] as FloatHistogram, last]);
    return refuse(window, 'mixed bucket schemas');
  }
  let schema = Math.min(first.schema, last.schema);
  const middle = isCounter ? v.slice(from + 1, to - 1) : [];
  for (const { schema: own } of middle) {
    // compat: nothing else is said then.
    if (isCustom({ schema: own }) !== custom) return refuse(window, 'mixed bucket schemas');
    schema = Math.min(schema, own);
  }
  noteKinds(window, isCounter);
  let sum = combineNoted(window, subtractHistograms, inSchema(last, schema), first);
  if (isCounter && sum !== undefined) sum = withResets(window, sum, first);
  return sum === undefined ? undefined : withHint(compact(sum), RESET_HINT.gauge);
}

/** Adds what was there before each reset. */
function withResets(
  window: MixedWindow,
  difference: FloatHistogram,
  first: FloatHistogram,
): FloatHistogram | undefined {
  const { v, from, to } = window.histograms;
  noteOverlap(window, window.histograms);
  let sum: FloatHistogram | undefined = difference;
  let before = first;
  for (let i = from + 1; i < to && sum !== undefined; i++) {
    const current = v[i] as FloatHistogram;
    if (isNewStart(window.histograms, i) || detectReset(current, before))
      sum = combineNoted(window, addHistograms, sum, before);
    before = current;
  }
  return sum;
}

function noteGauges(window: MixedWindow, histograms: readonly FloatHistogram[]): void {
  if (histograms.some(({ hint }) => hint === RESET_HINT.gauge)) window.note('not a counter');
}

function noteKinds(window: MixedWindow, isCounter: boolean): void {
  const { v, from, to } = window.histograms;
  if (isCounter) noteGauges(window, v.slice(from, to));
  else if (v[from]?.hint !== RESET_HINT.gauge || v[to - 1]?.hint !== RESET_HINT.gauge)
    window.note('not a gauge');
}

/** Says once a window that start timestamps overlap. */
function noteOverlap(window: MixedWindow, samples: WindowSamples<ArrayLike<unknown>>): void {
  const { from, to, starts } = samples;
  if (starts === undefined) return;
  for (let i = from + 1; i < to; i++) {
    if (!startsOverlap(startOf(samples, i - 1), starts[i] as number)) continue;
    window.note('start times overlap');
    return;
  }
}

function isReset({ histograms }: MixedWindow, i: number): boolean {
  const { v } = histograms;
  return (
    isNewStart(histograms, i) || detectReset(v[i] as FloatHistogram, v[i - 1] as FloatHistogram)
  );
}

function nothingLike(histogram: FloatHistogram): FloatHistogram {
  return {
    ...histogram,
    count: 0,
    sum: 0,
    zeroCount: 0,
    zeroThreshold: 0,
    hint: RESET_HINT.unknown,
    positive: NO_BUCKETS,
    negative: NO_BUCKETS,
  };
}

function inSchema(histogram: FloatHistogram, schema: number): FloatHistogram {
  if (histogram.schema === schema) return histogram;
  const from = histogram.schema;
  const positive = coarser(histogram.positive, from, schema);
  return { ...histogram, schema, positive, negative: coarser(histogram.negative, from, schema) };
}

/** A sum or difference; undefined, with a note, when the two do not go together. */
export function combineNoted(
  window: Pick<MixedWindow, 'note'>,
  combine: Sums,
  a: FloatHistogram,
  b: FloatHistogram,
): FloatHistogram | undefined {
  const combined = combine(a, b);
  if (combined === undefined) return refuse(window, 'mixed bucket schemas');
  if (combined.reconciled) {
    const what = combine === addHistograms ? 'addition' : 'subtraction';
    window.note(`bounds reconciled in ${what}`);
  }
  return combined.histogram;
}

function refuse(window: Pick<MixedWindow, 'note'>, note: RangeNote): undefined {
  window.note(note);
  return undefined;
}

/** Stretches what was measured between the first and the last sample to the window, as far as samples may be expected. */
function extrapolate(
  window: MixedWindow,
  { value: grown, first, samples }: Growth,
  { isCounter, isRate }: { readonly isCounter: boolean; readonly isRate: boolean },
): number | FloatHistogram | undefined {
  const { t, from, to, starts } = samples;
  const rangeStart = window.end - window.rangeMs;
  const firstT = t[from] as number;
  const gaps = to - from - 1;
  let value = grown;
  let sampled = ((t[to - 1] as number) - firstT) / 1000;
  const average = gaps > 0 ? sampled / gaps : 0;
  const threshold = average * 1.1;
  let toStart = (firstT - rangeStart) / 1000;
  let toEnd = (window.end - (t[to - 1] as number)) / 1000;
  const start = starts?.[from] ?? 0;
  if (isCounter && start !== 0 && start > rangeStart && start < firstT) {
    // The counter was zero when it began: a sample that need not be guessed.
    toStart = 0;
    sampled = ((t[to - 1] as number) - start) / 1000;
    value = withFirst(window, value);
    if (value === undefined) return undefined;
  } else if (gaps === 0 || value === undefined) return undefined;
  else {
    if (toStart >= threshold) toStart = average / 2;
    const total = typeof value === 'number' ? value : value.count;
    // A counter is never negative: extrapolation stops where it would have been zero.
    if (isCounter && total > 0 && first >= 0)
      toStart = Math.min(toStart, sampled * (first / total));
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (isRate) factor /= window.rangeMs / 1000;
  return typeof value === 'number' ? value * factor : scale(value, factor);
}

/** The growth with the first sample itself. */
function withFirst(
  window: MixedWindow,
  grown: number | FloatHistogram | undefined,
): number | FloatHistogram | undefined {
  const { floats, histograms } = window;
  if (typeof grown === 'number') return grown + (floats.v[floats.from] as number);
  const first = histograms.v[histograms.from] as FloatHistogram;
  return grown === undefined ? first : combineNoted(window, addHistograms, grown, first);
}

/** The last two samples of a window, whatever they are, oldest first. */
function lastTwo({ floats, histograms }: MixedWindow): readonly [AnySample, AnySample] | undefined {
  const list: AnySample[] = [];
  for (const samples of [floats, histograms]) {
    for (let i = Math.max(samples.from, samples.to - 2); i < samples.to; i++)
      list.push({ ...startOf(samples, i), value: samples.v[i] as number | FloatHistogram });
  }
  list.sort((a, b) => a.t - b.t);
  const [before, last] = list.slice(-2);
  return before === undefined || last === undefined ? undefined : [before, last];
}

/** irate and idelta of windows that may hold native histograms. */
export function mixedLastTwo(isRate: boolean): MixedFunction {
  return (window) => {
    const pair = lastTwo(window);
    if (pair === undefined) return undefined;
    const [before, last] = pair;
    const seconds = (last.t - before.t) / 1000;
    if (seconds === 0) return undefined;
    const a = before.value;
    const b = last.value;
    if (typeof a === 'number' && typeof b === 'number') {
      const change = isRate && (b < a || startsAnew(before, last)) ? b : b - a;
      return isRate ? change / seconds : change;
    }
    if (typeof a === 'number' || typeof b === 'number')
      return refuse(window, 'mixed floats and histograms');
    const gauges = [a, b].filter(({ hint }) => hint === RESET_HINT.gauge).length;
    if (isRate ? gauges > 0 : gauges < 2) window.note(isRate ? 'not a counter' : 'not a gauge');
    const anew = isRate && (startsAnew(before, last) || detectReset(b, a));
    const change = anew ? b : combineNoted(window, subtractHistograms, b, a);
    if (change === undefined) return undefined;
    const gauge = withHint(compact(change), RESET_HINT.gauge);
    return isRate ? divide(gauge, seconds) : gauge;
  };
}
