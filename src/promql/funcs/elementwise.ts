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

/** limit: seconds that a Date holds. */
const MAX_DATE_S = 8.64e12;
/** Seconds of 400 years, after which the calendar and its weekdays repeat. */
const CYCLE_S = 146_097n * 86_400n;
/** Go counts seconds without a sign from a year far in the past, which lies so many seconds before 1970. */
const GO_EPOCH_S = ((292_277_022_400n * 3_652_425n) / 10_000n + 306n - 719_162n) * 86_400n;

/** A time as Go's time.Unix gives it: the date within a cycle, and the years before that cycle. */
interface GoDate {
  readonly date: Date;
  readonly years: number;
}

/** The date of a float of seconds. Go turns what is no int64 into the least one, and wraps around. */
function goDate(value: number): GoDate {
  const seconds = Math.trunc(value);
  if (Math.abs(seconds) <= MAX_DATE_S) return { date: new Date(seconds * 1000), years: 0 };
  const fits = seconds >= -(2 ** 63) && seconds < 2 ** 63;
  const whole = fits ? BigInt(seconds) : -(2n ** 63n);
  const unix = BigInt.asUintN(64, whole + GO_EPOCH_S) - GO_EPOCH_S;
  const rest = ((unix % CYCLE_S) + CYCLE_S) % CYCLE_S;
  const years = Number((unix - rest) / CYCLE_S) * 400;
  return { date: new Date(Number(rest) * 1000), years };
}

function calendar(part: (date: Date, years: number) => number): (seconds: number) => number {
  return (seconds) => {
    const { date, years } = goDate(seconds);
    return part(date, years);
  };
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - start) / DAY_MS) + 1;
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
  ['year', calendar((d, years) => d.getUTCFullYear() + years)],
]);
