/**
 * Parameters of the Prometheus API: text to ms and numbers, with the error texts that clients know. Behaviour:
 * prometheus web/api/v1/api.go, thanos pkg/api/query/v1.go.
 */
import { parseDuration } from '../lib/duration.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { parseMetricSelector } from '../promql/parse/parse.ts';
import { quote } from '../promql/parse/quote.ts';

/** What Go's strconv.ParseFloat takes, but for hexadecimal, infinities and NaN, which no time or duration is. */
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** How Prometheus prints the ends of time, and takes them back. */
const MIN_TIME_TEXT = '-292273086-05-16T16:47:06Z';
const MAX_TIME_TEXT = '292277025-08-18T07:12:54.999999999Z';

function bad(text: string): CodedError {
  return new CodedError('bad_data', text);
}

/** Milliseconds of a time: seconds with decimals, or RFC 3339. */
export function parseTime(text: string): number {
  if (FLOAT.test(text)) {
    const seconds = Number(text);
    const whole = Math.trunc(seconds);
    const rest = (seconds - whole) * 1000;
    const ms = whole * 1000 + Math.sign(rest) * Math.round(Math.abs(rest));
    return Math.min(Math.max(ms, MIN_TIME), MAX_TIME);
  }
  if (text === MIN_TIME_TEXT) return MIN_TIME;
  if (text === MAX_TIME_TEXT) return MAX_TIME;
  const ms = parseRfc3339(text);
  if (ms === undefined) throw bad(`cannot parse ${quote(text)} to a valid timestamp`);
  return ms;
}

/** Milliseconds of an optional time parameter. */
export function parseTimeParam(name: string, text: string, fallback: number): number {
  if (text === '') return fallback;
  try {
    return parseTime(text);
  } catch (thrown) {
    throw bad(`invalid time value for '${name}': ${errorText(thrown)}`);
  }
}

function parseRfc3339(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, , , , , , , fraction = '', sign, zoneHour = '0', zoneMinute = '0'] = match;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day that the month does not have moves on to the next one.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1);
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  return date.getTime() + ((hour * 60 + minute - zone) * 60 + second) * 1000 + ms;
}

/** limit: int64 nanoseconds, as Go's time.Duration. */
const DURATION_SECONDS_MAX = 9223372036.854776;

/** Milliseconds of a duration: seconds with decimals, or Prometheus' units. May have a fraction. */
export function parseDurationParam(text: string): number {
  if (FLOAT.test(text)) {
    const seconds = Number(text);
    if (Math.abs(seconds) > DURATION_SECONDS_MAX) {
      throw bad(`cannot parse ${quote(text)} to a valid duration. It overflows int64`);
    }
    return Math.trunc(seconds * 1e9) / 1e6;
  }
  try {
    return parseDuration(text);
  } catch {
    throw bad(`cannot parse ${quote(text)} to a valid duration`);
  }
}

/** A limit: 0 when absent, which is none. */
export function parseLimit(text: string): number {
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) {
    throw bad(`strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
  }
  const exact = BigInt(text.replace('+', ''));
  if (BigInt.asIntN(64, exact) !== exact) {
    throw bad(`strconv.Atoi: parsing ${quote(text)}: value out of range`);
  }
  if (exact < 0n) throw bad('limit must be non-negative');
  return Math.min(Number(exact), Number.MAX_SAFE_INTEGER);
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A bool as Go's strconv.ParseBool reads it. */
export function parseBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw bad(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

/**
 * limit: characters of a selector that is looked at before it is handed on. Compiling a regular expression takes 5 µs a
 * character, during which the main thread does nothing else; longer ones are checked where they are evaluated.
 */
export const CHECKED_CHARACTERS_MAX = 4096;

/** Checks selectors as {@link parseMatcherSet} does, but for long ones. */
export function checkMatcherSets(selectors: readonly string[]): readonly string[] {
  for (const selector of selectors) {
    if (selector.length <= CHECKED_CHARACTERS_MAX) parseMatcherSet(selector);
  }
  return selectors;
}

/**
 * Parses a selector that has a matcher that does not match the empty text.
 * @throws CodedError bad_data
 */
export function parseMatcherSet(selector: string): readonly Matcher[] {
  const matchers = parseMetricSelector(selector);
  if (matchers.every((matcher) => matcher.matchesEmpty)) {
    throw bad('match[] must contain at least one non-empty matcher');
  }
  return matchers;
}
