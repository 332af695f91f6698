/**
 * Blocks without those that are marked for deletion. Behaviour: thanos pkg/block/fetcher.go (IgnoreDeletionMarkFilter): a
 * block stays for a delay, until whatever replaces it has been seen by everybody.
 */
import type { Logger } from '../lib/log.ts';
import { errorCode, errorText } from '../lib/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { mapBounded } from './map-bounded.ts';
import type { BlockMark } from './markers.ts';
import { readMark } from './markers.ts';

/** limit: marks that are read at once, as Thanos has it. */
const CONCURRENCY = 32;

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
  const { delayMs, now, concurrency = CONCURRENCY } = options;
  const found = await mapBounded([...metas.keys()], concurrency, (ulid) =>
    deletionMark(bucket, ulid, options),
  );
  const marks = new Map(found.flatMap((mark) => (mark === undefined ? [] : [[mark.id, mark]])));
  const isGone = (ulid: string): boolean => {
    const mark = marks.get(ulid);
    return mark !== undefined && now - mark.time > delayMs;
  };
  return { metas: new Map([...metas].filter(([ulid]) => !isGone(ulid))), marks };
}

async function deletionMark(
  bucket: Bucket,
  ulid: string,
  { signal, log }: DeletionMarkFilterOptions,
): Promise<BlockMark | undefined> {
  try {
    const mark = await readMark(bucket, { ulid, kind: 'deletion' }, { signal });
    return mark === undefined ? undefined : { ...mark, id: ulid };
  } catch (thrown) {
    if (errorCode(thrown) !== 'corrupt') throw thrown;
    log.warn('the deletion mark of a block cannot be read, it counts as none', {
      block: ulid,
      err: errorText(thrown),
    });
    return undefined;
  }
}
