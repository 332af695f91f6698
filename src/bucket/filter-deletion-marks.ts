/**
 * Blocks without those that are marked for deletion. Behaviour: thanos pkg/block/fetcher.go (IgnoreDeletionMarkFilter): a
 * block stays for a delay, until whatever replaces it has been seen by everybody.
 */
import type { Logger } from '../lib/log.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { gatherMarks } from './gather-marks.ts';
import type { BlockMark } from './markers.ts';

/** How to filter. */
export interface DeletionMarkFilterOptions {
  /** A block stays until its mark is older than this; 0 drops every marked block. */
  readonly delayMs: number;
  /** ms since the epoch. */
  readonly now: number;
  readonly log: Logger;
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What is left, and every mark that was found, also those of blocks that stay. */
export interface DeletionMarkFilterResult {
  readonly metas: Map<string, BlockMeta>;
  readonly marks: Map<string, BlockMark>;
}

/**
 * Reads the deletion marks of blocks and drops those that were marked longer ago than the delay. A mark that cannot be
 * read is logged and counts as none. @throws CodedError when the bucket fails.
 */
export async function filterDeletionMarks(
  bucket: Bucket,
  metas: ReadonlyMap<string, BlockMeta>,
  options: DeletionMarkFilterOptions,
): Promise<DeletionMarkFilterResult> {
  const marks = await gatherMarks(bucket, metas.keys(), { ...options, kind: 'deletion' });
  return { metas: filterMarked(metas, marks, options), marks };
}

/** The blocks without those that were marked longer ago than the delay. */
export function filterMarked(
  metas: ReadonlyMap<string, BlockMeta>,
  marks: ReadonlyMap<string, BlockMark>,
  { delayMs, now }: { readonly delayMs: number; readonly now: number },
): Map<string, BlockMeta> {
  const isGone = (ulid: string): boolean => {
    const mark = marks.get(ulid);
    return mark !== undefined && now - mark.time > delayMs;
  };
  return new Map([...metas].filter(([ulid]) => !isGone(ulid)));
}
