/**
 * Writes the index of a block, version 2 (docs/format/index.md), from its beginning to its end; byte for byte what
 * Prometheus writes of the same series.
 *
 *   symbol(…)* ──► series(…)* ──► finish()
 *
 * Memory: the symbols, 4 bytes a series, 8 bytes a label of a series, and while postings are sorted 8 bytes for each
 * series that has the label under way. A million series of ten labels: some 100 MB, symbols apart.
 */
import { AppendFile } from '../../lib/append-file.ts';
import { CodedError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { writeUvarint, writeVarint } from '../../lib/varint.ts';
import { EMPTY_LABELS, Labels, compareLabels } from '../../model/labels.ts';
import {
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  POSTINGS_ALIGN,
  SERIES_ALIGN,
  SERIES_END_MAX,
} from './index-format.ts';
import { compareNumbers } from './number-order.ts';
import { PostingsSpool } from './postings-spool.ts';
import { writePostings, writePostingsTable } from './postings-writer.ts';
import type { NamePostings } from './postings-writer.ts';
import { SymbolTable } from './symbol-table.ts';

/** What the index says of a chunk: times in ms, both ends inclusive. */
export interface ChunkTimes {
  readonly mint: number;
  readonly maxt: number;
}

/** The version that is written. */
const VERSION = 2;
/** limit: zigzag varints of doubles are exact up to here: 142,000 years around 1970. */
const TIME_MAX = 2 ** 52;
/** What a number of an entry takes at the most. */
const NUMBER_BYTES = 10;
/** Numbers of a chunk in an entry. */
const CHUNK_NUMBERS = 3;

/** Writes one index file. Methods throw CodedError: unavailable for the disk, internal for input out of order. */
export class IndexWriter {
  readonly #file: AppendFile;
  readonly #symbols = new SymbolTable();
  readonly #names = new Map<string, NamePostings>();
  readonly #all = new PostingsSpool();
  /** Where the series begin; 0 while symbols are added. */
  #seriesStart = 0;
  #last: Labels = EMPTY_LABELS;
  /** Of the last series, label by label: neighbours have most of them in common. */
  readonly #lastNames: NamePostings[] = [];
  readonly #lastValues: number[] = [];
  /** The last series that came by numbers. */
  #lastSymbols = new Uint32Array(0);
  readonly #byNumber = new Map<number, NamePostings>();
  #entry = new Uint8Array(4096);

  /** Makes the file, which must not exist. */
  constructor(files: FileLayer, path: string) {
    this.#file = new AppendFile(files, path);
    this.#file.u32(INDEX_MAGIC);
    this.#file.byte(VERSION);
  }

  /** Adds the next name or value, in UTF-8 order; all of them before the first series. */
  symbol(text: string): void {
    if (this.#seriesStart !== 0) throw new Error('BUG: a symbol behind series');
    this.#symbols.add(text);
  }

  /**
   * Adds the next name or value by its UTF-8 bytes and answers its number; all of them come as bytes then.
   * @returns -1 when it is not behind the last.
   */
  symbolBytes(symbol: Uint8Array): number {
    if (this.#seriesStart !== 0) throw new Error('BUG: a symbol behind series');
    return this.#symbols.addBytes(symbol);
  }

  /** Adds the next series, in label order, with its chunks in time order and refs[0…] that say where they are. */
  series(labels: Labels, chunks: readonly ChunkTimes[], refs: Float64Array): void {
    if (this.#seriesStart === 0) this.#writeSymbols();
    if (compareLabels(this.#last, labels) >= 0) {
      const found = `${labels.toString()} follows ${this.#last.toString()}`;
      throw new CodedError('internal', `series of a block are not in order: ${found}`);
    }
    const ref = this.#beginSeries(labels.pairs.length, chunks.length);
    const end = this.#putChunks(this.#putLabels(labels, ref), () => labels, chunks, refs);
    this.#endSeries(ref, end);
    this.#last = labels;
  }

  /**
   * The same for a series whose labels are numbers of symbols: name, value, name, value, … All series come in this way
   * then. perf: numbers are in the order of their texts, so that nothing is compared or looked up by text.
   */
  numberedSeries(symbols: Uint32Array, chunks: readonly ChunkTimes[], refs: Float64Array): void {
    if (this.#seriesStart === 0) this.#writeSymbols();
    if (compareNumbers(this.#lastSymbols, symbols) >= 0) {
      const found = `${this.#labelsOf(symbols).toString()} follows ${this.#labelsOf(this.#lastSymbols).toString()}`;
      throw new CodedError('internal', `series of a block are not in order: ${found}`);
    }
    const ref = this.#beginSeries(symbols.length, chunks.length);
    const from = this.#putNumbers(symbols, ref);
    this.#endSeries(
      ref,
      this.#putChunks(from, () => this.#labelsOf(symbols), chunks, refs),
    );
    this.#keepSymbols(symbols);
  }

  /** Writes what follows from the series, makes the file durable and closes it. */
  finish(): void {
    if (this.#seriesStart === 0) this.#writeSymbols();
    const file = this.#file;
    const seriesEnd = file.position;
    const counts = new Uint32Array(Math.max(1, this.#symbols.count));
    file.align(POSTINGS_ALIGN);
    const first = file.position;
    const lists = writePostings(file, this.#names.values(), this.#all, counts);
    const table = file.position;
    writePostingsTable(file, lists, this.#symbols, first);
    file.beginChecksum();
    // compat: label indices are not written any more; their places are where they would begin.
    for (const at of [INDEX_HEADER_BYTES, this.#seriesStart, seriesEnd, table, seriesEnd, table]) {
      file.u64(at);
    }
    file.u32(file.checksum);
    file.finish();
  }

  /** Closes the file, whatever happened; never throws. */
  abandon(): void {
    this.#file.abandon();
  }

  #writeSymbols(): void {
    const file = this.#file;
    const { bytes, count } = this.#symbols;
    file.u32(4 + bytes.length);
    file.beginChecksum();
    file.u32(count);
    file.put(bytes);
    file.u32(file.checksum);
    this.#seriesStart = file.position;
  }

  /** Moves to where the next series begins, makes room for its entry, and answers its ref. */
  #beginSeries(symbols: number, chunks: number): number {
    const file = this.#file;
    file.align(SERIES_ALIGN);
    if (file.position > SERIES_END_MAX) {
      throw new CodedError('too_large', `${file.path} exceeds ${SERIES_END_MAX} bytes`);
    }
    this.#reserve(symbols + 2 + chunks * CHUNK_NUMBERS);
    return file.position / SERIES_ALIGN;
  }

  /** Writes the entry, which ends at `end`. */
  #endSeries(ref: number, end: number): void {
    const file = this.#file;
    this.#all.add(0, ref);
    file.uvarint(end);
    file.beginChecksum();
    file.put(this.#entry, 0, end);
    file.u32(file.checksum);
  }

  /** As #putLabels, by numbers. */
  #putNumbers(symbols: Uint32Array, ref: number): number {
    const entry = this.#entry;
    const last = this.#lastSymbols;
    let at = writeUvarint(entry, 0, symbols.length / 2);
    for (let i = 0; i < symbols.length; i += 2) {
      const name = symbols[i] as number;
      const value = symbols[i + 1] as number;
      const k = i >>> 1;
      if (i >= last.length || name !== last[i]) this.#lastNames[k] = this.#numberedPostings(name);
      (this.#lastNames[k] as NamePostings).spool.add(value, ref);
      at = writeUvarint(entry, at, name);
      at = writeUvarint(entry, at, value);
    }
    return at;
  }

  #numberedPostings(symbol: number): NamePostings {
    let postings = this.#byNumber.get(symbol);
    if (postings === undefined) {
      const name = this.#symbols.text(symbol);
      postings = { name, symbol, spool: new PostingsSpool() };
      this.#names.set(name, postings);
      this.#byNumber.set(symbol, postings);
    }
    return postings;
  }

  #keepSymbols(symbols: Uint32Array): void {
    // perf: most series have as many labels as their neighbour.
    if (this.#lastSymbols.length !== symbols.length) {
      this.#lastSymbols = new Uint32Array(symbols.length);
    }
    this.#lastSymbols.set(symbols);
  }

  #labelsOf(symbols: Uint32Array): Labels {
    return new Labels(Array.from(symbols, (number) => this.#symbols.text(number)));
  }

  /** Begins the entry with its labels and notes the series for their postings. Answers where the entry goes on. */
  #putLabels(labels: Labels, ref: number): number {
    const { pairs } = labels;
    const last = this.#last.pairs;
    const entry = this.#entry;
    let at = writeUvarint(entry, 0, pairs.length / 2);
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i] as string;
      const value = pairs[i + 1] as string;
      const k = i >>> 1;
      // perf: most texts are the neighbour's, often as the same string object.
      if (name !== last[i]) this.#lastNames[k] = this.#postingsOf(name);
      if (value !== last[i + 1]) this.#lastValues[k] = this.#symbols.number(value);
      const postings = this.#lastNames[k] as NamePostings;
      const valueNumber = this.#lastValues[k] as number;
      postings.spool.add(valueNumber, ref);
      at = writeUvarint(entry, at, postings.symbol);
      at = writeUvarint(entry, at, valueNumber);
    }
    return at;
  }

  /** Ends the entry with its chunks. Answers its length. */
  #putChunks(
    from: number,
    labelsOf: () => Labels,
    chunks: readonly ChunkTimes[],
    refs: Float64Array,
  ): number {
    const entry = this.#entry;
    let at = writeUvarint(entry, from, chunks.length);
    let before = 0;
    for (let i = 0; i < chunks.length; i++) {
      const { mint, maxt } = chunks[i] as ChunkTimes;
      const ref = refs[i] as number;
      if (!(maxt >= mint && mint >= -TIME_MAX && maxt <= TIME_MAX && (i === 0 || mint > before))) {
        const found = `chunk ${i} from ${mint} to ${maxt} behind ${before}`;
        throw new CodedError(
          'internal',
          `chunks of ${labelsOf().toString()} are not in order: ${found}`,
        );
      }
      at = i === 0 ? writeVarint(entry, at, mint) : writeUvarint(entry, at, mint - before);
      at = writeUvarint(entry, at, maxt - mint);
      at =
        i === 0
          ? writeUvarint(entry, at, ref)
          : writeVarint(entry, at, ref - (refs[i - 1] as number));
      before = maxt;
    }
    return at;
  }

  #postingsOf(name: string): NamePostings {
    let postings = this.#names.get(name);
    if (postings === undefined) {
      postings = { name, symbol: this.#symbols.number(name), spool: new PostingsSpool() };
      this.#names.set(name, postings);
    }
    return postings;
  }

  #reserve(numbers: number): void {
    const bytes = numbers * NUMBER_BYTES;
    if (bytes > this.#entry.length) this.#entry = new Uint8Array(bytes * 2);
  }
}
