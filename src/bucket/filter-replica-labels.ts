/**
 * Blocks without the labels by which replicas differ, so that those of all replicas fall into one group.
 * Behaviour: thanos pkg/block/fetcher.go (ReplicaLabelRemover).
 */
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { readThanos, withThanos } from './meta.ts';

/** The value of the label that is made when a block would have none. */
const DEDUPED = 'deduped';

/** The blocks with fewer labels, and how many blocks each of those labels was taken from. */
export interface ReplicaLabelResult {
  readonly metas: Map<string, BlockMeta>;
  readonly removed: ReadonlyMap<string, number>;
  /** Blocks that had nothing but replica labels, or no label at all: they have the first one with the value `deduped`. */
  readonly unlabeled: readonly string[];
}

/** Takes labels off blocks. Without names to take off, blocks stay as they are. */
export function removeReplicaLabels(
  metas: ReadonlyMap<string, BlockMeta>,
  names: readonly string[],
): ReplicaLabelResult {
  const removed = new Map<string, number>();
  const unlabeled: string[] = [];
  const [first] = names;
  if (first === undefined) return { metas: new Map(metas), removed, unlabeled };
  const changed = [...metas].map(([ulid, meta]): [string, BlockMeta] => {
    const thanos = readThanos(meta, metaPath(ulid));
    const labels = { ...thanos.labels };
    for (const name of new Set(names)) {
      if (!Object.hasOwn(labels, name)) continue;
      delete labels[name];
      removed.set(name, (removed.get(name) ?? 0) + 1);
    }
    if (Object.keys(labels).length === 0) {
      labels[first] = DEDUPED;
      unlabeled.push(ulid);
    }
    return [ulid, withThanos(meta, { ...thanos, labels })];
  });
  return { metas: new Map(changed), removed, unlabeled };
}
