/**
 * Cuts a block of level 1 from a time range of the head. Runs in any thread beside the one that writes the head, and
 * streams: one series' chunks are in memory at a time.
 */
import { join } from 'node:path';
import { CodedError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { BlockWriter } from '../block/block-writer.ts';
import { inspectBlock } from '../block/list-blocks.ts';
import type { ListedBlock } from '../block/list-blocks.ts';
import type { HeadHandle } from '../head/chunk-source.ts';
import { HeadRange } from '../head/head-range.ts';
import type { HeadPart } from '../head/head-range.ts';
import { LateMerger } from './merge-late.ts';

/** What Prometheus marks blocks with that hold samples which came out of order: they say nothing of where the head begins. */
export const FROM_OUT_OF_ORDER = 'from-out-of-order';

/** A part of a head: mint <= t < maxt, ms. */
export interface CutRange {
  readonly mint: number;
  readonly maxt: number;
}

/** What a cut needs besides the head. */
export interface CutOptions {
  /** The data directory, which gets the block. */
  readonly directory: string;
  readonly ulid: string;
  readonly files: FileLayer;
  /** The part of the head: what came in order by default. */
  readonly part?: HeadPart;
  /** Asked at each series; a signal whose `aborted` can be polled ends a cut in the middle. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a block with the head's samples of a range and looks at what became of it; undefined when there are none. The
 * head is as before.
 * @throws CodedError unavailable when the disk refuses, CorruptionError when a chunk's bytes are damaged, what the signal
 * throws; nothing of the block is left then.
 */
export function cutBlock(
  head: HeadHandle,
  range: CutRange,
  { directory, ulid, files, signal, part = 'inOrder' }: CutOptions,
): ListedBlock | undefined {
  const series = new HeadRange(head, { mint: range.mint, maxt: range.maxt - 1 }, part);
  const merger = new LateMerger();
  let writer: BlockWriter | undefined;
  try {
    if (series.count === 0) return undefined;
    writer = new BlockWriter({ parent: directory, ulid, files });
    writer.symbols(series.symbols());
    let chunkCount = 0;
    for (let n = 0; n < series.count; n++) {
      signal?.throwIfAborted();
      const found = series.chunks(n);
      const chunks = part === 'inOrder' ? found : merger.merge(found);
      if (chunks.length === 0) continue;
      chunkCount += chunks.length;
      writer.series(series.labels(n), chunks);
    }
    if (chunkCount === 0) {
      writer.abort();
      return undefined;
    }
    const { mint, maxt } = range;
    const hints = part === 'inOrder' ? {} : { hints: [FROM_OUT_OF_ORDER] };
    writer.finish({ mint, maxt, compaction: { level: 1, sources: [ulid], ...hints } });
    const block = inspectBlock(join(directory, ulid), ulid);
    if ('reason' in block) throw new CodedError('corrupt', `block ${ulid}: ${block.reason}`);
    return block;
  } catch (thrown) {
    writer?.abort();
    throw thrown;
  } finally {
    series.close();
  }
}
