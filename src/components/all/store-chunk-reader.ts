/**
 * Chunks of the series that a select on a TSDB found (tsdb/tsdb-reader.ts), for one thread, which need not be the one of the select.
 * What a select found is plain data: for blocks the refs of chunks, for the head where series are.
 */
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { must } from '../../lib/assert.ts';
import { CodedError } from '../../lib/errors.ts';
import type { TimeRange } from '../../storage/storage.ts';
import type { BlockHandle } from '../../tsdb/block/block-handle.ts';
import type { FoundChunks } from '../../tsdb/block/block-series-set.ts';
import { TableView } from '../../tsdb/block-table.ts';
import type { HeadSpan } from '../../tsdb/block-table.ts';
import type { SharedParts } from '../../tsdb/chunk-series-set.ts';
import type { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { LateMerger } from '../../tsdb/compact/merge-late.ts';
import type { SharedHeadSeries } from '../../tsdb/head/head-series-set.ts';
import { inOrderWindow } from '../../tsdb/head/series-snapshot.ts';
import type { HeadWindow } from '../../tsdb/head/series-snapshot.ts';
import type { TsdbHandle } from '../../tsdb/tsdb-reader.ts';
import { StoreBlockChunks } from './store-block-chunks.ts';
import type { ChunkFrames } from './store-chunk-frames.ts';
import { StoreHeadChunks } from './store-head-chunks.ts';

/** A source of a select: a block, or the head with what of it is read. */
export type StoreSourceKey = { readonly block: BlockHandle } | { readonly head: HeadSpan };

/** What a select found, and of which times (ms, inclusive). */
export interface StoreParts extends TimeRange {
  readonly parts: SharedParts<StoreSourceKey>;
}

/** Reads chunks of one TSDB. Synchronous; not for two callers at a time. */
export class StoreChunkReader {
  readonly #cache: PageCache;
  readonly #table: TableView;
  readonly #head: StoreHeadChunks;
  readonly #blocks = new Map<string, StoreBlockChunks>();
  readonly #scratch = new XorScratch();
  readonly #late = new LateMerger();
  #seen: unknown;

  constructor(handle: TsdbHandle, cache: PageCache) {
    this.#cache = cache;
    this.#table = new TableView(handle.table);
    this.#head = new StoreHeadChunks(handle.head, cache);
  }

  /** The ULIDs of the blocks that selects see now. The same object until that changes. */
  get content(): { readonly blocks: readonly BlockHandle[] } {
    return this.#table.content;
  }

  /** Makes sure that what a select found is still there. @throws CodedError unavailable when it is not. */
  check({ parts }: StoreParts): void {
    this.#closeUnneeded();
    for (const { key } of parts.sources) {
      if ('head' in key && this.#table.truncated(key.head))
        throw new CodedError('unavailable', 'samples moved to a block during the call, ask again');
    }
  }

  /**
   * Adds the chunks of one of the series found, in order of time: those that overlap, because samples came late or blocks do, are put
   * together anew.
   * @throws CodedError when they cannot be read, or are not what their format says.
   */
  append(found: StoreParts, series: number, into: ChunkFrames): void {
    const { starts, sources, numbers } = found.parts.parts;
    const first = into.count;
    for (let part = starts[series] as number; part < (starts[series + 1] as number); part++) {
      const { key, payload } = must(found.parts.sources[sources[part] as number], 'a source');
      const number = numbers[part] as number;
      if ('block' in key) this.#appendBlock(key.block, payload as FoundChunks, number, into);
      else this.#appendHead(key.head, payload as SharedHeadSeries, number, found, into);
    }
    if (!into.overlapsFrom(first)) return;
    const chunks: readonly EncodedChunk[] = into.copiesFrom(first);
    into.cut(first);
    for (const chunk of this.#late.merge(chunks)) into.add(chunk);
  }

  /** Closes every file. */
  close(): void {
    this.#head.close();
    for (const block of this.#blocks.values()) block.close();
    this.#blocks.clear();
  }

  #appendBlock(handle: BlockHandle, found: FoundChunks, number: number, into: ChunkFrames): void {
    const { series, starts, refs } = found;
    const range = { from: starts[number] as number, to: starts[number + 1] as number };
    this.#block(handle).append(series[number] as number, refs, range, this.#scratch, into);
  }

  #appendHead(
    span: HeadSpan,
    { arenas, addresses, lastTimes }: SharedHeadSeries,
    number: number,
    range: TimeRange,
    into: ChunkFrames,
  ): void {
    const place = {
      arena: arenas[number] as number,
      address: addresses[number] as number,
      lastT: lastTimes[number] as number,
    };
    this.#head.append(place, windowOf(span, range), this.#scratch, into);
  }

  #block(handle: BlockHandle): StoreBlockChunks {
    let block = this.#blocks.get(handle.ulid);
    if (block === undefined) {
      block = new StoreBlockChunks(handle, this.#cache);
      this.#blocks.set(handle.ulid, block);
    }
    block.revise(handle.revision);
    return block;
  }

  /** Closes what no select finds any more. */
  #closeUnneeded(): void {
    const { content } = this.#table;
    if (content === this.#seen) return;
    this.#seen = content;
    this.#head.forget(content.headFirstFile);
    const wanted = new Set([...content.blocks.map(({ ulid }) => ulid), ...content.retiring]);
    for (const [ulid, block] of this.#blocks) {
      if (wanted.has(ulid)) continue;
      block.close();
      this.#blocks.delete(ulid);
    }
  }
}

/** What a range needs of the head. */
function windowOf({ headMint, lateFrom }: HeadSpan, { mint, maxt }: TimeRange): HeadWindow {
  const inOrder = { mint: Math.max(mint, headMint ?? -Infinity), maxt };
  if (lateFrom === null) return inOrderWindow(inOrder);
  return { ...inOrder, lateMint: mint, lateFrom };
}

/** Bytes of what a select found, about. */
export function partsBytes({ parts }: StoreParts): number {
  let bytes = parts.parts.numbers.length * 10;
  for (const { key, payload } of parts.sources) {
    if ('block' in key) bytes += (payload as FoundChunks).refs.length * 8;
    else bytes += (payload as SharedHeadSeries).addresses.length * 17;
  }
  return bytes;
}

/** Series from..to (exclusive) of what a select found, and nothing of the others. */
export function sliceParts(
  { parts, mint, maxt }: StoreParts,
  { from, to }: { readonly from: number; readonly to: number },
): StoreParts {
  const { starts, sources, numbers } = parts.parts;
  const begin = starts[from] as number;
  const end = starts[to] as number;
  // The numbers of a source ascend by one, because the series were picked in this order.
  const firsts = new Map<number, number>();
  const counts = new Map<number, number>();
  for (let part = begin; part < end; part++) {
    const source = sources[part] as number;
    if (!firsts.has(source)) firsts.set(source, numbers[part] as number);
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  const places = new Map([...firsts.keys()].map((source, place) => [source, place]));
  const placeOf = (source: number): number => must(places.get(source), 'a source of the slice');
  return {
    mint,
    maxt,
    parts: {
      sources: [...firsts].map(([source, first]) => {
        const { key, payload } = must(parts.sources[source], 'a source');
        const range = { from: first, to: first + (counts.get(source) ?? 0) };
        const cut =
          'block' in key
            ? sliceChunks(payload as FoundChunks, range)
            : sliceHead(payload as SharedHeadSeries, range);
        return { key, payload: cut };
      }),
      parts: {
        starts: starts.slice(from, to + 1).map((start) => start - begin),
        sources: sources.slice(begin, end).map(placeOf),
        numbers: numbers.slice(begin, end).map((number, i) => {
          return number - must(firsts.get(sources[begin + i] as number), 'a source of the slice');
        }),
      },
    },
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function sliceChunks({ series, starts, refs }: FoundChunks, { from, to }: Range): FoundChunks {
  const begin = starts[from] as number;
  return {
    series: series.slice(from, to),
    starts: starts.slice(from, to + 1).map((start) => start - begin),
    refs: refs.slice(begin, starts[to]),
    overlapping: new Set(),
  };
}

function sliceHead(series: SharedHeadSeries, { from, to }: Range): SharedHeadSeries {
  return {
    arenas: series.arenas.slice(from, to),
    addresses: series.addresses.slice(from, to),
    lastTimes: series.lastTimes.slice(from, to),
  };
}
