/** What the directory of a TSDB says of itself when it is opened. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BlockListing } from './block/list-blocks.ts';
import { FROM_OUT_OF_ORDER } from './compact/cut-block.ts';
import type { ReplayReport } from './head/replay.ts';
import { segmentIndexes } from './wal/wal-writer.ts';

/**
 * Where the head begins: at the end of the newest block, of those that are not made of samples that came out of order
 * (prometheus tsdb/db.go, inOrderBlocksMaxTime). What a block that cannot be read held comes from the log, as far as it
 * is still there.
 */
export function headStart({ blocks }: BlockListing): number {
  let end = -Infinity;
  for (const { meta } of blocks) {
    const hints = meta.compaction.hints ?? [];
    if (!hints.includes(FROM_OUT_OF_ORDER)) end = Math.max(end, meta.maxTime);
  }
  return end;
}

/** Why a directory must not be written to by this version, as the end of a sentence; '' when it may be. */
export function describeUnsupported(directory: string, replay: ReplayReport): string {
  const found = [...replay.unsupported].map(
    ([what, count]) => `${what} (${count} records or chunks)`,
  );
  if (
    existsSync(join(directory, 'wal')) &&
    segmentIndexes(join(directory, 'wal')).some((i) => i > 99_999_999)
  ) {
    found.push('WAL segments beyond 99999999');
  }
  if (found.length === 0) return '';
  return `it holds what this version cannot carry yet: ${found.join(', ')}`;
}

/** The first and the last segment of a WAL; 0 when there is none. */
export function replayedSegments(wal: string): { readonly first: number; readonly last: number } {
  const indexes = existsSync(wal) ? segmentIndexes(wal) : [];
  return { first: indexes[0] ?? 0, last: indexes.at(-1) ?? 0 };
}
