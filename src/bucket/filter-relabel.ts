/**
 * Blocks by relabeling rules, for `--selector.relabel-config`: a block stays when the rules leave any label of its
 * external ones and `__block_id`. Behaviour: thanos pkg/block/fetcher.go (LabelShardedMetaFilter).
 */
import { Labels } from '../model/labels.ts';
import type { RelabelRule } from '../model/relabel.ts';
import { relabel } from '../model/relabel.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { externalLabels } from './meta.ts';

/** The label that holds the ULID of a block while it is selected. */
export const BLOCK_ID_LABEL = '__block_id';

/** The blocks that the rules select; external labels named in `ignored` are not seen by them. */
export function filterByRelabeling(
  metas: ReadonlyMap<string, BlockMeta>,
  rules: readonly RelabelRule[],
  ignored: ReadonlySet<string> = new Set(),
): Map<string, BlockMeta> {
  return new Map(
    [...metas].filter(([ulid, meta]) => {
      const own = externalLabels(meta, metaPath(ulid)).drop(ignored);
      const labels = Labels.fromPairs([[BLOCK_ID_LABEL, ulid], ...own]);
      const selected = relabel(labels, rules);
      return selected !== undefined && selected.size > 0;
    }),
  );
}
