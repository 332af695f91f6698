/** Merges blocks and notes in theirs metas what came of it. Behaviour: prometheus tsdb/compact.go, LeveledCompactor.Compact. */
import { errorCode } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { ListedBlock } from '../block/list-blocks.ts';
import { readBlockMeta, writeBlockMeta } from '../block/meta.ts';
import type { BlockCompaction } from '../block/meta.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { WriteMergedOptions } from './write-merged.ts';

/**
 * As {@link mergeBlocks}. When no samples are left the sources are marked `deletable`. When a source cannot be merged they
 * are marked `failed`, so that the plan passes them over from now on. compat: Prometheus marks them so also when the disk
 * was full, and then never tries again; here what the disk or the caller refused leaves them as they are.
 */
export function compactBlocks(
  directories: readonly string[],
  options: WriteMergedOptions,
): ListedBlock | undefined {
  let merged: ListedBlock | undefined;
  try {
    merged = mergeBlocks(directories, options);
  } catch (thrown) {
    if (MARKED.has(errorCode(thrown)) && options.signal?.aborted !== true)
      mark(options.files, directories, { failed: true });
    throw thrown;
  }
  if (merged === undefined) mark(options.files, directories, { deletable: true });
  return merged;
}

/** What does not go away by itself. */
const MARKED: ReadonlySet<string> = new Set([
  'corrupt',
  'not_implemented',
  'internal',
  'too_large',
]);

function mark(
  files: FileLayer,
  directories: readonly string[],
  marks: Pick<BlockCompaction, 'failed' | 'deletable'>,
): void {
  for (const directory of directories) {
    try {
      const meta = readBlockMeta(directory);
      writeBlockMeta(files, directory, { ...meta, compaction: { ...meta.compaction, ...marks } });
    } catch {
      // A block that cannot be marked is tried again.
    }
  }
}
