/** Functions of one float, some with parameters. */
import { goMax, goMin } from './go-math.ts';

/** Computes a value; undefined leaves the sample out. */
export type FloatFunction = (value: number, params: readonly number[]) => number | undefined;

const date =
  (read: (date: Date) => number): FloatFunction =>
  (seconds) =>
    read(new Date(Math.trunc(seconds) * 1000));

/** The day of the year of 1 January is 1. */
function dayOfYear(at: Date): number {
  const day = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate());
  return (day - Date.UTC(at.getUTCFullYear(), 0, 1)) / 86_400_000 + 1;
}

/** Day 0 of the next month is the last day of this one. */
function daysInMonth(at: Date): number {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate();
}

function sign(v: number): number {
  if (v < 0) return -1;
  return v > 0 ? 1 : v;
}

function clamp(v: number, min: number, max: number): number | undefined {
  return max < min ? undefined : goMax(min, goMin(max, v));
}

function round(v: number, to = 1): number {
  const inverse = 1 / to;
  return Math.floor(v * inverse + 0.5) / inverse;
}

/** By name; functions of dates take seconds since the epoch. */
export const FLOAT_FUNCTIONS: ReadonlyMap<string, FloatFunction> = new Map<string, FloatFunction>([
  ['abs', Math.abs],
  ['ceil', Math.ceil],
  ['floor', Math.floor],
  ['exp', Math.exp],
  ['sqrt', Math.sqrt],
  ['ln', Math.log],
  ['log2', Math.log2],
  ['log10', Math.log10],
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['tan', Math.tan],
  ['asin', Math.asin],
  ['acos', Math.acos],
  ['atan', Math.atan],
  ['sinh', Math.sinh],
  ['cosh', Math.cosh],
  ['tanh', Math.tanh],
  ['asinh', Math.asinh],
  ['acosh', Math.acosh],
  ['atanh', Math.atanh],
  ['rad', (v) => (v * Math.PI) / 180],
  ['deg', (v) => (v * 180) / Math.PI],
  ['sgn', sign],
  ['clamp', (v, [min = NaN, max = NaN]) => clamp(v, min, max)],
  ['clamp_min', (v, [min = NaN]) => clamp(v, min, Infinity)],
  ['clamp_max', (v, [max = NaN]) => clamp(v, -Infinity, max)],
  ['round', (v, [to]) => round(v, to)],
  ['day_of_month', date((at) => at.getUTCDate())],
  ['day_of_week', date((at) => at.getUTCDay())],
  ['day_of_year', date(dayOfYear)],
  ['days_in_month', date(daysInMonth)],
  ['hour', date((at) => at.getUTCHours())],
  ['minute', date((at) => at.getUTCMinutes())],
  ['month', date((at) => at.getUTCMonth() + 1)],
  ['year', date((at) => at.getUTCFullYear())],
]);
