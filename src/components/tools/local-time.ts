/** Times for people: RFC 3339 in the zone of the machine, as Go's time.Unix(…).Format(time.RFC3339). */

/** A time in ms as `2026-11-01T00:00:00Z`, or with the offset of the zone; fractions of a second are cut off. */
export function formatLocalTime(ms: number): string {
  const offset = -new Date(ms).getTimezoneOffset();
  const text = new Date(ms + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${text}Z`;
  const minutes = Math.abs(offset);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${text}${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}
