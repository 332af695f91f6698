/**
 * One thread's access to one block: selects over its index, samples from its chunk segments, both through the page
 * cache. What tombstones say is deleted is never shown.
 */
import { ENCODING_XOR, ENCODING_XOR2 } from '../../chunkenc/encodings.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CodedError } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SelectRequest, TimeRange } from '../../storage/storage.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import { SegmentReader } from '../chunks/segment-reader.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import { IndexReader } from '../index/index-reader.ts';
import { LabelStore } from '../index/label-store.ts';
import { union } from '../index/postings.ts';
import type { Postings } from '../index/postings.ts';
import { selectPostings } from '../index/select-postings.ts';
import { SeriesEntry } from '../index/series-entry.ts';
import { BlockFiles } from './block-files.ts';
import type { BlockHandle } from './block-handle.ts';
import { BlockSeriesSet } from './block-series-set.ts';
import type { BlockSamples, ChunkRun, FoundChunks } from './block-series-set.ts';
import { AllChunksBuilder, FoundChunksBuilder, clipChunks } from './found-chunks.ts';
import { KEPT_SERIES_MAX, SelectCache } from './select-cache.ts';
import { readTombstones } from './tombstones.ts';
import type { DeletedInterval, Tombstones } from './tombstones.ts';

/** Histograms: integer, float, and the two with start timestamps. Float reads pass them over. */
const HISTOGRAMS: ReadonlySet<number> = new Set([2, 3, 5, 6]);

/**
 * Reads one block. Everything is synchronous and throws CodedError: corrupt for bytes that are not what their format
 * says, unavailable for files that cannot be read.
 */
export class BlockReader implements BlockSamples {
  readonly #files: BlockFiles;
  readonly #index: IndexReader;
  readonly #chunks: SegmentReader;
  #tombstones: Tombstones;
  readonly #directory: string;
  readonly #ulid: string;
  readonly #selects: SelectCache;
  #revision: number;
  readonly #entry = new SeriesEntry();

  /** Opens the index; `labels` and `selects` are the thread's. */
  constructor(
    handle: BlockHandle,
    cache: PageCache,
    labels = new LabelStore(),
    selects = new SelectCache(),
  ) {
    this.#ulid = handle.ulid;
    this.#selects = selects;
    this.#revision = handle.revision;
    this.#directory = handle.directory;
    this.#files = new BlockFiles(handle);
    try {
      const source = this.#files.index(cache);
      this.#index = new IndexReader(source, source.path, labels);
      this.#tombstones = readTombstones(handle.directory);
    } catch (thrown) {
      this.#files.close();
      throw thrown;
    }
    this.#chunks = new SegmentReader(this.#files, cache);
  }

