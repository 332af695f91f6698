/**
 * The blocks of a bucket for a tool: what cannot be used is named in the log, and long work says how far it is.
 */
import type { FetchedMetas } from '../../bucket/list-metas.ts';
import { fetchMetas } from '../../bucket/list-metas.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatGoDuration } from '../../lib/go-duration.ts';
import type { Logger } from '../../lib/log.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';

/** How often progress is told. */
const PROGRESS_MS = 3000;

/** How to fetch. */
export interface FetchBlocksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The blocks that have a sound meta.json, in the order of their ULIDs.
 * @throws CodedError of the signal, or unavailable when the bucket fails.
 */
export async function fetchBlocks(
  bucket: Bucket,
  { clock, log, signal }: FetchBlocksOptions,
): Promise<Map<string, BlockMeta>> {
  const started = clock.monotonic();
  let told = started;
  const fetched = await fetchMetas(bucket, {
    signal,
    onProgress: ({ done, total }) => {
      const now = clock.monotonic();
      if (now - told < PROGRESS_MS) return;
      told = now;
      log.info('fetching block metadata', { done, total });
    },
  });
  report(fetched, log);
  const duration = Math.round(clock.monotonic() - started);
  log.info('successfully synchronized block metadata', {
    duration: formatGoDuration(duration),
    duration_ms: duration,
    returned: fetched.metas.size,
    partial: fetched.partial.size + fetched.corrupt.size,
  });
  return fetched.metas;
}

function report({ partial, corrupt }: FetchedMetas, log: Logger): void {
  for (const [block, err] of corrupt) {
    log.warn('the meta.json of a block cannot be read, the block is left out', { block, err });
  }
  for (const block of partial.keys()) {
    log.warn('a block has no meta.json, its upload is under way or broke off', { block });
  }
}
