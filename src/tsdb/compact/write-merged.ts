/**
 * Writes one block with what others hold of a range: one series' chunks are in memory at a time, besides what
 * src/tsdb/index/index-writer.ts keeps and four bytes for each series and symbol of each block.
 */
import { join } from 'node:path';
import { CodedError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { BlockWriter } from '../block/block-writer.ts';
import { removeQuietly } from '../block/durable-file.ts';
import { inspectBlock } from '../block/list-blocks.ts';
import type { ListedBlock } from '../block/list-blocks.ts';
import { compareNumbers } from '../index/number-order.ts';
import { FrameSegments } from './frame-segments.ts';
import { SeriesMerger } from './merge-series.ts';
import { mergeSymbols } from './merge-symbols.ts';
import type { MergedMeta } from './merged-meta.ts';
import { SampleFilter } from './sample-filter.ts';
import { SourceBlock } from './source-block.ts';
import { TieHeap } from './tie-heap.ts';

/** Where and how a block is written. */
export interface WriteMergedOptions {
  /** The directory that gets `<ulid>/`. */
  readonly directory: string;
  readonly ulid: string;
  readonly files: FileLayer;
  /** Asked at each series; a signal whose `aborted` can be polled ends the work in the middle. */
  readonly signal?: AbortSignal | undefined;
  /** Limit of a chunk segment, 512 MiB. */
  readonly segmentBytesMax?: number;
  /** Members of the new meta.json that are not TSDB's own, `thanos` for example. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/**
 * Writes a block with the samples of the blocks in some directories, at least one, that lie in the new block's range, and
 * looks at what became of it; undefined when nothing was left. The sources stay as they are.
 * @throws CodedError unavailable when the disk refuses, not_implemented for chunks of downsampled blocks, CorruptionError
 * when a source is damaged, what the signal throws; nothing of the block is left then.
 */
export function writeMerged(
  directories: readonly string[],
  { mint, maxt, compaction }: MergedMeta,
  options: WriteMergedOptions,
): ListedBlock | undefined {
  const { directory, ulid, files, segmentBytesMax, extra = {} } = options;
  const filter = new SampleFilter();
  const blocks: SourceBlock[] = [];
  let writer: BlockWriter | undefined;
  try {
    for (const source of directories)
      blocks.push(new SourceBlock(source, { mint, maxt: maxt - 1 }, filter));
    const limit = segmentBytesMax === undefined ? {} : { segmentBytesMax };
    const makeSegments = (...where: ConstructorParameters<typeof FrameSegments>): FrameSegments =>
      new FrameSegments(...where);
    const target = new BlockWriter({ parent: directory, ulid, files, makeSegments, ...limit });
    writer = target;
    const places = blocks.map((block) => block.symbolsPlace);
    const numbers = mergeSymbols(places, (symbol) => target.symbolBytes(symbol));
    for (const [i, block] of blocks.entries()) block.number(numbers[i] ?? (() => undefined));
    mergeSeries(blocks, target, options.signal);
    const meta = target.finish({ mint, maxt, compaction, extra });
    return meta.stats.numSamples === undefined ? undefined : inspect(files, directory, ulid);
  } catch (thrown) {
    writer?.abort();
    throw thrown;
  } finally {
    for (const block of blocks) block.close();
  }
}

function mergeSeries(
  blocks: readonly SourceBlock[],
  writer: BlockWriter,
  signal: AbortSignal | undefined,
): void {
  const merger = new SeriesMerger();
  const heap = new TieHeap<SourceBlock>((a, b) => compareNumbers(a.symbols, b.symbols) < 0);
  for (const block of blocks) if (block.nextSeries()) heap.push(block);
  const same: SourceBlock[] = [];
  for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
    signal?.throwIfAborted();
    same.length = 0;
    same.push(first);
    while (heap.top !== undefined && compareNumbers(heap.top.symbols, first.symbols) === 0)
      same.push(heap.pop() as SourceBlock);
    writer.numberedSeries(first.symbols, merger.merge(same));
    // compat: in this order, which decides which block's samples are kept where two have one of the same time.
    for (const block of same) {
      block.release();
      if (block.nextSeries()) heap.push(block);
    }
  }
}

function inspect(files: FileLayer, directory: string, ulid: string): ListedBlock {
  const path = join(directory, ulid);
  const block = inspectBlock(path, ulid);
  if (!('reason' in block)) return block;
  removeQuietly(files, path);
  throw new CodedError('corrupt', `block ${ulid}: ${block.reason}`);
}