  /** Reads the tombstones again if they have changed. @throws CodedError when they cannot be read. */
  revise(revision: number): void {
    if (revision === this.#revision) return;
    this.#tombstones = readTombstones(this.#directory);
    this.#revision = revision;
  }

  /** The series that have chunks in the range. */
  select({ matchers, mint, maxt }: SelectRequest): ChunkSet {
    const key = SelectCache.key(this.#ulid, matchers);
    const range = { mint, maxt };
    const kept = this.#selects.get(key);
    if (kept !== undefined) return this.#setOf(clipChunks(kept, range, this.#tombstones));
    const postings = selectPostings(this.#index, matchers);
    if (postings.length > KEPT_SERIES_MAX) return this.#setOf(this.#find(postings, range));
    const all = new AllChunksBuilder(postings.length);
    this.#each(postings, (series) => all.add(series, this.#entry));
    const found = all.finish();
    this.#selects.set(key, found);
    return this.#setOf(clipChunks(found, range, this.#tombstones));
  }

  #setOf(found: FoundChunks): ChunkSet {
    return new BlockSeriesSet(this, found);
  }

  /** The chunks that a range needs, without those that it does not. */
  #find(postings: Postings, range: TimeRange): FoundChunks {
    const found = new FoundChunksBuilder(range, postings.length);
    this.#each(postings, (series) => {
      const chunks = { from: 0, to: this.#entry.chunkCount };
      found.add(series, this.#entry, chunks, this.#tombstones.get(series));
      found.dropEmpty();
    });
    return found.finish();
  }

  /** Series that a set of this block shared, maybe in another thread. */
  openShared(payload: unknown): ChunkSet {
    return new BlockSeriesSet(this, payload as FoundChunks);
  }

  /** Label names of the series that match any of the matcher sets (none: all series), sorted by UTF-8 bytes. */
  labelNames(matcherSets: readonly (readonly Matcher[])[], range: TimeRange): string[] {
    if (matcherSets.length === 0) return this.#index.labelNames();
    const names = new Set<number>();
    this.#eachHolding(matcherSets, range, ({ symbols, labelCount }) => {
      for (let i = 0; i < labelCount; i++) names.add(symbols[i * 2] as number);
    });
    return this.#texts(names);
  }

  /** Values of one label, likewise. */
  labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): string[] {
    if (matcherSets.length === 0) return this.#index.labelValues(name);
    const values = new Set<number>();
    this.#eachHolding(matcherSets, range, ({ symbols, labelCount }) => {
      for (let i = 0; i < labelCount; i++) {
        if (this.#index.symbols.text(symbols[i * 2] as number) !== name) continue;
        values.add(symbols[i * 2 + 1] as number);
      }
    });
    return this.#texts(values);
  }

  /** Closes the files. */
  close(): void {
    this.#selects.forget(this.#ulid);
    this.#files.close();
  }

  labels(series: number): Labels {
    const kept = this.#index.keptLabels(series);
    if (kept !== undefined) return kept;
    this.#index.readSeries(series, this.#entry);
    return this.#index.labelsOf(series, this.#entry);
  }

  deleted(series: number): readonly DeletedInterval[] | undefined {
    return this.#tombstones.get(series);
  }

  beginSeries(): void {
    this.#chunks.forget();
  }

  appendChunks(
    scratch: XorScratch,
    { refs, from: k, end, runEnd }: ChunkRun,
    dropStale: boolean,
  ): number {
    const chunks = this.#chunks;
    const ref = refs[k] as number;
    chunks.load(scratch, ref, runEnd);
    const { encoding, from, length, count } = chunks;
    if (HISTOGRAMS.has(encoding)) {
      scratch.skippedHistograms = true;
      return 1;
    }
    if (encoding === ENCODING_XOR && k + 1 < end) {
      const frames = chunks.soundFrames(refs, k, end);
      if (frames.count > 1 && scratch.appendFrames(frames, dropStale)) return frames.count;
    }
    if (encoding !== ENCODING_XOR && encoding !== ENCODING_XOR2) {
      // Floats that are left out would make an answer that is wrong and looks right.
      const what = chunks.corrupt(ref, `chunks of encoding ${encoding} are not implemented yet`);
      throw new CodedError('not_implemented', what.message);
    } else if (!scratch.appendSource(from, length, count, dropStale, encoding)) {
      throw chunks.corrupt(ref, 'chunk is not a float (XOR) chunk of its count');
    }
    return 1;
  }

  appendHistogramChunk(
    scratch: XorScratch,
    ref: number,
    runEnd: number,
    into: HistogramColumns,
  ): void {
    const chunks = this.#chunks;
    chunks.load(scratch, ref, runEnd);
    const { encoding, from, length } = chunks;
    if (!HISTOGRAMS.has(encoding)) return;
    const where = chunks.corrupt(ref, '').where;
    decodeHistogramChunk(scratch.source, from, length, encoding, into, where);
  }

  #each(postings: Postings, visit: (series: number) => void): void {
    for (let i = 0; i < postings.length; i++) {
      const series = postings[i] as number;
      this.#index.readSeries(series, this.#entry);
      visit(series);
    }
  }

  /** Visits the series that match any of the matcher sets and have chunks in a range. */
  #eachHolding(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    visit: (entry: SeriesEntry) => void,
  ): void {
    const matching = union(matcherSets.map((matchers) => selectPostings(this.#index, matchers)));
    this.#each(matching, () => {
      if (holds(this.#entry, range)) visit(this.#entry);
    });
  }

  #texts(symbols: ReadonlySet<number>): string[] {
    return Array.from(symbols, (symbol) => this.#index.symbols.text(symbol)).sort(compareUtf8);
  }
}

/** Whether any chunk of a series overlaps a range. */
function holds({ mint, maxt, chunkCount }: SeriesEntry, range: TimeRange): boolean {
  for (let i = 0; i < chunkCount; i++) {
    if ((mint[i] as number) <= range.maxt && (maxt[i] as number) >= range.mint) return true;
  }
  return false;
}
