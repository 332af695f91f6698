/**
 * Times on command lines: RFC 3339 (`2026-11-01T00:00:00Z`), or a Prometheus duration that is added to the present,
 * so `-2h` is two hours ago and `6h` lies ahead. Behaviour: thanos pkg/model/timeduration.go.
 */
import { parseDuration } from './duration.ts';

/** An instant in milliseconds since the epoch, or a distance from the present in milliseconds. */
export type TimeOrDuration = { readonly time: number } | { readonly fromNow: number };

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/**
 * Reads a time or a duration.
 * @throws CodedError bad_data with Prometheus' text for durations when it is neither.
 */
export function parseTimeOrDuration(text: string): TimeOrDuration {
  const time = parseRfc3339(text);
  if (time !== undefined) return { time };
  const minus = text.startsWith('-');
  const fromNow = parseDuration(minus ? text.slice(1) : text);
  return { fromNow: minus ? -fromNow : fromNow };
}

/** The instant that a time or a duration means at `now`, in milliseconds. */
export function resolveTime(value: TimeOrDuration, now: number): number {
  return 'time' in value ? value.time : now + value.fromNow;
}

/** Milliseconds of an RFC 3339 time, years 0000 to 9999, fractions cut to milliseconds; undefined when it is none. */
export function parseRfc3339(text: string): number | undefined {
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
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  // Date.UTC reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const fraction = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offset = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000;
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset;
}
