/**
 * rate, increase, delta, changes and resets of anchored and smoothed ranges (Prometheus 3.14, experimental).
 *
 * Such a window also holds samples up to a lookback before the range, and, when smoothed, after it: they say what the
 * value was at the very bounds. Anchored takes the sample before a bound as it is, smoothed interpolates.
 */
import type { SeriesWindows, WindowFunction } from './series-windows.ts';

/** A straight line between samples i and i+1 at time `at`; a counter that was reset starts from zero. */
function lineAt(
  w: Pick<SeriesWindows, 't' | 'v'>,
  i: number,
  at: number,
  isCounter: boolean,
): number {
  const { t, v } = w;
  const y2 = v[i + 1] as number;
  const y1 = isCounter && y2 < (v[i] as number) ? 0 : (v[i] as number);
  const t1 = t[i] as number;
  return y1 + ((y2 - y1) * (at - t1)) / ((t[i + 1] as number) - t1);
}

/** The first index in l … h-1 whose time is above (or, with `orAt`, at or above) `at`; h-1 when there is none. */
export function firstAfter(
  t: Float64Array,
  l: number,
  h: number,
  at: number,
  orAt: boolean,
): number {
  let i = l;
  while (i < h - 1 && !(orAt ? (t[i] as number) >= at : (t[i] as number) > at)) i++;
  return i;
}

function extendedRate(smoothed: boolean, isCounter: boolean, isRate: boolean): WindowFunction {
  const change = (w: SeriesWindows, l: number, h: number, end: number): number | undefined => {
    const { t, v, rangeMs } = w;
    const start = end - rangeMs;
    let first = Math.max(l, firstAfter(t, l, h, start, false) - 1);
    let last = smoothed ? firstAfter(t, l, h, end, true) : h - 1;
    if ((t[last] as number) <= start) return undefined;
    if (smoothed && (t[first] as number) > end) return undefined;
    const fromLeft = smoothed && (t[first] as number) < start;
    const left = fromLeft ? lineAt(w, first, start, isCounter) : (v[first] as number);
    const fromRight = smoothed && last > l && (t[last] as number) > end;
    const right = fromRight ? lineAt(w, last - 1, end, isCounter) : (v[last] as number);
    if (!isCounter) return right - left;
    if ((t[first] as number) <= start) first++;
    if ((t[last] as number) >= end) last--;
    let correction = 0;
    let previous = left;
    for (let i = first; i <= last; i++) {
      const value = v[i] as number;
      if (value < previous) correction += previous;
      previous = value;
    }
    if (right < previous) correction += previous;
    return right - left + correction;
  };
  return (w, out, present) => {
    for (let s = 0; s < w.steps; s++) {
      const l = w.lo[s] as number;
      const h = w.hi[s] as number;
      const result = h > l ? change(w, l, h, w.refStart + s * w.refStep) : undefined;
      present[s] = result === undefined ? 0 : 1;
      if (result !== undefined) out[s] = isRate ? result / (w.rangeMs / 1000) : result;
    }
  };
}

/** Counts neighbours from the last sample at or before the range's start on. */
function anchoredPairs(test: (value: number, before: number) => boolean): WindowFunction {
  return ({ t, v, lo, hi, steps, refStart, refStep, rangeMs }, out, present) => {
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      const start = refStart + s * refStep - rangeMs;
      present[s] = h > l && (t[h - 1] as number) > start ? 1 : 0;
      if (present[s] === 0) continue;
      let i = l;
      while (i + 1 < h && (t[i + 1] as number) <= start) i++;
      let count = 0;
      for (i++; i < h; i++) if (test(v[i] as number, v[i - 1] as number)) count++;
      out[s] = count;
    }
  };
}

/** A smoothed instant selector: between two samples the value lies on the line through them. */
const smoothedValue: WindowFunction = (w, out, present) => {
  const { t, v, lo, hi, steps, refStart, refStep } = w;
  for (let s = 0; s < steps; s++) {
    const l = lo[s] as number;
    const h = hi[s] as number;
    const at = refStart + s * refStep;
    let i = l;
    while (i < h && (t[i] as number) < at) i++;
    const exact = i < h && t[i] === at;
    present[s] = exact || i > l ? 1 : 0;
    if (exact) out[s] = v[i] as number;
    else if (i > l) out[s] = i < h ? lineAt(w, i - 1, at, false) : (v[h - 1] as number);
  }
};

/** The samples of a series around a range, all within its lookback. */
interface Samples {
  readonly t: Float64Array;
  readonly v: Float64Array;
  readonly length: number;
}

/**
 * What an extended range holds: the values at its bounds, and the numbers of the first and last sample inside. Undefined when no
 * sample lies behind its start.
 */
export function extendRange(
  { t, v, length }: Samples,
  { start, end }: { readonly start: number; readonly end: number },
  smoothed: boolean,
): { first: number; last: number; left: number; right: number } | undefined {
  if (length === 0) return undefined;
  let first = Math.max(0, firstAfter(t, 0, length, start, false) - 1);
  let last = smoothed ? firstAfter(t, 0, length, end, true) : length - 1;
  if ((t[last] as number) <= start) return undefined;
  const isLine = smoothed && (t[first] as number) < start;
  const left = isLine ? lineAt({ t, v }, first, start, false) : (v[first] as number);
  const isLineAtEnd = smoothed && last > 0 && (t[last] as number) > end;
  const right = isLineAtEnd ? lineAt({ t, v }, last - 1, end, false) : (v[last] as number);
  if ((t[first] as number) <= start) first++;
  if ((t[last] as number) >= end) last--;
  return { first, last, left, right };
}

/** Functions of extended ranges by name and modifier. */
export const EXTENDED_FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map([
  ['value smoothed', smoothedValue],
  ['rate anchored', extendedRate(false, true, true)],
  ['increase anchored', extendedRate(false, true, false)],
  ['delta anchored', extendedRate(false, false, false)],
  ['rate smoothed', extendedRate(true, true, true)],
  ['increase smoothed', extendedRate(true, true, false)],
  ['delta smoothed', extendedRate(true, false, false)],
  ['resets anchored', anchoredPairs((value, before) => value < before)],
  ['changes anchored', anchoredPairs((a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b)))],
]);
