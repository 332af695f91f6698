/** anchored and smoothed ranges of native histograms. */
import { extent } from './extended-range.ts';
import {
  add,
  asGauge,
  IncompatibleBuckets,
  isReset,
  multiply,
  subtract,
} from './histogram-arithmetic.ts';
import { isCustom } from './histogram-buckets.ts';
import type { NaiveHistogram } from './histogram.ts';
import type { Window } from './window.ts';

/** A histogram with its time in ms. */
export interface HistogramPoint {
  readonly t: number;
  readonly value: NaiveHistogram;
}

/** The histogram on the line between two; a counter that was reset began at nothing. @throws IncompatibleBuckets */
export function interpolateHistograms(
  from: HistogramPoint,
  to: HistogramPoint,
  t: number,
  isCounter: boolean,
): NaiveHistogram {
  if (t === from.t) return from.value;
  if (t === to.t) return to.value;
  const share = (t - from.t) / (to.t - from.t);
  if (isCounter && isReset(to.value, from.value)) return multiply(to.value, share);
  return add(multiply(subtract(to.value, from.value), share), from.value);
}

/** The difference of a range, with resets added when it is of a counter. @throws IncompatibleBuckets */
export function extendedHistogramDelta(
  window: Window,
  { smoothed, isCounter }: { smoothed: boolean; isCounter: boolean },
): NaiveHistogram | undefined {
  const { start, end } = window;
  const seen = extent(window, smoothed) as readonly HistogramPoint[];
  const [first, second] = seen;
  const last = seen.at(-1);
  if (first === undefined || last === undefined || last.t <= start) return undefined;
  if (smoothed && first.t > end) return undefined;
  if (new Set(seen.map(({ value }) => isCustom(value))).size > 1) throw new IncompatibleBuckets();
  const before = seen.at(-2);
  const cutsLeft = smoothed && first.t < start && second !== undefined;
  const left = cutsLeft ? interpolateHistograms(first, second, start, isCounter) : first.value;
  const right =
    smoothed && before !== undefined && last.t > end
      ? interpolateHistograms(before, last, end, isCounter)
      : last.value;
  const delta = subtract(right, left);
  if (!isCounter) return asGauge(delta);
  // A reset that the left end lies in is part of it.
  const resetAtLeft = cutsLeft && isReset(second.value, first.value);
  const taken = resetAtLeft ? 2 : 1;
  if (taken > seen.length - 1) return asGauge(delta);
  const between = seen.slice(taken, -1).map(({ value }) => value);
  const correction = lostAtResets(resetAtLeft ? second.value : left, [...between, right]);
  return asGauge(correction === undefined ? delta : add(delta, correction));
}

/** The sum of what was before each reset. */
function lostAtResets(
  first: NaiveHistogram,
  rest: readonly NaiveHistogram[],
): NaiveHistogram | undefined {
  let lost: NaiveHistogram | undefined;
  let before = first;
  for (const h of rest) {
    if (isReset(h, before)) lost = lost === undefined ? before : add(lost, before);
    before = h;
  }
  return lost;
}
