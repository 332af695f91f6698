/**
 * Durations as Prometheus writes them (`1h30m`, `15d`): units y w d h m s ms, each at most once, in that order.
 * Behaviour: prometheus/common model.ParseDuration, model.Duration.String.
 */
import { CodedError } from './errors.ts';
import { quoteGo } from './go-strings.ts';

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 365 * 24 * 3600_000],
  ['w', 7 * 24 * 3600_000],
  ['d', 24 * 3600_000],
  ['h', 3600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** A number and what stands before the next one. */
const PART = /(\d+)(\D*)/g;

const UNIT_NAMES: readonly string[] = UNITS.map(([name]) => name);

/** limit: int64 nanoseconds, as Go's time.Duration. */
const MAX_MS = 9223372036854;

/**
 * Milliseconds of a Prometheus duration.
 * @throws CodedError bad_data with Prometheus' text when it is not one.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (text === '') throw new CodedError('bad_data', 'empty duration string');
  let total = 0;
  let last = -1;
  let end = 0;
  for (const { index, 0: part, 1: digits = '', 2: name = '' } of text.matchAll(PART)) {
    if (index !== end || name === '' || !isUint64(digits)) throw notValid(text);
    end += part.length;
    const unit = UNIT_NAMES.indexOf(name);
    if (unit < 0) throw bad(`unknown unit ${quoteGo(name)} in duration ${quoteGo(text)}`);
    if (unit <= last) throw notValid(text);
    last = unit;
    total += Number(digits) * (UNITS[unit]?.[1] ?? 0);
    if (total > MAX_MS) throw bad('duration out of range');
  }
  if (end !== text.length) throw notValid(text);
  return total;
}

/** Whether Go can read digits as a number at all; most of those are out of range all the same. */
function isUint64(digits: string): boolean {
  const significant = digits.replace(/^0+/, '');
  return significant.length < 20 || (significant.length === 20 && BigInt(significant) < 2n ** 64n);
}

function bad(detail: string): CodedError {
  return new CodedError('bad_data', detail);
}

function notValid(text: string): CodedError {
  return bad(`not a valid duration string: ${quoteGo(text)}`);
}

/** The text of a duration in milliseconds, as model.Duration.String prints it. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  let rest = Math.abs(milliseconds);
  let out = milliseconds < 0 ? '-' : '';
  for (const [unit, ms] of UNITS) {
    // compat: model.Duration.String uses y and w only where they divide the value exactly.
    const exact = unit === 'y' || unit === 'w';
    if (exact && rest % ms !== 0) continue;
    const n = Math.floor(rest / ms);
    if (n > 0) {
      out += `${n}${unit}`;
      rest -= n * ms;
    }
  }
  return out;
}
