/** anchored and smoothed ranges of floats: differences between the values at both ends of a range. */
import type { LivePoint } from './sample.ts';
import type { Window } from './window.ts';

/** The value at a time on the line between two samples. A counter that was reset between them began at 0. */
export function interpolateFloats(
  from: LivePoint,
  to: LivePoint,
  t: number,
  isCounter: boolean,
): number {
  const y2 = to.value as number;
  const first = from.value as number;
  const y1 = isCounter && y2 < first ? 0 : first;
  return y1 + ((y2 - y1) * (t - from.t)) / (to.t - from.t);
}

/** What of a window an extended function looks at: the sample before it, those inside, and, smoothed, the one behind. */
export function extent({ points, start, end }: Window, smoothed: boolean): readonly LivePoint[] {
  const within = points.slice(0, -1).findIndex(({ t }) => t > start);
  const firstInside = within < 0 ? points.length - 1 : within;
  const from = Math.max(0, firstInside - 1);
  if (!smoothed) return points.slice(from);
  const behind = points.slice(0, -1).findIndex(({ t }) => t >= end);
  return points.slice(from, (behind < 0 ? points.length - 1 : behind) + 1);
}

/** The difference of a range, with resets added when it is of a counter. */
export function extendedDelta(
  window: Window,
  { smoothed, isCounter }: { smoothed: boolean; isCounter: boolean },
): number | undefined {
  const { start, end } = window;
  const seen = extent(window, smoothed);
  const [first, second] = seen;
  const last = seen.at(-1);
  if (first === undefined || last === undefined || last.t <= start) return undefined;
  if (smoothed && first.t > end) return undefined;
  const before = seen.at(-2);
  const left =
    smoothed && first.t < start && second !== undefined
      ? interpolateFloats(first, second, start, isCounter)
      : (first.value as number);
  const right =
    smoothed && before !== undefined && last.t > end
      ? interpolateFloats(before, last, end, isCounter)
      : (last.value as number);
  let delta = right - left;
  if (!isCounter) return delta;
  let correction = 0;
  let previous = left;
  const inside = seen.filter(({ t }) => t > start && t < end).map(({ value }) => value as number);
  for (const value of [...inside, right]) {
    if (value < previous) correction += previous;
    previous = value;
  }
  delta += correction;
  return delta;
}

/** What resets() and changes() of an anchored range look at: the last sample before it and all behind. */
export function anchoredPoints({ points, start }: Window): readonly LivePoint[] {
  if (!points.some(({ t }) => t > start)) return [];
  const before = points.filter(({ t }) => t <= start).length;
  return points.slice(Math.max(0, before - 1));
}
