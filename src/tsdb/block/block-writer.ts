/**
 * Writes a block (docs/format/block.md) series by series, with bounded memory (src/tsdb/index/index-writer.ts says
 * which): everything goes to `<ulid>.tmp-for-creation`, which gets its name when all of it is durable. What Prometheus
 * would write of the same series, byte for byte.
 *
 *   new BlockWriter ──► symbols ──► series* ──► finish
 *                └──────────┴──────────┴─ failed ─┴──► abort
 */
import { join } from 'node:path';
import type { FileLayer } from '../../lib/file-layer.ts';
import { onDisk } from '../../lib/on-disk.ts';
import type { Labels } from '../../model/labels.ts';
import { SEGMENTS_DIRECTORY } from '../chunks/segment-format.ts';
import { SegmentWriter } from '../chunks/segment-writer.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import { IndexWriter } from '../index/index-writer.ts';
import { removeQuietly } from './durable-file.ts';
import { META_VERSION, writeBlockMeta } from './meta.ts';
import type { BlockCompaction, BlockMeta, BlockStats } from './meta.ts';
import { NO_TOMBSTONES, writeTombstones } from './tombstones.ts';

/** What a block's directory is called while it is written; Prometheus removes such at start. */
export const CREATION_SUFFIX = '.tmp-for-creation';

/** A chunk of a series. */
export interface BlockChunk {
  /** ms of the first sample. */
  readonly mint: number;
  /** ms of the last one. */
  readonly maxt: number;
  /** The encoding byte: 1 is XOR. */
  readonly encoding: number;
  /** How many samples there are. */
  readonly count: number;
  /** The chunk's bytes with the 2-byte count in front; valid during the call only. */
  readonly data: Uint8Array;
}

/** Where and how a block is written. */
export interface BlockWriterOptions {
  /** The directory that will hold `<ulid>/`. */
  readonly parent: string;
  readonly ulid: string;
  readonly files: FileLayer;
  /** A chunk segment is closed before it exceeds this, one chunk apart; 512 MiB as in Prometheus. */
  readonly segmentBytesMax?: number;
  /** Makes what writes the segments to a directory, in place of {@link SegmentWriter}. */
  readonly makeSegments?: (files: FileLayer, directory: string, bytesMax?: number) => BlockSegments;
}

/** What writes the chunk segments of a block. Methods throw CodedError unavailable. */
export interface BlockSegments {
  /** Appends the chunks of one series and sets refs[0…] to where they are. */
  add(chunks: readonly BlockChunk[], refs: Float64Array): void;
  /** Makes everything durable but the directory, and closes. */
  finish(): void;
  /** Closes, whatever happened; never throws. */
  abandon(): void;
}

/** What meta.json says of a block besides its counts. */
export interface FinishedBlock {
  /** ms, inclusive. */
  readonly mint: number;
  /** ms, exclusive. */
  readonly maxt: number;
  readonly compaction: BlockCompaction;
  /** Counts in place of those that the writer made. */
  readonly stats?: BlockStats;
  /** Members of meta.json that are not TSDB's own. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Encodings whose samples are floats: XOR, XOR2. */
const FLOAT_ENCODINGS: ReadonlySet<number> = new Set([1, 4]);
/** Native histograms: integer, float, and both with start timestamps. */
const HISTOGRAM_ENCODINGS: ReadonlySet<number> = new Set([2, 3, 5, 6]);

/**
 * Writes one block. Every method but abort throws CodedError when the disk refuses (unavailable) or the input is out of
 * order (internal); after that only abort may follow.
 */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  readonly #temporary: string;
  readonly #segments: BlockSegments;
  readonly #index: IndexWriter;
  #refs = new Float64Array(16);
  readonly #counts = { samples: 0, floats: 0, histograms: 0, series: 0, chunks: 0 };
  #finished = false;

  /** Makes the temporary directory; what is left of an earlier try is removed. */
  constructor(options: BlockWriterOptions) {
    this.#options = options;
    const { parent, ulid, files } = options;
    const temporary = join(parent, ulid + CREATION_SUFFIX);
    this.#temporary = temporary;
    const chunks = join(temporary, SEGMENTS_DIRECTORY);
    try {
      onDisk(`create ${temporary}`, () => {
        files.remove(temporary);
        files.makeDirectory(chunks);
      });
      this.#segments =
        options.makeSegments?.(files, chunks, options.segmentBytesMax) ??
        new SegmentWriter(files, chunks, options.segmentBytesMax);
      this.#index = new IndexWriter(files, join(temporary, INDEX_FILE));
    } catch (thrown) {
      // Nobody has a writer that could be aborted.
      removeQuietly(files, temporary);
      throw thrown;
    }
  }

