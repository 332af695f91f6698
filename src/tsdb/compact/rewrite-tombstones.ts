/**
 * Writes a block anew without what its tombstones say is deleted. Behaviour: prometheus tsdb/block.go, CleanTombstones.
 */
import type { ListedBlock } from '../block/list-blocks.ts';
import { readBlockMeta } from '../block/meta.ts';
import type { BlockMeta } from '../block/meta.ts';
import { readTombstones } from '../block/tombstones.ts';
import type { MergedMeta } from './merged-meta.ts';
import { writeMerged } from './write-merged.ts';
import type { WriteMergedOptions } from './write-merged.ts';

/** What became of a block: it has no tombstones, all its samples are deleted, or there is a new one in its place. */
export type Rewritten =
  | { readonly kind: 'no tombstones' }
  | { readonly kind: 'nothing left' }
  | { readonly kind: 'rewritten'; readonly block: ListedBlock };

/**
 * Rewrites the block in a directory, as a block of level 1 whose parent it is; the old one stays as it is, and is the
 * caller's to delete unless it has no tombstones. Members of its meta.json that are not TSDB's own are passed on.
 * @throws CodedError as mergeBlocks does; nothing of the new block is left then.
 */
export function rewriteTombstones(directory: string, options: WriteMergedOptions): Rewritten {
  if (readTombstones(directory).size === 0) return { kind: 'no tombstones' };
  const meta = readBlockMeta(directory);
  const extra = options.extra ?? meta.extra;
  const block = writeMerged([directory], rewrittenMeta(meta, options.ulid), { ...options, extra });
  return block === undefined ? { kind: 'nothing left' } : { kind: 'rewritten', block };
}

function rewrittenMeta(
  { ulid, minTime, maxTime, compaction }: BlockMeta,
  next: string,
): MergedMeta {
  const { hints = [] } = compaction;
  return {
    mint: minTime,
    maxt: maxTime,
    compaction: {
      level: 1,
      sources: [next],
      parents: [{ ulid, minTime, maxTime }],
      ...(hints.length > 0 && { hints }),
    },
  };
}
