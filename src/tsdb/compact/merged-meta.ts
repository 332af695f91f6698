/** What meta.json says of a block that was made of others. Behaviour: prometheus tsdb/compact.go, CompactBlockMetas. */
import { compareUtf8 } from '../../lib/utf8.ts';
import type { BlockCompaction, BlockMeta } from '../block/meta.ts';
import { FROM_OUT_OF_ORDER } from './cut-block.ts';
import { FROM_SELECTED_SERIES, FROM_STALE_SERIES } from './plan.ts';

/** Range and origin of a block. */
export interface MergedMeta {
  /** ms, inclusive. */
  readonly mint: number;
  /** ms, exclusive. */
  readonly maxt: number;
  readonly compaction: BlockCompaction;
}

/**
 * The range around all blocks, a level more than the highest of theirs, and what they come from. A hint that a block says
 * nothing of where the head begins stays: `from-out-of-order` if all have it, the others if any has.
 */
export function mergedMeta(metas: readonly BlockMeta[]): MergedMeta {
  const sources = new Set(metas.flatMap(({ compaction }) => compaction.sources ?? []));
  const has = (hint: string) => (meta: BlockMeta) => meta.compaction.hints?.includes(hint) === true;
  const hints = [
    ...(metas.every(has(FROM_OUT_OF_ORDER)) ? [FROM_OUT_OF_ORDER] : []),
    ...[FROM_SELECTED_SERIES, FROM_STALE_SERIES].filter((hint) => metas.some(has(hint))),
  ];
  return {
    mint: Math.min(...metas.map(({ minTime }) => minTime)),
    maxt: Math.max(...metas.map(({ maxTime }) => maxTime)),
    compaction: {
      level: Math.max(...metas.map(({ compaction }) => compaction.level)) + 1,
      sources: [...sources].sort(compareUtf8),
      parents: metas.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
      ...(hints.length > 0 && { hints }),
    },
  };
}
