/** Range functions of floats and native histograms: what they do when a window has either or both. */
import { extendedHistogramDelta } from './extended-histograms.ts';
import { anchoredPoints, extendedDelta } from './extended-range.ts';
import { FLOAT_WINDOW_FUNCTIONS, checkFactors, type FloatPoint } from './float-windows.ts';
import {
  add,
  asGauge,
  divide,
  emptyLike,
  equalHistograms,
  IncompatibleBuckets,
  isReset,
  meanHistogram,
  multiply,
  subtract,
  sumHistograms,
  whenCompatible,
} from './histogram-arithmetic.ts';
import { isCustom, reduceTo } from './histogram-buckets.ts';
import type { NaiveHistogram } from './histogram.ts';
import type { LivePoint, Value } from './sample.ts';
import type { Window } from './window.ts';

/** How a range selector looks beyond its range. */
export type Extension = 'none' | 'anchored' | 'smoothed';

/** What a range function is called with at one step. */
export interface RangeCall {
  readonly name: string;
  readonly window: Window;
  readonly params: readonly number[];
  readonly extension: Extension;
}

/** The value at one step of a window that is not empty; undefined when there is none. */
export function applyRangeFunction(call: RangeCall): Value | undefined {
  const { name, window } = call;
  const { points } = window;
  switch (name) {
    case 'present_over_time':
    case 'absent_over_time':
      return 1;
    case 'count_over_time':
      return points.length;
    case 'first_over_time':
      return points[0]?.value;
    case 'last_over_time':
      return points.at(-1)?.value;
    case 'ts_of_first_over_time':
      return (points[0] as LivePoint).t / 1000;
    case 'ts_of_last_over_time':
      return (points.at(-1) as LivePoint).t / 1000;
    case 'rate':
      return difference(call, { isCounter: true, perSecond: true });
    case 'increase':
      return difference(call, { isCounter: true, perSecond: false });
    case 'delta':
      return difference(call, { isCounter: false, perSecond: false });
    case 'irate':
    case 'idelta':
      return lastDifference(points, name === 'irate');
    case 'resets':
    case 'changes':
      return countPairs(call);
    case 'sum_over_time':
    case 'avg_over_time':
      return total(call);
    case 'double_exponential_smoothing':
      // Looked at even when all samples are histograms.
      checkFactors(call.params);
      return floatFunction(call);
    default:
      return floatFunction(call);
  }
}

/** Sums and means of floats, or of histograms; of both there is none. */
function total(call: RangeCall): Value | undefined {
  const { name, window } = call;
  const histograms = window.points.map(({ value }) => value).filter((v) => typeof v !== 'number');
  if (histograms.length === 0) return floatFunction(call);
  if (histograms.length < window.points.length) return undefined;
  const combine = name === 'sum_over_time' ? sumHistograms : meanHistogram;
  return whenCompatible(() => combine(histograms));
}

/** How often the counter began anew, or the value changed; a change of type is both. */
function countPairs({ name, window, extension }: RangeCall): number | undefined {
  const points = extension === 'anchored' ? anchoredPoints(window) : window.points;
  if (points.length === 0) return undefined;
  const test = name === 'resets' ? isFall : isChange;
  return points.filter(({ value }, i) => i > 0 && test((points[i - 1] as LivePoint).value, value))
    .length;
}

function isFall(before: Value, after: Value): boolean {
  if (typeof before === 'number') return typeof after !== 'number' || after < before;
  return typeof after === 'number' || isReset(after, before);
}

function isChange(before: Value, after: Value): boolean {
  if (typeof before === 'number') {
    if (typeof after !== 'number') return true;
    return before !== after && !(Number.isNaN(before) && Number.isNaN(after));
  }
  return typeof after === 'number' || !equalHistograms(before, after);
}

function floatsOf(points: readonly LivePoint[]): FloatPoint[] {
  return points.filter((point): point is FloatPoint => typeof point.value === 'number');
}

function floatFunction({ name, window, params, extension }: RangeCall): number | undefined {
  const seen = extension === 'anchored' ? anchoredPoints(window) : window.points;
  const [first, ...rest] = floatsOf(seen);
  if (first === undefined) return undefined;
  return FLOAT_WINDOW_FUNCTIONS.get(name)?.([first, ...rest], params, window.t);
}

