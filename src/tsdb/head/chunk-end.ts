/** When chunks end (prometheus tsdb/head_append.go computeChunkEndTime, rangeForTimestamp). Times in ms. */

/**
 * The time at which to end a chunk of start..cur that is so much from full (1: full), so that chunks up to `max` hold
 * equally much.
 */
export function chunkEndTime(start: number, cur: number, max: number, ratioToFull: number): number {
  const n = (max - start) / ((cur - start + 1) * ratioToFull);
  return n <= 1 ? max : Math.trunc(start + (max - start) / Math.floor(n));
}

/** The end of the range that a time lies in. Go's division truncates, so times before 1970 round up as there. */
export function rangeEnd(t: number, rangeMs: number): number {
  return Math.trunc(t / rangeMs) * rangeMs + rangeMs;
}
