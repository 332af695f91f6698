/**
 * The filters of src/bucket as steps of a fetcher, each with its figures. Behaviour, states and order:
 * thanos pkg/block/fetcher.go, cmd/thanos/store.go.
 */
import { errorCode, errorText, CodedError } from '../../lib/errors.ts';
import type { TimeOrDuration } from '../../lib/time-or-duration.ts';
import { resolveTime } from '../../lib/time-or-duration.ts';
import type { RelabelRule } from '../../model/relabel.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { filterTooFresh } from '../filter-consistency.ts';
import { filterMarked } from '../filter-deletion-marks.ts';
import { filterDuplicates } from '../filter-duplicates.ts';
import { filterByRelabeling } from '../filter-relabel.ts';
import { removeReplicaLabels } from '../filter-replica-labels.ts';
import { filterByTime } from '../filter-time.ts';
import { gatherMarks } from '../gather-marks.ts';
import type { BlockMark, MarkKind } from '../markers.ts';
import type { FilterContext, MetaFilter, SyncState } from './meta-filter.ts';

/** Blocks that touch a range of times; ends that are durations move along with the clock. */
export function timePartition(range: {
  readonly minTime: TimeOrDuration;
  readonly maxTime: TimeOrDuration;
}): MetaFilter {
  return (metas, context) => {
    const mint = resolveTime(range.minTime, context.now);
    const maxt = resolveTime(range.maxTime, context.now);
    return counted('time-excluded', metas, filterByTime(metas, { mint, maxt }), context);
  };
}

/** Blocks that relabeling rules select; the labels in `ignored`, those of replicas, are not seen by the rules. */
export function labelShard(
  rules: readonly RelabelRule[],
  ignored: ReadonlySet<string> = new Set(),
): MetaFilter {
  return (metas, context) =>
    counted('label-excluded', metas, filterByRelabeling(metas, rules, ignored), context);
}

/** Blocks that are old enough. */
export function consistencyDelay(delayMs: number): MetaFilter {
  return (metas, context) => {
    const left = filterTooFresh(metas, { delayMs, now: context.now });
    for (const ulid of metas.keys()) {
      if (!left.has(ulid)) context.log.debug('block is too fresh for now', { block: ulid });
    }
    return counted('too-fresh', metas, left, context);
  };
}

/** How marks are read. */
export interface MarkFilterOptions {
  readonly bucket: Bucket;
  /** Marks that are read at once. */
  readonly concurrency: number;
}

/** Blocks that are not marked for deletion, or not yet for so long. The fetcher's result has all marks that there are. */
export function ignoreDeletionMarks(options: MarkFilterOptions, delayMs: number): MetaFilter {
  return async (metas, context) => {
    const what = 'filter blocks marked for deletion';
    const marks = await readListed(options, 'deletion', metas, context, what);
    const left = filterMarked(metas, marks, { delayMs, now: context.now });
    return counted('marked-for-deletion', metas, left, context);
  };
}

/** Drops nothing, and reads the marks that keep blocks from compaction. */
export function gatherNoCompactMarks(options: MarkFilterOptions): MetaFilter {
  return async (metas, context) => {
    const what = 'filter blocks marked for no compaction';
    const marks = await readListed(options, 'no-compact', metas, context, what);
    context.synced('marked-for-no-compact', marks.size);
    return metas;
  };
}

/** Drops nothing, and reads the marks that keep blocks from being downsampled. */
export function gatherNoDownsampleMarks(options: MarkFilterOptions): MetaFilter {
  return async (metas, context) => {
    const what = 'filter blocks marked for no downsample';
    const marks = await readListed(options, 'no-downsample', metas, context, what);
    context.synced('marked-for-no-downsample', marks.size);
    return metas;
  };
}

/** Blocks whose data is not in others. */
export function deduplicate(): MetaFilter {
  return (metas, context) => {
    const { metas: left, duplicates } = filterDuplicates(metas);
    context.duplicates(duplicates);
    return counted('duplicate', metas, left, context);
  };
}

/** Drops nothing, and takes labels off blocks. */
export function dropReplicaLabels(names: readonly string[]): MetaFilter {
  return (metas, context) => {
    const { metas: changed, removed, unlabeled } = removeReplicaLabels(metas, names);
    for (const block of unlabeled) {
      const created = { block, [names[0] ?? '']: 'deduped' };
      context.log.warn('block has no labels left, creating one', created);
    }
    for (const [label, count] of removed) {
      context.modified('replica-label-removed', count);
      context.log.debug('removed replica label', { label, count });
    }
    return changed;
  };
}

/** What the filters of a store gateway need. */
export interface StoreFilterOptions extends MarkFilterOptions {
  readonly minTime: TimeOrDuration;
  readonly maxTime: TimeOrDuration;
  readonly selectorRules: readonly RelabelRule[];
  readonly consistencyDelayMs: number;
  readonly ignoreDeletionMarksDelayMs: number;
}

/** The filters of `thanos store`, in its order. */
export function storeFilters(options: StoreFilterOptions): readonly MetaFilter[] {
  return [
    timePartition(options),
    labelShard(options.selectorRules),
    consistencyDelay(options.consistencyDelayMs),
    ignoreDeletionMarks(options, options.ignoreDeletionMarksDelayMs),
    deduplicate(),
  ];
}

/** The marks of the blocks that have one by their listing. */
async function readListed(
  { bucket, concurrency }: MarkFilterOptions,
  kind: MarkKind,
  metas: ReadonlyMap<string, BlockMeta>,
  context: FilterContext,
  what: string,
): Promise<ReadonlyMap<string, BlockMark>> {
  const { listed, log, signal } = context;
  const candidates = [...metas.keys()].filter((ulid) => listed.get(ulid)?.marks.has(kind) === true);
  try {
    const marks = await gatherMarks(bucket, candidates, { kind, log, concurrency, signal });
    context.marked(kind, marks);
    return marks;
  } catch (thrown) {
    // compat: Go's prefix.
    throw new CodedError(errorCode(thrown), `${what}: ${errorText(thrown)}`, { cause: thrown });
  }
}

function counted(
  state: SyncState,
  before: ReadonlyMap<string, BlockMeta>,
  left: ReadonlyMap<string, BlockMeta>,
  context: FilterContext,
): ReadonlyMap<string, BlockMeta> {
  context.synced(state, before.size - left.size);
  return left;
}
