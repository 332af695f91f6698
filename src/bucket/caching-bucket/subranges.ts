/**
 * Parts of an object that are cached one by one, and which requests bring those that are missing. Behaviour: thanos
 * pkg/store/cache/caching_bucket.go.
 */
import type { ByteRange } from '../../objstore/bucket.ts';

/** Bytes `start` to `end` of an object, `end` not included. */
export interface Subrange {
  readonly start: number;
  readonly end: number;
}

/** The aligned parts that hold a range of an object of `size` bytes; the last part of an object may be short. */
export function subrangesOf(range: ByteRange, size: number, subrangeSize: number): Subrange[] {
  const end = Math.min(range.offset + range.length, size);
  const parts: Subrange[] = [];
  if (range.offset >= end) return parts;
  let start = Math.floor(range.offset / subrangeSize) * subrangeSize;
  for (; start < end; start += subrangeSize) {
    parts.push({ start, end: Math.min(start + subrangeSize, size) });
  }
  return parts;
}

/**
 * Requests that bring all parts, which ascend: neighbours together, and parts that lie the closest to each other when
 * there would be more than `requestsMax` (0 or less: no limit) requests.
 */
export function requestsFor(
  missing: readonly Subrange[],
  subrangeSize: number,
  requestsMax: number,
): Subrange[] {
  let requests = merge(missing, 0);
  if (requestsMax <= 0) return requests;
  for (let gap = subrangeSize; requests.length > requestsMax; gap *= 2) {
    requests = merge(requests, gap);
  }
  return requests;
}

function merge(ranges: readonly Subrange[], gapMax: number): Subrange[] {
  const merged: Subrange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && range.start - last.end <= gapMax) {
      merged[merged.length - 1] = { start: last.start, end: range.end };
    } else merged.push(range);
  }
  return merged;
}
