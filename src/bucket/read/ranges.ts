/** Neighbouring ranges of an object as one: a request costs more than the bytes between them. */

/** A range to read, and which of the wanted ones it covers: from..to, `to` exclusive. */
export interface MergedRange {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Merges `count` ranges, ascending by their starts, that are no further apart than a gap. They may overlap.
 * Behaviour: thanos pkg/store/bucket.go (gapBasedPartitioner).
 */
export function mergeRanges(
  count: number,
  gapBytes: number,
  range: { start(i: number): number; end(i: number): number },
): MergedRange[] {
  const merged: MergedRange[] = [];
  for (let i = 0; i < count;) {
    const from = i;
    const start = range.start(i);
    let end = range.end(i);
    for (i++; i < count && range.start(i) <= end + gapBytes; i++) {
      end = Math.max(end, range.end(i));
    }
    merged.push({ start, end, from, to: i });
  }
  return merged;
}

/** limit: the gap up to which ranges of an index or a segment are read together, as Thanos has it. */
export const GAP_BYTES_MAX = 512 * 1024;
