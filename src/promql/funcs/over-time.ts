/** The *_over_time functions (Prometheus 3.14, promql/functions.go), each in one pass over a series' columns. */
import { sumError } from '../../lib/kahan.ts';
import { paramAt, type SeriesWindows, type WindowFunction } from './series-windows.ts';

/** limit: a sum that rounds to this may have lost its last bit. */
const LEAST_INEXACT = 2 ** 53;

/**
 * Writes prefix sums when every value is an integer and no partial sum leaves the range of exact integers: then, and
 * only then, a difference of two of them is the very sum of a window.
 */
function exactPrefixSums(v: Float64Array, length: number, into: Float64Array): boolean {
  let sum = 0;
  into[0] = 0;
  for (let i = 0; i < length; i++) {
    const value = v[i] as number;
    sum += value;
    if (Math.floor(value) !== value || sum >= LEAST_INEXACT || sum <= -LEAST_INEXACT) return false;
    into[i + 1] = sum;
  }
  return true;
}

/** A function of each non-empty window by its bounds. */
function ofWindow(
  value: (w: SeriesWindows, l: number, h: number, s: number) => number,
): WindowFunction {
  return (w, out, present) => {
    const { steps, lo, hi } = w;
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      present[s] = h > l ? 1 : 0;
      if (h > l) out[s] = value(w, l, h, s);
    }
  };
}

function sumWindow({ v }: SeriesWindows, l: number, h: number): number {
  let sum = 0;
  let comp = 0;
  for (let i = l; i < h; i++) {
    const value = v[i] as number;
    const total = sum + value;
    comp += sumError(sum, value, total);
    if (total === Infinity || total === -Infinity) comp = 0;
    sum = total;
  }
  return sum === Infinity || sum === -Infinity ? sum : sum + comp;
}

function meanWindow({ v }: SeriesWindows, l: number, h: number): number {
  let sum = v[l] as number;
  let comp = 0;
  for (let i = l + 1; i < h; i++) {
    const value = v[i] as number;
    const total = sum + value;
    if (total === Infinity || total === -Infinity)
      return incrementalMean(v, i, h, { l, sum, comp });
    comp += sumError(sum, value, total);
    sum = total;
  }
  const count = h - l;
  return sum / count + comp / count;
}

/** Goes on from sample i with a running mean, because the running sum would overflow. */
function incrementalMean(
  v: Float64Array,
  from: number,
  h: number,
  before: { l: number; sum: number; comp: number },
): number {
  let mean = before.sum / (from - before.l);
  let comp = before.comp / (from - before.l);
  for (let i = from; i < h; i++) {
    const count = i - before.l + 1;
    const q = (count - 1) / count;
    const part = (v[i] as number) / count;
    const base = q * mean;
    const total = base + part;
    comp = q * comp + sumError(base, part, total);
    if (total === Infinity || total === -Infinity) comp = 0;
    mean = total;
  }
  return mean + comp;
}

/** Sums or means from exact prefix sums where every partial sum is an integer, otherwise window by window. */
function sumLike(isMean: boolean): WindowFunction {
  const slow = ofWindow(isMean ? meanWindow : sumWindow);
  return (w, out, present) => {
    const sums = w.scratch.floats(w.length + 1);
    if (!exactPrefixSums(w.v, w.length, sums)) {
      slow(w, out, present);
      return;
    }
    const { steps, lo, hi } = w;
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      present[s] = h > l ? 1 : 0;
      const sum = (sums[h] as number) - (sums[l] as number);
      out[s] = isMean ? sum / (h - l) : sum;
    }
  };
}

/** sum_over_time(). */
export const sumOverTime = sumLike(false);
/** avg_over_time(). */
export const avgOverTime = sumLike(true);

/**
 * The extreme of each window by a monotonic queue of indices: the front is the first sample of the window that no
 * later one beats. `sign` 1 finds the greatest, -1 the least. NaN loses against everything.
 */
function extremeIndex(
  w: SeriesWindows,
  sign: 1 | -1,
  use: (s: number, index: number) => void,
): void {
  const { v, steps, lo, hi } = w;
  const queue = w.scratch.ints(w.length);
  let front = 0;
  let back = 0;
  let next = 0;
  for (let s = 0; s < steps; s++) {
    const l = lo[s] as number;
    const h = hi[s] as number;
    if (next < l) next = l;
    for (; next < h; next++) {
      const value = (v[next] as number) * sign;
      if (Number.isNaN(value)) continue;
      while (back > front && (v[queue[back - 1] as number] as number) * sign < value) back--;
      queue[back++] = next;
    }
    while (front < back && (queue[front] as number) < l) front++;
    if (front === back) {
      front = 0;
      back = 0;
    }
    use(s, front < back ? (queue[front] as number) : -1);
  }
}

