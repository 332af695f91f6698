/** Blocks by their external labels. */
import type { Matcher } from '../model/matcher.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { externalLabels } from './meta.ts';

/** The blocks whose external labels satisfy all matchers; a label that a block does not have counts as empty. */
export function filterByLabels(
  metas: ReadonlyMap<string, BlockMeta>,
  matchers: readonly Matcher[],
): Map<string, BlockMeta> {
  return new Map(
    [...metas].filter(([ulid, meta]) => {
      const labels = externalLabels(meta, metaPath(ulid));
      return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)));
    }),
  );
}
