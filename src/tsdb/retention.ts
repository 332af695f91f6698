/**
 * Which blocks retention lets go: decisions without I/O. The rules are Prometheus' (tsdb/db.go BeyondTimeRetention,
 * BeyondSizeRetention), under one of ours: what is not safe elsewhere stays (docs/compat.md).
 */

/** A block as retention looks at it. */
export interface RetentionBlock {
  readonly ulid: string;
  /** ms; maxt is exclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly bytes: number;
}

/** What is to be kept; 0 means without limit. */
export interface RetentionLimits {
  readonly timeMs: number;
  readonly bytes: number;
}

/** A block that is beyond a limit. */
export interface BeyondRetention {
  readonly ulid: string;
  readonly limit: 'time' | 'size';
}

/**
 * The blocks beyond the limits. By time: those that ended at least `timeMs` before the end of the newest block, so
 * that a block goes when it is wholly beyond. By size: the oldest, as many as it takes to get under `bytes` together
 * with `otherBytes`, which WAL and head chunks take.
 */
export function beyondRetention(
  blocks: readonly RetentionBlock[],
  limits: RetentionLimits,
  otherBytes: number,
): BeyondRetention[] {
  const newestFirst = [...blocks].sort((a, b) => b.maxt - a.maxt || b.mint - a.mint);
  const newest = newestFirst[0]?.maxt ?? 0;
  const out: BeyondRetention[] = [];
  let bytes = otherBytes;
  for (const block of newestFirst) {
    bytes += block.bytes;
    if (limits.timeMs > 0 && newest - block.maxt >= limits.timeMs) {
      out.push({ ulid: block.ulid, limit: 'time' });
    } else if (limits.bytes > 0 && bytes > limits.bytes) {
      out.push({ ulid: block.ulid, limit: 'size' });
    }
  }
  return out;
}