function extreme(sign: 1 | -1): WindowFunction {
  return (w, out, present) => {
    const { v, lo, hi } = w;
    extremeIndex(w, sign, (s, index) => {
      present[s] = (hi[s] as number) > (lo[s] as number) ? 1 : 0;
      out[s] = index < 0 ? NaN : (v[index] as number);
    });
  };
}

/** max_over_time(). */
export const maxOverTime = extreme(1);
/** min_over_time(). */
export const minOverTime = extreme(-1);

/** ts_of_max_over_time(), ts_of_min_over_time(): of several equal extremes the last one counts. */
function timestampOfExtreme(sign: 1 | -1): WindowFunction {
  return ofWindow(({ t, v }, l, h) => {
    let best = v[l] as number;
    let at = t[l] as number;
    for (let i = l; i < h; i++) {
      const value = v[i] as number;
      if (value * sign >= best * sign || Number.isNaN(best)) {
        best = value;
        at = t[i] as number;
      }
    }
    return at / 1000;
  });
}

/** count_over_time(). */
export const countOverTime = ofWindow((_w, l, h) => h - l);
/** present_over_time(). */
export const presentOverTime = ofWindow(() => 1);
/** last_over_time(). */
export const lastOverTime = ofWindow(({ v }, _l, h) => v[h - 1] as number);
/** first_over_time(). */
export const firstOverTime = ofWindow(({ v }, l) => v[l] as number);
/** ts_of_last_over_time(). */
export const tsOfLastOverTime = ofWindow(({ t }, _l, h) => (t[h - 1] as number) / 1000);
/** ts_of_first_over_time(). */
export const tsOfFirstOverTime = ofWindow(({ t }, l) => (t[l] as number) / 1000);
/** ts_of_max_over_time(). */
export const tsOfMaxOverTime = timestampOfExtreme(1);
/** ts_of_min_over_time(). */
export const tsOfMinOverTime = timestampOfExtreme(-1);

/** Population variance by Welford's method with compensated sums. */
function varianceWindow({ v }: SeriesWindows, l: number, h: number): number {
  let mean = 0;
  let meanComp = 0;
  let aux = 0;
  let auxComp = 0;
  for (let i = l; i < h; i++) {
    const value = v[i] as number;
    const difference = value - (mean + meanComp);
    const part = difference / (i - l + 1);
    const newMean = mean + part;
    meanComp = Math.abs(newMean) === Infinity ? 0 : meanComp + sumError(mean, part, newMean);
    mean = newMean;
    const square = difference * (value - (mean + meanComp));
    const newAux = aux + square;
    auxComp = Math.abs(newAux) === Infinity ? 0 : auxComp + sumError(aux, square, newAux);
    aux = newAux;
  }
  return (aux + auxComp) / (h - l);
}

/** stdvar_over_time(). */
export const stdvarOverTime = ofWindow(varianceWindow);
/** stddev_over_time(). */
export const stddevOverTime = ofWindow((w, l, h) => Math.sqrt(varianceWindow(w, l, h)));

/** double_exponential_smoothing() with a smoothing and a trend factor, both checked by the caller. */
export const doubleExponentialSmoothing: WindowFunction = (w, out, present) => {
  const { v, steps, lo, hi } = w;
  for (let s = 0; s < steps; s++) {
    const l = lo[s] as number;
    const h = hi[s] as number;
    present[s] = h - l >= 2 ? 1 : 0;
    if (h - l < 2) continue;
    const smoothing = paramAt(w.params[0] as Float64Array, s);
    const trend = paramAt(w.params[1] as Float64Array, s);
    let before = 0;
    let level = v[l] as number;
    let slope = (v[l + 1] as number) - level;
    for (let i = l + 1; i < h; i++) {
      if (i > l + 1) slope = trend * (level - before) + (1 - trend) * slope;
      const next = smoothing * (v[i] as number) + (1 - smoothing) * (level + slope);
      before = level;
      level = next;
    }
    out[s] = level;
  }
};