interface Difference {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

function difference(call: RangeCall, { isCounter, perSecond }: Difference): Value | undefined {
  const { window, extension } = call;
  const seconds = (window.end - window.start) / 1000;
  if (extension !== 'none') {
    const delta = extended(window, { smoothed: extension === 'smoothed', isCounter });
    if (delta === undefined || !perSecond) return delta;
    return typeof delta === 'number' ? delta / seconds : divide(delta, seconds);
  }
  const points = floatsOf(window.points);
  if (points.length === 0) return histogramDifference(window, isCounter, perSecond);
  if (points.length < window.points.length) return undefined;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return undefined;
  let delta = last.value - first.value;
  if (isCounter) {
    for (const [i, { value }] of points.slice(1).entries()) {
      const before = (points[i] as FloatPoint).value;
      if (value < before) delta += before;
    }
  }
  const zero = isCounter && first.value >= 0 && delta > 0 ? first.value / delta : undefined;
  const factor = extrapolation(window, zero);
  return delta * (perSecond ? factor / seconds : factor);
}

/** Differences of anchored and smoothed ranges, of floats or of histograms. */
function extended(
  window: Window,
  how: { smoothed: boolean; isCounter: boolean },
): Value | undefined {
  const floats = floatsOf(window.points).length;
  if (floats === window.points.length) return extendedDelta(window, how);
  return floats > 0 ? undefined : whenCompatible(() => extendedHistogramDelta(window, how));
}

function histogramDifference(
  window: Window,
  isCounter: boolean,
  perSecond: boolean,
): NaiveHistogram | undefined {
  const histograms = histogramsOf(window.points);
  const [first] = histograms;
  if (first === undefined || histograms.length < 2) return undefined;
  const delta = whenCompatible(() => growth(histograms, isCounter));
  if (delta === undefined) return undefined;
  const zero =
    isCounter && delta.count > 0 && first.count >= 0 ? first.count / delta.count : undefined;
  const factor = extrapolation(window, zero);
  return multiply(delta, perSecond ? factor / ((window.end - window.start) / 1000) : factor);
}

function histogramsOf(points: readonly LivePoint[]): NaiveHistogram[] {
  return points.map(({ value }) => value).filter((value) => typeof value !== 'number');
}

/** The last histogram less the first, and what was before each reset. @throws IncompatibleBuckets */
function growth(histograms: readonly NaiveHistogram[], isCounter: boolean): NaiveHistogram {
  const [first, second] = histograms as [NaiveHistogram, NaiveHistogram];
  const last = histograms.at(-1) as NaiveHistogram;
  // What was before a reset at once does not count, so its buckets need not go with the others.
  const start = isCounter && isReset(second, first) ? emptyLike(second) : first;
  const involved = isCounter ? [start, ...histograms.slice(1)] : [start, last];
  if (new Set(involved.map(isCustom)).size > 1) throw new IncompatibleBuckets();
  const schema = Math.min(...involved.map((h) => h.schema));
  let delta = subtract(reduceTo(last, schema), start);
  let before = start;
  for (const h of isCounter ? histograms.slice(1) : []) {
    if (isReset(h, before)) delta = add(delta, before);
    before = h;
  }
  return asGauge(delta);
}

/**
 * How much longer the range is taken to be than the samples cover: up to its ends when they are near, else by half
 * the distance of samples. A counter that would have been 0 before does not begin earlier: `zero` is its first value
 * in parts of its growth.
 */
export function extrapolation({ points, start, end }: Window, zero: number | undefined): number {
  const [first, last] = [points[0] as LivePoint, points.at(-1) as LivePoint];
  const covered = (last.t - first.t) / 1000;
  const distance = covered / (points.length - 1);
  const near = distance * 1.1;
  let before = (first.t - start) / 1000;
  let after = (end - last.t) / 1000;
  if (before >= near) before = distance / 2;
  if (zero !== undefined && covered * zero < before) before = covered * zero;
  if (after >= near) after = distance / 2;
  return (covered + before + after) / covered;
}

function lastDifference(points: readonly LivePoint[], isRate: boolean): Value | undefined {
  const [before, after] = points.slice(-2);
  if (before === undefined || after === undefined) return undefined;
  const seconds = (after.t - before.t) / 1000;
  if (typeof before.value !== 'number' && typeof after.value !== 'number') {
    const [h, old] = [after.value, before.value];
    const fell = isRate && isReset(h, old);
    const delta = whenCompatible(() => asGauge(fell ? h : subtract(h, old)));
    return delta === undefined || !isRate ? delta : divide(delta, seconds);
  }
  if (typeof before.value !== 'number' || typeof after.value !== 'number') return undefined;
  const fell = isRate && after.value < before.value;
  const delta = fell ? after.value : after.value - before.value;
  return isRate ? delta / seconds : delta;
}
