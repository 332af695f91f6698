/**
 * Durations as Go prints and reads them (`40h0m0s`, `1.5s`, `250ms`, `-1h`): units h m s ms us ns, each number with a
 * fraction. Behaviour: Go's time.Duration.String and time.ParseDuration. Here they are milliseconds in a double, so
 * nanoseconds are exact up to some hundred days.
 */
import { CodedError } from './errors.ts';

/** Milliseconds of Go's units of time. */
export const GO_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3600_000,
};

/** limit: int64 nanoseconds. */
const MAX_MS = 9223372036854;

const NUMBER_AND_UNIT = /(\d*)(?:\.(\d*))?([^\d.]+)/gy;

/** The text of a duration in milliseconds. */
export function formatGoDuration(milliseconds: number): string {
  // Whole milliseconds and the nanoseconds below them are kept apart: their sum in ns would not fit a double.
  let whole = Math.floor(Math.abs(milliseconds));
  let rest = Math.round((Math.abs(milliseconds) - whole) * 1e6);
  if (rest === 1e6) {
    whole++;
    rest = 0;
  }
  if (whole === 0 && rest === 0) return '0s';
  const sign = milliseconds < 0 ? '-' : '';
  const ns = (whole % 60_000) * 1e6 + rest;
  if (whole === 0) return `${sign}${rest < 1e3 ? `${rest}ns` : `${decimal(rest, 1e3)}µs`}`;
  if (whole < 1000) return `${sign}${decimal(ns, 1e6)}ms`;
  const seconds = `${decimal(ns, 1e9)}s`;
  const minutes = Math.floor(whole / 60_000);
  if (minutes === 0) return sign + seconds;
  const hours = Math.floor(minutes / 60);
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${seconds}`;
}

/** ns / unit with as many decimals as it needs; unit is a power of ten. */
function decimal(ns: number, unit: number): string {
  const fraction = String(ns % unit)
    .padStart(Math.log10(unit), '0')
    .replace(/0+$/, '');
  const whole = String(Math.floor(ns / unit));
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/**
 * Milliseconds of a duration.
 * @throws CodedError bad_data with Go's text when it is not one.
 */
export function parseGoDuration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  let total = 0;
  let end = 0;
  for (const match of rest.matchAll(NUMBER_AND_UNIT)) {
    const [all, whole = '', fraction = '', name = ''] = match;
    if (whole === '' && fraction === '') break;
    const unit = GO_UNITS[name];
    if (unit === undefined) throw invalid(`unknown unit ${JSON.stringify(name)} in duration`, text);
    // The fraction is rounded to nanoseconds, so that 0.999s is 999 ms.
    total += Number(whole) * unit + Math.round(Number(`0.${fraction}`) * unit * 1e6) / 1e6;
    end = match.index + all.length;
  }
  if (end === 0 || end !== rest.length) {
    const missing = /^(?:\d+\.?\d*|\.\d+)$/.test(rest.slice(end));
    throw invalid(missing ? 'missing unit in duration' : 'invalid duration', text);
  }
  if (total > MAX_MS) throw invalid('invalid duration', text);
  return sign * total;
}

function invalid(problem: string, text: string): CodedError {
  return new CodedError('bad_data', `time: ${problem} ${JSON.stringify(text)}`);
}
