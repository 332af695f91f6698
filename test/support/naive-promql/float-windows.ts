/** Range functions of floats: each looks at all samples of its window again. */
import { kahanAdd } from './kahan.ts';
import { NaiveError } from './sample.ts';
import { quantileOf } from './quantile.ts';

/** A float with its time in ms. */
export interface FloatPoint {
  readonly t: number;
  readonly value: number;
}

/** Computes one value of a window that is not empty; undefined when there is none. `t` is the evaluation time. */
export type FloatWindowFunction = (
  points: readonly [FloatPoint, ...FloatPoint[]],
  params: readonly number[],
  t: number,
) => number | undefined;

type Points = readonly [FloatPoint, ...FloatPoint[]];

function sum(points: Points): number {
  let state: [number, number] = [0, 0];
  for (const { value } of points) state = kahanAdd(value, state);
  const [total, c] = state;
  return Math.abs(total) === Infinity ? total : total + c;
}

/** The sum by the count, or, once the sum would overflow, the mean made better value by value. */
export function meanOf(values: readonly number[]): number {
  let state: [number, number] = [values[0] ?? NaN, 0];
  let incremental = false;
  for (let count = 2; count <= values.length; count++) {
    const value = values[count - 1] as number;
    if (!incremental) {
      const next = kahanAdd(value, state);
      if (Math.abs(next[0]) !== Infinity) {
        state = next;
        continue;
      }
      incremental = true;
      state = [state[0] / (count - 1), state[1] / (count - 1)];
    }
    const share = (count - 1) / count;
    state = kahanAdd(value / count, [share * state[0], share * state[1]]);
  }
  if (incremental) return state[0] + state[1];
  return state[0] / values.length + state[1] / values.length;
}

function variance(points: Points): number {
  let mean: [number, number] = [0, 0];
  let squares: [number, number] = [0, 0];
  for (const [i, { value }] of points.entries()) {
    const delta = value - (mean[0] + mean[1]);
    mean = kahanAdd(delta / (i + 1), mean);
    squares = kahanAdd(delta * (value - (mean[0] + mean[1])), squares);
  }
  return (squares[0] + squares[1]) / points.length;
}

/** The point that beats all before it; the first one is beaten by anything when it is NaN. */
function best(points: Points, beats: (value: number, than: number) => boolean): FloatPoint {
  let [winner] = points;
  for (const point of points) {
    if (beats(point.value, winner.value) || Number.isNaN(winner.value)) winner = point;
  }
  return winner;
}

function medianDeviation(points: Points): number {
  const values = points.map(({ value }) => value);
  if (values.some(Number.isNaN)) return NaN;
  const median = quantileOf(0.5, values);
  return quantileOf(
    0.5,
    values.map((value) => Math.abs(value - median)),
  );
}

/** Slope and value at a time of the straight line that fits best. */
function regression(points: Points, at: number): { slope: number; intercept: number } {
  const first = points[0].value;
  if (points.every(({ value }, i) => i === 0 || value === first)) {
    const known = Math.abs(first) !== Infinity;
    return known ? { slope: 0, intercept: first } : { slope: NaN, intercept: NaN };
  }
  const total = (f: (x: number, y: number) => number): number => {
    let state: [number, number] = [0, 0];
    for (const { t, value } of points) state = kahanAdd(f((t - at) / 1000, value), state);
    return state[0] + state[1];
  };
  const n = points.length;
  const x = total((seconds) => seconds);
  const y = total((_, value) => value);
  const covariance = total((seconds, value) => seconds * value) - (x * y) / n;
  const varianceX = total((seconds) => seconds * seconds) - (x * x) / n;
  const slope = covariance / varianceX;
  return { slope, intercept: y / n - (slope * x) / n };
}

function checkFactor(factor: number, name: string, symbol: string): void {
  if (factor <= 0 || factor >= 1) {
    const got = Number.isFinite(factor) ? factor.toFixed(6) : `${factor > 0 ? '+' : '-'}Inf`;
    throw new NaiveError(`invalid ${name} factor. Expected: 0 < ${symbol} < 1, got: ${got}`);
  }
}

/** @throws NaiveError when a factor of double_exponential_smoothing is out of its range. */
export function checkFactors([sf = NaN, tf = NaN]: readonly number[]): void {
  checkFactor(sf, 'smoothing', 'sf');
  checkFactor(tf, 'trend', 'tf');
}

function smoothed(points: Points, sf: number, tf: number): number | undefined {
  const [first, second, ...rest] = points;
  if (second === undefined) return undefined;
  let trend = second.value - first.value;
  let before = first.value;
  let level = sf * second.value + (1 - sf) * (first.value + trend);
  for (const { value } of rest) {
    trend = tf * (level - before) + (1 - tf) * trend;
    const next = sf * value + (1 - sf) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}

/** By name; what needs more than floats and their times is elsewhere. */
export const FLOAT_WINDOW_FUNCTIONS: ReadonlyMap<string, FloatWindowFunction> = new Map<
  string,
  FloatWindowFunction
>([
  ['sum_over_time', sum],
  ['avg_over_time', (points) => meanOf(points.map(({ value }) => value))],
  ['min_over_time', (points) => best(points, (a, b) => a < b).value],
  ['max_over_time', (points) => best(points, (a, b) => a > b).value],
  ['ts_of_min_over_time', (points) => best(points, (a, b) => a <= b).t / 1000],
  ['ts_of_max_over_time', (points) => best(points, (a, b) => a >= b).t / 1000],
  ['stdvar_over_time', variance],
  ['stddev_over_time', (points) => Math.sqrt(variance(points))],
  ['mad_over_time', medianDeviation],
  [
    'quantile_over_time',
    (points, [q = NaN]) =>
      quantileOf(
        q,
        points.map(({ value }) => value),
      ),
  ],
  ['deriv', (points) => (points.length < 2 ? undefined : regression(points, points[0].t).slope)],
  [
    'predict_linear',
    (points, [seconds = NaN], t) => {
      if (points.length < 2) return undefined;
      const { slope, intercept } = regression(points, t);
      return slope * seconds + intercept;
    },
  ],
  ['double_exponential_smoothing', (points, [sf = NaN, tf = NaN]) => smoothed(points, sf, tf)],
]);
