/**
 * Blocks without those that are too young: an upload may be under way that belongs to them, or other readers may not see
 * them yet. Behaviour: thanos pkg/block/fetcher.go (ConsistencyDelayMetaFilter).
 */
import { ulidTime } from '../model/ulid.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { readThanos, uploadTimeMs } from './meta.ts';

/** Blocks that stand in for others, which somebody may delete meanwhile: they are seen at once. */
const EXEMPT_SOURCES: ReadonlySet<string> = new Set([
  'bucket.repair',
  'compactor',
  'compactor.repair',
]);

/** What counts as too young. */
export interface ConsistencyOptions {
  /** How long a block is not seen after its upload, or after its ULID's time where the upload's is not known. */
  readonly delayMs: number;
  /** ms since the epoch. */
  readonly now: number;
}

/** The blocks that are old enough. */
export function filterTooFresh(
  metas: ReadonlyMap<string, BlockMeta>,
  options: ConsistencyOptions,
): Map<string, BlockMeta> {
  return new Map([...metas].filter(([ulid, meta]) => !isTooFresh(ulid, meta, options)));
}

function isTooFresh(ulid: string, meta: BlockMeta, { delayMs, now }: ConsistencyOptions): boolean {
  const thanos = readThanos(meta, metaPath(ulid));
  if (EXEMPT_SOURCES.has(thanos.source)) return false;
  const uploaded = uploadTimeMs(thanos);
  if (uploaded !== undefined) return now - uploaded < delayMs;
  const age = now - ulidTime(ulid);
  // compat: Go computes the age of a ULID without sign, so that one from the future is very old.
  return age >= 0 && age < delayMs;
}
