/** Metas of blocks as plain data, for whoever asks a TSDB about itself. */
import { encodeBlockMeta } from './meta.ts';
import type { BlockMeta } from './meta.ts';

/** The members of meta.json that are TSDB's own. */
export function plainMeta(meta: BlockMeta): object {
  return JSON.parse(encodeBlockMeta({ ...meta, extra: {} })) as object;
}
