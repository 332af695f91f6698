/**
 * Tasks of compute workers for the StoreAPI: which series a TSDB has, once a call, and their chunks, page by page. Nothing is kept
 * between tasks: each page may be made in another thread.
 */
import { fromSpecs } from '../../http/matcher-specs.ts';
import type { MatcherSpec } from '../../http/tsdb-service.ts';
import { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import type { LabelBytes } from '../../bucket/read/label-bytes.ts';
import { must } from '../../lib/assert.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { Transfer } from '../../ops/worker-protocol.ts';
import type { Task, TaskContext } from '../../ops/worker-runtime.ts';
import type { ShardInfo } from '../../rpc/store/series-request.ts';
import type { SeriesSet, Texts, TimeRange } from '../../storage/storage.ts';
import type { SharedParts } from '../../tsdb/chunk-series-set.ts';
import type { PageCache } from '../../tsdb/chunks/page-cache.ts';
import type { TsdbHandle, TsdbReader } from '../../tsdb/tsdb-reader.ts';
import { shardTest } from '../gateway/shard-test.ts';
import { ChunkFrames } from './store-chunk-frames.ts';
import type { FramedMessages } from './store-chunk-frames.ts';
import { StoreChunkReader } from './store-chunk-reader.ts';
import type { StoreParts, StoreSourceKey } from './store-chunk-reader.ts';
import { LabelWriter, orderLabels } from './store-labels.ts';

/** How often a loop over series looks whether it is still wanted. */
const CHECK_EVERY = 1024;
/** Bytes of a sample in a chunk, about. */
const SAMPLE_BYTES = 2;

/** Which series are asked for, of the TSDB of a number. Times in ms, both inclusive. */
export interface StoreSelectParams extends TimeRange {
  readonly tsdb: number;
  readonly matchers: readonly MatcherSpec[];
  readonly without: readonly string[];
  readonly shard: ShardInfo | undefined;
  /** At most so many series; 0 for all. */
  readonly limit: number;
  /** Whether chunks will be asked for. */
  readonly withChunks: boolean;
}

/** An answer, and the ULIDs of the blocks that the TSDB had then. */
export interface OfBlocks {
  readonly blocks: readonly string[];
}

/** The series that a TSDB has, in the order of the labels that are sent. */
export interface StoreSelection extends OfBlocks {
  /** Labels of the i-th series: labels[starts[i]..starts[i + 1]]. */
  readonly labels: Uint8Array<ArrayBuffer>;
  readonly starts: Uint32Array<ArrayBuffer>;
  /** The series of the TSDB that have the i-th label set: found[members[i]..members[i + 1]]. */
  readonly members: Uint32Array<ArrayBuffer>;
  /** Bytes of the chunks of the i-th series, about. */
  readonly sizes: Float64Array<ArrayBuffer>;
  /** Where chunks are; undefined when there are none to be read. */
  readonly found: StoreParts | undefined;
  readonly warnings: readonly string[];
}

/** Series whose chunks are asked for. */
export interface StorePageParams {
  readonly tsdb: number;
  readonly found: StoreParts;
  /** As in {@link StoreSelection}, from 0 on. */
  readonly members: Uint32Array;
  /** A page ends behind the series that takes it over so many bytes. */
  readonly bytesMax: number;
}

/** The chunks of the first series that were asked for. */
export interface StorePage extends FramedMessages {
  /** Chunks of the i-th series: chunkStarts[i] to chunkStarts[i + 1]; of as many series as there are in the page. */
  readonly chunkStarts: Uint32Array<ArrayBuffer>;
}

/** What is asked about labels. */
export interface StoreLabelsParams extends TimeRange {
  readonly tsdb: number;
  readonly matchers: readonly MatcherSpec[];
  /** The label whose values are asked for; undefined for the names of all. */
  readonly name: string | undefined;
  /** Labels that are not shown. */
  readonly without: readonly string[];
}

/** What tasks read. */
export interface StoreTaskOptions {
  readonly readers: readonly TsdbReader[];
  readonly tsdbs: readonly TsdbHandle[];
  readonly cache: PageCache;
  readonly externalLabels: Labels;
}

/** The tasks of a worker. */
export function storeTasks(options: StoreTaskOptions): Record<string, Task> {
  const { readers, tsdbs, cache, externalLabels } = options;
  const chunkReaders = tsdbs.map((handle) => new StoreChunkReader(handle, cache));
  // Made at need: its memory is some MiB.
  let made: PageMaker | undefined;
  const pages = (): PageMaker => (made ??= new PageMaker());
  const readerOf = (tsdb: number): TsdbReader => must(readers[tsdb], 'no TSDB of that number');
  const chunksOf = (tsdb: number): StoreChunkReader => must(chunkReaders[tsdb], 'no such TSDB');
  return {
    'store.select': async (params: StoreSelectParams, { signal }: TaskContext) => {
      const { tsdb, shard, without } = params;
      const chunks = chunksOf(tsdb);
      const request = { ...params, matchers: fromSpecs(params.matchers) };
      const { set, blocks } = await withBlocks(chunks, async () => ({
        set: await readerOf(tsdb).select(request),
      }));
      const labels = new LabelWriter(externalLabels, new Set(without));
      const isWanted = shard === undefined ? undefined : shardTest(shard, pages().framer);
      const selection = { ...describe(set, params, labels, isWanted, signal), blocks };
      set.close();
      const { labels: bytes, starts, members, sizes } = selection;
      return new Transfer(selection, buffersOf(bytes, starts, members, sizes));
    },
    'store.page': (params: StorePageParams, { signal }: TaskContext) => {
      const page = pages().make(params, chunksOf(params.tsdb), signal);
      return new Transfer(
        page,
        buffersOf(page.bytes, page.ends, page.mint, page.maxt, page.chunkStarts),
      );
    },
    'store.labels': (params: StoreLabelsParams) => {
      const { tsdb } = params;
      return withBlocks(chunksOf(tsdb), () => labelsOf(params, readerOf(tsdb), externalLabels));
    },
  };
}

/** The series of a set that are wanted, in the order of the labels that are sent. */
function describe(
  set: SeriesSet,
  { limit, withChunks }: StoreSelectParams,
  writer: LabelWriter,
  isWanted: ((labels: LabelBytes) => boolean) | undefined,
  signal: AbortSignal,
): Omit<StoreSelection, 'blocks'> {
  const wanted: number[] = [];
  for (let i = 0; i < set.count; i++) {
    if (i % CHECK_EVERY === 0) signal.throwIfAborted();
    writer.add(set.labels(i));
    if (isWanted === undefined || isWanted(writer.last)) wanted.push(i);
    else writer.drop();
  }
  // Series without chunks in the range turn out later, and do not count.
  const ordered = orderLabels(writer.finish(), withChunks ? 0 : limit);
  const { bytes: labels, starts, members, order } = ordered;
  const picked = Array.from(order, (i) => wanted[i] as number);
  return {
    labels,
    starts,
    members,
    sizes: withChunks ? sizesOf(set, members, picked) : new Float64Array(0),
    found: withChunks && picked.length > 0 ? shared(set, picked) : undefined,
    warnings: [...set.warnings],
  };
}

/** limit: how often a look at a TSDB begins again because its blocks changed; they do so once in minutes. */
const LOOKS_MAX = 10;

/** What a look at a TSDB finds, and the blocks that were there all the time. */
async function withBlocks<T extends object>(
  chunks: StoreChunkReader,
  look: () => Promise<T>,
): Promise<T & OfBlocks> {
  for (let n = 0; n < LOOKS_MAX; n++) {
    const { content } = chunks;
    const found = await look();
    if (chunks.content === content) {
      return { ...found, blocks: content.blocks.map(({ ulid }) => ulid) };
    }
  }
  throw new CodedError('unavailable', 'the blocks of the TSDB change all the time, ask again');
}

/** Behaviour: thanos pkg/store/tsdb.go, LabelNames and LabelValues. */
async function labelsOf(
  { matchers, name, mint, maxt, without }: StoreLabelsParams,
  reader: TsdbReader,
  external: Labels,
): Promise<Texts> {
  const range = { mint, maxt };
  const made = fromSpecs(matchers);
  const sets = made.length === 0 ? [] : [made];
  if (name === undefined) {
    const { texts, warnings } = await reader.labelNames(sets, range);
    const shown = [...external.drop(new Set(without))].map(([added]) => added);
    return { texts: texts.length === 0 ? [] : [...texts, ...shown], warnings };
  }
  const value = external.get(name);
  if (value === '') return reader.labelValues(name, sets, range);
  if (made.length === 0) return { texts: [value], warnings: [] };
  // All series that are shown have it.
  const set = await reader.select({ matchers: made, ...range });
  set.close();
  return { texts: set.count > 0 ? [value] : [], warnings: set.warnings };
}

function shared(set: SeriesSet, picked: readonly number[]): StoreParts {
  const { payload, mint, maxt } = set.sharePicked(picked);
  return { parts: payload as SharedParts<StoreSourceKey>, mint, maxt };
}

function sizesOf(
  set: SeriesSet,
  members: Uint32Array,
  picked: readonly number[],
): Float64Array<ArrayBuffer> {
  const sizes = new Float64Array(members.length - 1);
  for (let i = 0; i < sizes.length; i++) {
    let samples = 0;
    for (let k = members[i] as number; k < (members[i + 1] as number); k++)
      samples += set.sampleEstimate(picked[k] as number);
    sizes[i] = samples * SAMPLE_BYTES;
  }
  return sizes;
}

/** Makes pages, one after the other: keeps its memory. */
class PageMaker {
  readonly framer = new ChunkFramer();
  readonly #frames = new ChunkFrames();

  make(
    { found, members, bytesMax }: StorePageParams,
    chunks: StoreChunkReader,
    signal: AbortSignal,
  ): StorePage {
    const frames = this.#frames;
    frames.clear();
    chunks.check(found);
    const chunkStarts: number[] = [0];
    for (let i = 0; i + 1 < members.length; i++) {
      if (frames.bytes >= bytesMax) break;
      signal.throwIfAborted();
      for (let k = members[i] as number; k < (members[i + 1] as number); k++)
        chunks.append(found, k, frames);
      chunkStarts.push(frames.count);
    }
    chunks.check(found);
    return { ...frames.finish(this.framer), chunkStarts: Uint32Array.from(chunkStarts) };
  }
}

function buffersOf(...arrays: readonly ArrayBufferView<ArrayBuffer>[]): ArrayBuffer[] {
  return [...new Set(arrays.map(({ buffer }) => buffer))];
}
