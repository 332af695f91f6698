/** Range functions of floats and native histograms: what they do when a window has either or both. */
import { anchoredPoints, extendedDelta } from './extended-range.ts';
import { FLOAT_WINDOW_FUNCTIONS, type FloatPoint } from './float-windows.ts';
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
    default:
      return floatFunction(call);
  }
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
    const delta = extendedDelta(window, { smoothed: extension === 'smoothed', isCounter });
    return delta === undefined || !perSecond ? delta : delta / seconds;
  }
  const points = floatsOf(window.points);
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
  if (typeof before.value !== 'number' || typeof after.value !== 'number') return undefined;
  const isReset = isRate && after.value < before.value;
  const delta = isReset ? after.value : after.value - before.value;
  return isRate ? delta / ((after.t - before.t) / 1000) : delta;
}
