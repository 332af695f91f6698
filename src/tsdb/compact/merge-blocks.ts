/**
 * Makes one block of several. Behaviour: prometheus tsdb/compact.go, LeveledCompactor.Compact.
 *
 *   symbols ──► series in label order, chunks in time order ──► index and chunks ──► meta.json, tombstones ──► rename
 */
import { readBlockMeta } from '../block/meta.ts';
import type { ListedBlock } from '../block/list-blocks.ts';
import { mergedMeta } from './merged-meta.ts';
import { writeMerged } from './write-merged.ts';
import type { WriteMergedOptions } from './write-merged.ts';

/**
 * Writes a block with the samples of the blocks in some directories, at least one, in order of their begin as
 * {@link planCompaction} has them; undefined when all of them are deleted. Chunks that overlap no other one keep their
 * bytes, samples of one time become one, what tombstones say is left out. The sources stay as they are.
 * @throws CodedError: unavailable when the disk refuses, corrupt when a source is damaged, not_implemented for chunks of
 * downsampled blocks; what the signal throws. Nothing of the block is left then.
 */
export function mergeBlocks(
  directories: readonly string[],
  options: WriteMergedOptions,
): ListedBlock | undefined {
  if (directories.length === 0) throw new RangeError('BUG: no blocks to merge');
  const metas = directories.map((directory) => readBlockMeta(directory));
  return writeMerged(directories, mergedMeta(metas), options);
}
