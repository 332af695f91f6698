/** A step between the blocks of a bucket and those that a component works with. */
import type { Logger } from '../../lib/log.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import type { BlockMark, MarkKind } from '../markers.ts';
import type { ListedBlock } from './block-lister.ts';

/** Why a block is not in a view, or what else is to be known of it: values of the label `state` of `…_blocks_meta_synced`. */
export type SyncState =
  | 'corrupted-meta-json'
  | 'no-meta-json'
  | 'loaded'
  | 'too-fresh'
  | 'failed'
  | 'label-excluded'
  | 'time-excluded'
  | 'duplicate'
  | 'marked-for-deletion'
  | 'marked-for-no-compact'
  | 'marked-for-no-downsample'
  | 'parquet-migrated';

/** How a filter changed a meta: values of the label `modified` of `…_blocks_meta_modified`. */
export type Modification = 'replica-label-removed';

/** What a filter has at hand, and whom it tells. */
export interface FilterContext {
  /** ms since the epoch. */
  readonly now: number;
  readonly listed: ReadonlyMap<string, ListedBlock>;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Counts so many blocks in a state. */
  synced(state: SyncState, count: number): void;
  /** Counts so many modified blocks. */
  modified(modification: Modification, count: number): void;
  /** Remembers the marks of one kind that were found. */
  marked(kind: MarkKind, marks: ReadonlyMap<string, BlockMark>): void;
  /** Remembers blocks that were dropped because others hold all that they hold. */
  duplicates(ulids: readonly string[]): void;
}

/**
 * Answers the blocks that stay, in their order; it leaves the map that it gets as it is.
 * @throws CodedError when something that it had to read could not be read.
 */
export type MetaFilter = (
  metas: ReadonlyMap<string, BlockMeta>,
  context: FilterContext,
) => ReadonlyMap<string, BlockMeta> | Promise<ReadonlyMap<string, BlockMeta>>;
