/**
 * rate, increase, delta and their instant kin, in Prometheus' arithmetic (promql/functions.go, extrapolatedRate).
 *
 * The increase of a counter is last - first, plus, in order, the value before each reset inside the window. Resets
 * are rare: their list is made once a series, and a window looks only at those that it holds.
 */
import type { SeriesWindows, WindowFunction } from './series-windows.ts';

/** Writes the indices of samples that are below their predecessor and returns how many there are. */
export function findResets(v: Float64Array, length: number, into: Int32Array): number {
  let count = 0;
  let previous = v[0] as number;
  for (let i = 1; i < length; i++) {
    const value = v[i] as number;
    if (value < previous) into[count++] = i;
    previous = value;
  }
  return count;
}

function extrapolated(isCounter: boolean, isRate: boolean): WindowFunction {
  return (w, out, present) => {
    const { t, v, steps, lo, hi, refStart, refStep, rangeMs } = w;
    const resets = w.scratch.ints(w.length);
    const resetCount = isCounter ? findResets(v, w.length, resets) : 0;
    const perSecond = isRate ? rangeMs / 1000 : 1;
    let firstReset = 0;
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      const gaps = h - l - 1;
      if (gaps < 1) {
        present[s] = 0;
        continue;
      }
      const first = v[l] as number;
      let result = (v[h - 1] as number) - first;
      if (firstReset < resetCount) {
        while (firstReset < resetCount && (resets[firstReset] as number) <= l) firstReset++;
        for (let r = firstReset; r < resetCount; r++) {
          const i = resets[r] as number;
          if (i >= h) break;
          result += v[i - 1] as number;
        }
      }
      const firstT = t[l] as number;
      const lastT = t[h - 1] as number;
      const end = refStart + s * refStep;
      let toStart = (firstT - (end - rangeMs)) / 1000;
      let toEnd = (end - lastT) / 1000;
      const sampled = (lastT - firstT) / 1000;
      const average = sampled / gaps;
      const threshold = average * 1.1;
      if (toStart >= threshold) toStart = average / 2;
      // A counter is never negative: extrapolation stops where it would have been zero.
      if (isCounter && result > 0 && first >= 0) {
        const toZero = sampled * (first / result);
        if (toZero < toStart) toStart = toZero;
      }
      if (toEnd >= threshold) toEnd = average / 2;
      out[s] = result * ((sampled + toStart + toEnd) / sampled / perSecond);
      present[s] = 1;
    }
  };
}

/** rate(): per second, extrapolated to the window's bounds. */
export const rate = extrapolated(true, true);
/** increase(): extrapolated to the window's bounds. */
export const increase = extrapolated(true, false);
/** delta(): of a gauge, extrapolated to the window's bounds. */
export const delta = extrapolated(false, false);

function lastTwo(isRate: boolean): WindowFunction {
  return ({ t, v, steps, lo, hi }, out, present) => {
    for (let s = 0; s < steps; s++) {
      const last = (hi[s] as number) - 1;
      if (last - (lo[s] as number) < 1) {
        present[s] = 0;
        continue;
      }
      const value = v[last] as number;
      const before = v[last - 1] as number;
      // After a reset the counter has grown from zero to its value.
      const change = isRate && value < before ? value : value - before;
      const seconds = ((t[last] as number) - (t[last - 1] as number)) / 1000;
      out[s] = isRate ? change / seconds : change;
      present[s] = 1;
    }
  };
}

/** irate(): per second, of the last two samples. */
export const irate = lastTwo(true);
/** idelta(): of the last two samples. */
export const idelta = lastTwo(false);

/** Counts pairs of neighbours inside each window for which the test holds, by a prefix sum. */
function countPairs(test: (value: number, before: number) => boolean): WindowFunction {
  return (w, out, present) => {
    const { v, length, steps, lo, hi } = w;
    const upTo = w.scratch.ints(length + 1);
    let count = 0;
    upTo[0] = 0;
    for (let i = 1; i < length; i++) {
      if (test(v[i] as number, v[i - 1] as number)) count++;
      upTo[i] = count;
    }
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      present[s] = h > l ? 1 : 0;
      if (h > l) out[s] = (upTo[h - 1] as number) - (upTo[l] as number);
    }
  };
}

/** resets(): how often the value went down. */
export const resets = countPairs((value, before) => value < before);
/** changes(): how often the value became another; NaN does not differ from NaN. */
export const changes = countPairs(
  (value, before) => value !== before && !(Number.isNaN(value) && Number.isNaN(before)),
);

/** The slope and the value at a time, by least squares; null slopes stay exact for constant values. */
function linearRegression(
  { t, v }: SeriesWindows,
  l: number,
  h: number,
  interceptT: number,
): [slope: number, intercept: number] {
  const initial = v[l] as number;
  let constant = true;
  const x = new LostBits();
  const y = new LostBits();
  const xy = new LostBits();
  const xx = new LostBits();
  for (let i = l; i < h; i++) {
    const value = v[i] as number;
    if (value !== initial && i > l) constant = false;
    const seconds = ((t[i] as number) - interceptT) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  if (constant) return Math.abs(initial) === Infinity ? [NaN, NaN] : [0, initial];
  const n = h - l;
  const sumX = x.total;
  const sumY = y.total;
  const slope = (xy.total - (sumX * sumY) / n) / (xx.total - (sumX * sumX) / n);
  return [slope, sumY / n - (slope * sumX) / n];
}

/** A compensated sum whose total keeps the compensation even at infinity, as the regression does. */
class LostBits {
  #sum = 0;
  #comp = 0;

  add(value: number): void {
    const total = this.#sum + value;
    if (Math.abs(total) === Infinity) this.#comp = 0;
    else if (Math.abs(this.#sum) >= Math.abs(value)) this.#comp += this.#sum - total + value;
    else this.#comp += value - total + this.#sum;
    this.#sum = total;
  }

  get total(): number {
    return this.#sum + this.#comp;
  }
}

/** deriv(): slope per second. */
export const deriv: WindowFunction = (w, out, present) => {
  for (let s = 0; s < w.steps; s++) {
    const l = w.lo[s] as number;
    const h = w.hi[s] as number;
    present[s] = h - l >= 2 ? 1 : 0;
    if (h - l >= 2) out[s] = linearRegression(w, l, h, w.t[l] as number)[0];
  }
};

/** predict_linear(): the value so many seconds after the evaluation time. */
export const predictLinear: WindowFunction = (w, out, present) => {
  const seconds = w.params[0] as Float64Array;
  for (let s = 0; s < w.steps; s++) {
    const l = w.lo[s] as number;
    const h = w.hi[s] as number;
    present[s] = h - l >= 2 ? 1 : 0;
    if (h - l < 2) continue;
    const [slope, intercept] = linearRegression(w, l, h, w.start + s * w.step);
    out[s] = slope * (seconds[seconds.length === 1 ? 0 : s] as number) + intercept;
  }
};
