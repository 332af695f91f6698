/** Functions of one number: mathematics and calendar, by their PromQL names. */

/** Rounds to the nearest multiple, halves up; multiplies by the inverse as Prometheus does. */
export function roundTo(value: number, inverse: number): number {
  return Math.floor(value * inverse + 0.5) / inverse;
}

/** Go's math.Max and math.Min differ from JavaScript's only for NaN against infinities. */
export function goMax(a: number, b: number): number {
  if (a === Infinity || b === Infinity) return Infinity;
  return Math.max(a, b);
}

/** The lesser; -Inf wins over NaN. */
export function goMin(a: number, b: number): number {
  if (a === -Infinity || b === -Infinity) return -Infinity;
  return Math.min(a, b);
}

/** clamp(): between two bounds, min <= max. */
export function clampTo(value: number, min: number, max: number): number {
  return goMax(min, goMin(max, value));
}

function sign(value: number): number {
  if (value < 0) return -1;
  return value > 0 ? 1 : value;
}

const DAY_MS = 86_400_000;

/** limit: what a Date holds; beyond it the calendar functions give NaN. */
function calendar(part: (date: Date) => number): (seconds: number) => number {
  return (seconds) => part(new Date(Math.trunc(seconds) * 1000));
}

function dayOfYear(date: Date): number {
  const year = date.getUTCFullYear();
  return Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / DAY_MS) + 1;
}

function daysInMonth(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

/** Functions from a number to a number; labels lose the metric's name. */
export const MATH_FUNCTIONS: ReadonlyMap<string, (value: number) => number> = new Map([
  ['abs', Math.abs],
  ['acos', Math.acos],
  ['acosh', Math.acosh],
  ['asin', Math.asin],
  ['asinh', Math.asinh],
  ['atan', Math.atan],
  ['atanh', Math.atanh],
  ['ceil', Math.ceil],
  ['cos', Math.cos],
  ['cosh', Math.cosh],
  ['deg', (v: number) => (v * 180) / Math.PI],
  ['exp', Math.exp],
  ['floor', Math.floor],
  ['ln', Math.log],
  ['log10', Math.log10],
  ['log2', Math.log2],
  ['rad', (v: number) => (v * Math.PI) / 180],
  ['sgn', sign],
  ['sin', Math.sin],
  ['sinh', Math.sinh],
  ['sqrt', Math.sqrt],
  ['tan', Math.tan],
  ['tanh', Math.tanh],
]);

/** Parts of the UTC date of a Unix time in seconds. */
export const DATE_FUNCTIONS: ReadonlyMap<string, (seconds: number) => number> = new Map([
  ['minute', calendar((d) => d.getUTCMinutes())],
  ['hour', calendar((d) => d.getUTCHours())],
  ['day_of_week', calendar((d) => d.getUTCDay())],
  ['day_of_month', calendar((d) => d.getUTCDate())],
  ['day_of_year', calendar(dayOfYear)],
  ['days_in_month', calendar(daysInMonth)],
  ['month', calendar((d) => d.getUTCMonth() + 1)],
  ['year', calendar((d) => d.getUTCFullYear())],
]);
