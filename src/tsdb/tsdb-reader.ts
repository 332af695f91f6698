/**
 * A TSDB, the reading half: blocks and head as one storage, for one thread (compute worker or test).
 *
 * Each select looks at the table of blocks first (block-table.ts): samples before the table's headMint come from
 * blocks, the others from the head.
 */
import { XorScratch } from '../chunkenc/xor-scratch.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import type { Matcher } from '../model/matcher.ts';
import type {
  Queryable,
  SelectRequest,
  SeriesSet,
  SharedSeries,
  Texts,
  TimeRange,
} from '../storage/storage.ts';
import type { BlockHandle } from './block/block-handle.ts';
import { BlockReader } from './block/block-reader.ts';
import { TableView } from './block-table.ts';
import type { HeadSpan } from './block-table.ts';
import { SelectCache } from './block/select-cache.ts';
import { ChunkSeriesSet } from './chunk-series-set.ts';
import type { SetReading, SetSource, SharedParts } from './chunk-series-set.ts';
import type { PageCache } from './chunks/page-cache.ts';
import type { HeadHandle } from './head/chunk-source.ts';
import { HeadReader } from './head/head-reader.ts';
import type { SharedHeadSeries } from './head/head-series-set.ts';
import { inOrderWindow } from './head/series-snapshot.ts';
import type { HeadWindow } from './head/series-snapshot.ts';
import { LabelStore } from './index/label-store.ts';
import { MergeCache } from './merge-by-labels.ts';

/** What a thread needs to read a TSDB: plain data and shared memories, so it can be posted to workers. */
export interface TsdbHandle {
  readonly head: HeadHandle;
  /** See block-table.ts. */
  readonly table: SharedArrayBuffer;
}

/** What another thread opens a part of a set by: a block, or the head with what of it is read. */
type SourceKey = { readonly block: BlockHandle } | { readonly head: HeadSpan };

/** One thread's access to a TSDB. */
export class TsdbReader implements Queryable {
  readonly #table: TableView;
  readonly #cache: PageCache;
  readonly #head: HeadReader;
  readonly #labels: LabelStore;
  readonly #blocks = new Map<string, BlockReader>();
  readonly #selects = new SelectCache();
  readonly #merges = new MergeCache();
  readonly #scratch = new XorScratch();
  #seen: unknown;

  /** `labels` may be shared by all TSDBs of the thread. */
  constructor(handle: TsdbHandle, cache: PageCache, labels = new LabelStore()) {
    this.#table = new TableView(handle.table);
    this.#cache = cache;
    this.#labels = labels;
    this.#head = new HeadReader(handle.head, cache);
  }

  async select(request: SelectRequest): Promise<SeriesSet> {
    const { blocks, head } = this.#current();
    const sources: SetSource<SourceKey>[] = [];
    for (const block of blocks) {
      if (block.maxt <= request.mint || block.mint > request.maxt) continue;
      const set = this.#block(block).select(request);
      if (set.count > 0) sources.push({ key: { block }, set });
    }
    const window = windowOf(head, request);
    if (window !== undefined) {
      const set = this.#head.select(request.matchers, window);
      if (set.count > 0) sources.push({ key: { head }, set });
    }
    const parts = this.#merges.merge(sources.map(({ set }) => set));
    return new ChunkSeriesSet(request, sources, parts, this.#reading(sources, request));
  }

  openShared(shared: SharedSeries): SeriesSet {
    const { sources, parts } = shared.payload as SharedParts<SourceKey>;
    const opened = sources.map(({ key, payload }) => ({
      key,
      set: this.#open(key, payload, shared),
    }));
    return new ChunkSeriesSet(shared, opened, parts, this.#reading(opened, shared));
  }

  async labelNames(matcherSets: readonly (readonly Matcher[])[], range: TimeRange): Promise<Texts> {
    return this.#union(
      range,
      (block) => block.labelNames(matcherSets, range),
      (head, window) => head.labelNames(matcherSets, window),
    );
  }

  async labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<Texts> {
    return this.#union(
      range,
      (block) => block.labelValues(name, matcherSets, range),
      (head, window) => head.labelValues(name, matcherSets, window),
    );
  }

  /** Closes every file. */
  close(): void {
    this.#head.close();
    for (const reader of this.#blocks.values()) reader.close();
    this.#blocks.clear();
  }

  /** What sources that a range reaches say, each text once, sorted. */
  #union(
    range: TimeRange,
    askBlock: (block: BlockReader) => string[],
    askHead: (head: HeadReader, window: HeadWindow) => string[],
  ): Texts {
    const { blocks, head } = this.#current();
    const found = new Set<string>();
    const add = (texts: string[]): void => {
      for (const text of texts) found.add(text);
    };
    for (const block of blocks) {
      if (block.maxt > range.mint && block.mint <= range.maxt) add(askBlock(this.#block(block)));
    }
    const window = windowOf(head, range);
    if (window !== undefined) add(askHead(this.#head, window));
    return { texts: [...found].sort(compareUtf8), warnings: this.#missing(range) };
  }

  /** The table's content; closes what nobody needs any more when it has changed. */
  #current(): { blocks: readonly BlockHandle[]; head: HeadSpan } {
    const { content } = this.#table;
    if (content !== this.#seen) {
      this.#seen = content;
      this.#head.forget(content.headFirstFile);
      const wanted = new Set([...content.blocks.map(({ ulid }) => ulid), ...content.retiring]);
      for (const [ulid, reader] of this.#blocks) {
        if (wanted.has(ulid)) continue;
        reader.close();
        this.#blocks.delete(ulid);
      }
    }
    const { blocks, headMint, lateFrom } = content;
    return { blocks, head: { headMint, lateFrom } };
  }

  #block(handle: BlockHandle): BlockReader {
    let reader = this.#blocks.get(handle.ulid);
    if (reader === undefined) {
      reader = new BlockReader(handle, this.#cache, this.#labels, this.#selects);
      this.#blocks.set(handle.ulid, reader);
    }
    reader.revise(handle.revision);
    return reader;
  }

  #open(key: SourceKey, payload: unknown, range: TimeRange): SetSource<SourceKey>['set'] {
    if ('block' in key) return this.#block(key.block).openShared(payload);
    const window = windowOf(key.head, range) ?? inOrderWindow(range);
    return this.#head.openShared(payload as SharedHeadSeries, window);
  }

  /** Says which blocks should be in an answer and cannot be read. */
  #missing({ mint, maxt }: TimeRange): string[] {
    return this.#table.content.quarantined
      .filter((block) => block.maxt > mint && block.mint <= maxt)
      .map(({ ulid, reason }) => `the samples of block ${ulid} are missing: ${reason}`);
  }

  #reading(sources: readonly SetSource<SourceKey>[], range: TimeRange): SetReading {
    const head = sources.map(({ key }) => ('head' in key ? key.head : undefined)).find(Boolean);
    const stale = head === undefined ? () => false : () => this.#table.truncated(head);
    return { scratch: this.#scratch, stale, warnings: this.#missing(range) };
  }
}

/** What a range needs of the head; undefined when nothing. */
function windowOf({ headMint, lateFrom }: HeadSpan, range: TimeRange): HeadWindow | undefined {
  const mint = Math.max(range.mint, headMint ?? -Infinity);
  if (mint > range.maxt && lateFrom === null) return undefined;
  const { maxt } = range;
  if (lateFrom === null) return inOrderWindow({ mint, maxt });
  return { mint, maxt, lateMint: range.mint, lateFrom };
}
