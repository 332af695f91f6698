/**
 * Blocks without those that others were compacted from: of blocks with the same labels and resolution one goes when another
 * has all of its sources. Behaviour: thanos pkg/block/fetcher.go (DefaultDeduplicateFilter).
 */
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { externalLabels, readThanos } from './meta.ts';

/** What is left, and which blocks were dropped. */
export interface DuplicateFilterResult {
  readonly metas: Map<string, BlockMeta>;
  readonly duplicates: readonly string[];
}

/** Drops blocks whose data is in others. Of blocks with equal sources the one with the smallest ULID stays. */
export function filterDuplicates(metas: ReadonlyMap<string, BlockMeta>): DuplicateFilterResult {
  const groups = Map.groupBy(metas, ([ulid, meta]) => groupKey(ulid, meta));
  const duplicates = [...groups.values()].flatMap(duplicatesOf);
  const gone = new Set(duplicates);
  return { metas: new Map([...metas].filter(([ulid]) => !gone.has(ulid))), duplicates };
}

function groupKey(ulid: string, meta: BlockMeta): string {
  const path = metaPath(ulid);
  return `${readThanos(meta, path).downsample.resolution}@${externalLabels(meta, path).key}`;
}

/** A block with its ULID in the bucket. */
type Entry = readonly [ulid: string, meta: BlockMeta];

function duplicatesOf(group: readonly Entry[]): string[] {
  const largestFirst = group.toSorted(
    ([a, x], [b, y]) => sourcesOf(y).length - sourcesOf(x).length || (a < b ? -1 : 1),
  );
  const duplicates: string[] = [];
  // perf: blocks that stay by each of their sources, so that a block is compared with few others.
  const staying = new Map<string, Set<string>[]>();
  let stays = 0;
  for (const [ulid, meta] of largestFirst) {
    const sources = sourcesOf(meta);
    const [first] = sources;
    // A block without sources holds nothing that another one lacks.
    const isCovered =
      first === undefined
        ? stays > 0
        : (staying.get(first) ?? []).some((other) => sources.every((source) => other.has(source)));
    if (isCovered) {
      duplicates.push(ulid);
      continue;
    }
    stays++;
    const set = new Set(sources);
    for (const source of set) {
      const others = staying.get(source);
      if (others === undefined) staying.set(source, [set]);
      else others.push(set);
    }
  }
  return duplicates;
}

function sourcesOf({ compaction }: BlockMeta): readonly string[] {
  return compaction.sources ?? [];
}
