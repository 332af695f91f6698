/**
 * A block that goes into another one: its series from the first to the last, labels as numbers of the merged symbols, and
 * the chunks of the series at hand. What is deleted, or lies outside the new block's range, is not there.
 */
import { join } from 'node:path';
import { readTombstones } from '../block/tombstones.ts';
import type { DeletedInterval, Tombstones } from '../block/tombstones.ts';
import { NamedSource } from '../index/byte-source.ts';
import { FileSource } from '../index/file-source.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import { IndexReader } from '../index/index-reader.ts';
import { LabelStore } from '../index/label-store.ts';
import { compareNumbers } from '../index/number-order.ts';
import type { Postings } from '../index/postings.ts';
import { SeriesEntry } from '../index/series-entry.ts';
import { loadPlainChunk } from './load-plain-chunk.ts';
import type { SymbolNumbers, SymbolsPlace } from './merge-symbols.ts';
import { MergedChunk } from './merged-chunk.ts';
import type { SampleFilter } from './sample-filter.ts';
import { SegmentWindows } from './segment-windows.ts';

/** perf: series are read from the first to the last. */
const INDEX_WINDOW_BYTES = 1 << 20;

/** The part of a block that is wanted, ms, both inclusive. */
export interface SourceRange {
  readonly mint: number;
  readonly maxt: number;
}

/**
 * One block under way. Methods throw CorruptionError with file and offset, CodedError unavailable when a file cannot be
 * read, and not_implemented for chunks that cannot be merged.
 */
export class SourceBlock implements Disposable {
  readonly #path: string;
  readonly #file: FileSource;
  readonly #index: IndexReader;
  readonly #tombstones: Tombstones;
  readonly #all: Postings;
  readonly #chunks: SegmentWindows;
  readonly #range: SourceRange;
  readonly #filter: SampleFilter;
  readonly #entry = new SeriesEntry();
  #numbers: SymbolNumbers = () => undefined;
  #next = 0;
  #deleted: readonly DeletedInterval[] | undefined;
  /** The labels of the series at hand: name, value, name, value, … as numbers of the merged symbols. */
  symbols = new Uint32Array(0);
  #symbolsBefore = new Uint32Array(0);
  /** The chunk at hand, by its number, and what is left of it when samples were taken out, the first of it at hand. */
  #chunk = -1;
  readonly #rest: MergedChunk[] = [];
  readonly #loaded = new MergedChunk();
  /** ms of the first and last sample of the chunk at hand. */
  mint = 0;
  maxt = 0;

  /** Opens a block's directory. The filter may be shared with other blocks of the thread. */
  constructor(directory: string, range: SourceRange, filter: SampleFilter) {
    this.#range = range;
    this.#filter = filter;
    this.#path = join(directory, INDEX_FILE);
    this.#tombstones = readTombstones(directory);
    this.#chunks = new SegmentWindows(directory);
    this.#file = new FileSource(this.#path, INDEX_WINDOW_BYTES);
    try {
      this.#index = new IndexReader(this.#file, this.#path, new LabelStore());
      this.#all = this.#index.all();
    } catch (thrown) {
      this.#file.close();
      throw thrown;
    }
  }

  /** Where its symbols are; they are to be read before the first series. */
  get symbolsPlace(): SymbolsPlace {
    const { version, toc } = this.#index;
    return { source: new NamedSource(this.#file, this.#path), version, offset: toc.symbols };
  }

  /** Takes the numbers that its symbols have in the new block: before the first series. */
  number(numbers: SymbolNumbers): void {
    this.#numbers = numbers;
  }

  /** Moves on to the next series that has chunks, before its first chunk; false behind the last series. */
  nextSeries(): boolean {
    this.#chunk = -1;
    this.#rest.length = 0;
    while (this.#next < this.#all.length) {
      const series = this.#all[this.#next++] as number;
      this.#index.readSeries(series, this.#entry);
      this.#mapSymbols(series);
      this.#deleted = this.#tombstones.get(series);
      for (let i = 0; i < this.#entry.chunkCount; i++) if (!this.#isOut(i)) return true;
    }
    return false;
  }

  /** Moves on to the next chunk of the series; false behind the last. */
  nextChunk(): boolean {
    this.#rest.shift();
    while (this.#rest.length === 0) {
      const i = ++this.#chunk;
      if (i >= this.#entry.chunkCount) return false;
      if (this.#isOut(i)) continue;
      this.mint = this.#entry.mint[i] as number;
      this.maxt = this.#entry.maxt[i] as number;
      const removed = this.#removed();
      if (removed.length === 0) return true;
      this.#read(this.#loaded);
      this.#rest.push(...this.#filter.filter(this.#loaded, removed));
    }
    const [first] = this.#rest as [MergedChunk];
    this.mint = first.mint;
    this.maxt = first.maxt;
    return true;
  }

  /** Loads the chunk at hand, in one of the encodings 1 to 3; its bytes are valid until {@link release}. */
  load(into: MergedChunk): void {
    const [first] = this.#rest;
    if (first === undefined) this.#read(into);
    else into.copyFrom(first);
  }

  /** Takes the bytes of all chunks back. */
  release(): void {
    this.#chunks.release();
  }

  /** Closes the files. */
  close(): void {
    this.#chunks.close();
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(into: MergedChunk): void {
    into.mint = this.mint;
    into.maxt = this.maxt;
    into.ref = this.#entry.refs[this.#chunk] as number;
    loadPlainChunk(this.#chunks, into);
  }

  #mapSymbols(series: number): void {
    const { symbols, labelCount } = this.#entry;
    const length = labelCount * 2;
    const before = this.symbols;
    let mapped = this.#symbolsBefore;
    if (mapped.length !== length) mapped = new Uint32Array(length);
    const numbers = this.#numbers;
    for (let i = 0; i < length; i++) {
      const number = numbers(symbols[i] as number);
      if (number === undefined) throw this.#corrupt(series, `no symbol ${symbols[i]}`);
      mapped[i] = number;
    }
    if (compareNumbers(before, mapped) >= 0) {
      throw this.#corrupt(series, 'series is not behind the one before it');
    }
    this.symbols = mapped;
    this.#symbolsBefore = before;
  }

  #corrupt(series: number, message: string): Error {
    const source = new NamedSource(this.#file, this.#path);
    return source.corrupt(message, this.#index.seriesOffset(series));
  }

  /** Whether nothing of a chunk is wanted, as far as its times tell. */
  #isOut(i: number): boolean {
    const mint = this.#entry.mint[i] as number;
    const maxt = this.#entry.maxt[i] as number;
    const range = this.#range;
    if (maxt < range.mint || mint > range.maxt) return true;
    const deleted = this.#deleted;
    return deleted?.some((interval) => interval.mint <= mint && interval.maxt >= maxt) === true;
  }

  /** What is to be taken out of the chunk at hand. */
  #removed(): readonly DeletedInterval[] {
    const { mint, maxt } = this;
    const range = this.#range;
    const isInside = mint >= range.mint && maxt <= range.maxt;
    if (isInside && this.#deleted === undefined) return NOTHING;
    const removed = (this.#deleted ?? []).filter(
      (interval) => interval.mint <= maxt && interval.maxt >= mint,
    );
    if (mint < range.mint) removed.push({ mint: -Infinity, maxt: range.mint - 1 });
    if (maxt > range.maxt) removed.push({ mint: range.maxt + 1, maxt: Infinity });
    return removed;
  }
}

const NOTHING: readonly DeletedInterval[] = [];
