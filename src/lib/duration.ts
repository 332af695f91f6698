/**
 * Durations as Prometheus writes them (`1h30m`, `15d`): units y w d h m s ms, each at most once, in that order.
 * Behaviour: prometheus/common model.ParseDuration, model.Duration.String.
 */
import { CodedError } from './errors.ts';

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 365 * 24 * 3600_000],
  ['w', 7 * 24 * 3600_000],
  ['d', 24 * 3600_000],
  ['h', 3600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

const PATTERN = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** limit: int64 nanoseconds, as Go's time.Duration. */
const MAX_MS = 9223372036854;

/**
 * Milliseconds of a Prometheus duration.
 * @throws CodedError bad_data with Prometheus' text when it is not one.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (text === '') throw new CodedError('bad_data', 'empty duration string');
  const match = PATTERN.exec(text);
  if (match === null) {
    throw new CodedError('bad_data', `not a valid duration string: ${JSON.stringify(text)}`);
  }
  let total = 0;
  for (const [i, [, ms]] of UNITS.entries()) {
    const digits = match[i + 1];
    if (digits !== undefined) total += Number(digits) * ms;
  }
  if (total > MAX_MS) throw new CodedError('bad_data', 'duration out of range');
  return total;
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