  /**
   * Takes every name and value of the series to come, distinct and in UTF-8 order: once, before the first series. More
   * than the series have is no error.
   */
  symbols(sorted: Iterable<string>): void {
    for (const text of sorted) this.#index.symbol(text);
  }

  /**
   * Takes the next symbol by its UTF-8 bytes and answers its number, -1 when it is not behind the last: in place of
   * {@link symbols}, for one who brings series by numbers.
   */
  symbolBytes(symbol: Uint8Array): number {
    return this.#index.symbolBytes(symbol);
  }

  /** Writes the next series in label order, with its chunks in time order; one without chunks is passed over. */
  series(labels: Labels, chunks: readonly BlockChunk[]): void {
    if (chunks.length === 0) return;
    this.#putChunks(chunks);
    this.#index.series(labels, chunks, this.#refs);
  }

  /** The same for a series whose labels are numbers of symbols: name, value, name, value, … */
  numberedSeries(symbols: Uint32Array, chunks: readonly BlockChunk[]): void {
    if (chunks.length === 0) return;
    this.#putChunks(chunks);
    this.#index.numberedSeries(symbols, chunks, this.#refs);
  }

  /** Appends a series' chunks to the segments, notes where they are, and counts. */
  #putChunks(chunks: readonly BlockChunk[]): void {
    if (chunks.length > this.#refs.length) this.#refs = new Float64Array(chunks.length * 2);
    this.#segments.add(chunks, this.#refs);
    const counts = this.#counts;
    counts.series++;
    counts.chunks += chunks.length;
    for (const { encoding, count } of chunks) {
      counts.samples += count;
      if (FLOAT_ENCODINGS.has(encoding)) counts.floats += count;
      else if (HISTOGRAM_ENCODINGS.has(encoding)) counts.histograms += count;
    }
  }

  /**
   * Completes the block and makes it durable under its name. A block without samples is not kept, as in Prometheus: its
   * directory is removed, and the answer's stats have no numSamples.
   */
  finish(block: FinishedBlock): BlockMeta {
    const meta = this.#meta(block);
    if (this.#counts.samples === 0) {
      this.abort();
      return meta;
    }
    const { parent, ulid, files } = this.#options;
    const temporary = this.#temporary;
    this.#segments.finish();
    this.#index.finish();
    writeBlockMeta(files, temporary, meta);
    writeTombstones(files, temporary, NO_TOMBSTONES);
    onDisk(`fsync ${temporary}`, () => {
      files.fsyncDirectory(join(temporary, SEGMENTS_DIRECTORY));
      files.fsyncDirectory(temporary);
    });
    const directory = join(parent, ulid);
    onDisk(`rename ${temporary} to ${directory}`, () => files.rename(temporary, directory));
    try {
      onDisk(`fsync ${parent}`, () => files.fsyncDirectory(parent));
    } catch (thrown) {
      // Whether the block survives a crash is not known, so its samples stay where they came from.
      removeQuietly(files, directory);
      throw thrown;
    }
    this.#finished = true;
    return meta;
  }

  /** Removes what has been written of a block that is not finished; never throws. */
  abort(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#segments.abandon();
    this.#index.abandon();
    removeQuietly(this.#options.files, this.#temporary);
  }

  #meta({ mint, maxt, compaction, stats, extra = {} }: FinishedBlock): BlockMeta {
    const { samples, floats, histograms, series, chunks } = this.#counts;
    const counted: BlockStats = {
      ...(samples > 0 && { numSamples: samples }),
      ...(floats > 0 && { numFloatSamples: floats }),
      ...(histograms > 0 && { numHistogramSamples: histograms }),
      ...(series > 0 && { numSeries: series }),
      ...(chunks > 0 && { numChunks: chunks }),
    };
    return {
      ulid: this.#options.ulid,
      minTime: mint,
      maxTime: maxt,
      stats: { ...counted, ...stats },
      compaction,
      version: META_VERSION,
      extra,
    };
  }
}
