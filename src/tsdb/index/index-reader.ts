/**
 * Reads the index of a block, versions 1 and 2 (docs/format/index.md), for one thread. Symbols and the postings table
 * are walked through when it is opened, and checked; lists and series are checked whenever they are read.
 *
 * A series' number is its ref in the postings: offset / 16 in version 2, the offset in version 1.
 */
import type { CorruptionError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { NamedSource } from './byte-source.ts';
import type { ByteSource } from './byte-source.ts';
import { SERIES_ALIGN } from './index-format.ts';
import type { Toc } from './index-format.ts';
import type { LabelCache, LabelStore } from './label-store.ts';
import { EMPTY_POSTINGS } from './postings.ts';
import type { Postings } from './postings.ts';
import { PostingsCollector, readPostings } from './postings-list.ts';
import { readPostingsTable } from './postings-table.ts';
import type { PostingsTable } from './postings-table.ts';
import type { IndexView } from './select-postings.ts';
import type { SeriesEntry } from './series-entry.ts';
import { SymbolsReader } from './symbols-reader.ts';
import { readIndexVersion, readToc } from './toc.ts';

/** One thread's access to an index. Methods throw CorruptionError with file, section and offset. */
export class IndexReader implements IndexView {
  readonly version: number;
  readonly toc: Toc;
  /** All names and values, in UTF-8 order in version 2. */
  readonly symbols: SymbolsReader;
  readonly #source: NamedSource;
  readonly #table: PostingsTable;
  readonly #labels: LabelCache;
  /** The last labels that were put together, and their symbols: neighbours have most of them in common. */
  #lastSymbols = new Float64Array(64);
  #lastPairs: readonly string[] = [];

  /** Opens an index; `path` is for messages. */
  constructor(bytes: ByteSource, path: string, store: LabelStore) {
    const source = new NamedSource(bytes, path);
    this.#source = source;
    this.version = readIndexVersion(source);
    this.toc = readToc(source);
    this.symbols = new SymbolsReader(source, this.version, this.toc.symbols, store.intern);
    this.#table = readPostingsTable(source, this.version, this.toc.postingsTable);
    this.#labels = store.cache();
  }

  all(): Postings {
    return this.postings('', '');
  }

  postings(name: string, value: string): Postings {
    const offset = this.#table.find(name, value);
    return offset === undefined ? EMPTY_POSTINGS : readPostings(this.#source, offset);
  }

  postingsWhere(name: string, accept: (value: string) => boolean): Postings {
    const offsets: number[] = [];
    this.#table.each(name, (value, offset) => {
      if (accept(value)) offsets.push(offset);
    });
    const lists = new PostingsCollector(this.#source);
    for (const offset of offsets) lists.add(offset);
    return lists.union();
  }

  /** All label names, sorted. */
  labelNames(): string[] {
    return this.#table.names();
  }

  /** All values of a name, sorted. */
  labelValues(name: string): string[] {
    const values: string[] = [];
    if (name !== '') this.#table.each(name, (value) => values.push(value));
    return values;
  }

  /** The offset of a series' entry in the file. */
  seriesOffset(series: number): number {
    return this.version === 1 ? series : series * SERIES_ALIGN;
  }

  /** Reads a series. */
  readSeries(series: number, into: SeriesEntry): void {
    const offset = this.seriesOffset(series);
    if (offset < this.toc.series) throw this.#corrupt(`no series begins here`, offset);
    into.read(this.#source, offset);
  }

  /** The labels of a series if they were put together lately. */
  keptLabels(series: number): Labels | undefined {
    return this.#labels.get(series);
  }

  /** The labels of a series whose entry has been read. */
  labelsOf(series: number, entry: SeriesEntry): Labels {
    const kept = this.#labels.get(series);
    if (kept !== undefined) return kept;
    const labels = this.#makeLabels(entry);
    this.#labels.set(series, labels);
    return labels;
  }

  #makeLabels({ symbols, labelCount }: SeriesEntry): Labels {
    if (this.#lastSymbols.length < symbols.length)
      this.#lastSymbols = new Float64Array(symbols.length);
    const last = this.#lastSymbols;
    const before = this.#lastPairs;
    const pairs: string[] = [];
    for (let i = 0; i < labelCount * 2; i++) {
      const symbol = symbols[i] as number;
      const same = i < before.length && last[i] === symbol;
      pairs.push(same ? (before[i] as string) : this.symbols.text(symbol));
    }
    last.set(symbols.subarray(0, labelCount * 2));
    this.#lastPairs = pairs;
    return new Labels(pairs);
  }

  #corrupt(message: string, offset: number): CorruptionError {
    return this.#source.corrupt(message, offset);
  }
}
