/** Blocks by time, for `--min-time` and `--max-time`. Behaviour: thanos pkg/block/fetcher.go (TimePartitionMetaFilter). */
import type { BlockMeta } from '../tsdb/block/meta.ts';

/** The blocks that touch a range of times, both ends included, in ms since the epoch. */
export function filterByTime(
  metas: ReadonlyMap<string, BlockMeta>,
  { mint, maxt }: { readonly mint: number; readonly maxt: number },
): Map<string, BlockMeta> {
  // compat: a block ends before its maxTime, and is kept all the same when mint is that.
  const touches = ({ minTime, maxTime }: BlockMeta): boolean => maxTime >= mint && minTime <= maxt;
  return new Map([...metas].filter(([, meta]) => touches(meta)));
}
