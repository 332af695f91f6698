/** The chunks of a local block as they are stored, for one thread: the index says when they are, segments hold their bytes. */
import { ChunkClipper } from '../../chunkenc/clip-chunk.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_FLOAT_HISTOGRAM_ST } from '../../chunkenc/encodings.ts';
import { transcodeChunk } from '../../chunkenc/transcode.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CodedError } from '../../lib/errors.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import { BlockFiles } from '../../tsdb/block/block-files.ts';
import type { BlockHandle } from '../../tsdb/block/block-handle.ts';
import { readTombstones } from '../../tsdb/block/tombstones.ts';
import type { Tombstones } from '../../tsdb/block/tombstones.ts';
import type { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { CHUNK_CRC_BYTES, ENCODING_BYTES } from '../../tsdb/chunks/segment-format.ts';
import { SegmentReader } from '../../tsdb/chunks/segment-reader.ts';
import { NamedSource } from '../../tsdb/index/byte-source.ts';
import { SERIES_ALIGN } from '../../tsdb/index/index-format.ts';
import { SeriesEntry } from '../../tsdb/index/series-entry.ts';
import { readIndexVersion } from '../../tsdb/index/toc.ts';
import type { ChunkFrames } from './store-chunk-frames.ts';

/** perf: what is read for the last chunk of a series, whose end no ref tells. */
const LAST_CHUNK_BYTES = 512;

/** Chunks of one block. */
export class StoreBlockChunks {
  readonly #directory: string;
  readonly #files: BlockFiles;
  readonly #index: NamedSource;
  readonly #align: number;
  readonly #segments: SegmentReader;
  readonly #entry = new SeriesEntry();
  readonly #clipper = new ChunkClipper();
  #tombstones: Tombstones;
  #revision: number;

  /** @throws CodedError when files cannot be read, or are not what their format says. */
  constructor(handle: BlockHandle, cache: PageCache) {
    this.#directory = handle.directory;
    this.#revision = handle.revision;
    this.#files = new BlockFiles(handle);
    try {
      const source = this.#files.index(cache);
      this.#index = new NamedSource(source, source.path);
      this.#align = readIndexVersion(this.#index) === 1 ? 1 : SERIES_ALIGN;
      this.#tombstones = readTombstones(handle.directory);
    } catch (thrown) {
      this.#files.close();
      throw thrown;
    }
    this.#segments = new SegmentReader(this.#files, cache);
  }

  /** Reads the tombstones again if they have changed. @throws CodedError when they cannot be read. */
  revise(revision: number): void {
    if (revision === this.#revision) return;
    this.#tombstones = readTombstones(this.#directory);
    this.#revision = revision;
  }

  /**
   * Adds chunks of a series by its number: those at refs[from..to], which are some of its chunks, in order. `scratch` is used to read
   * with.
   * @throws CodedError as the constructor; not_implemented for chunks of an encoding that nobody knows.
   */
  append(
    series: number,
    refs: Float64Array,
    { from, to }: { readonly from: number; readonly to: number },
    scratch: XorScratch,
    into: ChunkFrames,
  ): void {
    const entry = this.#entry;
    entry.read(this.#index, series * this.#align);
    const runEnd = (refs[to - 1] ?? 0) + LAST_CHUNK_BYTES;
    this.#segments.forget();
    let i = 0;
    for (let k = from; k < to; k++) {
      const ref = refs[k] as number;
      while (i < entry.chunkCount && entry.refs[i] !== ref) i++;
      const times = { mint: entry.mint[i] as number, maxt: entry.maxt[i] as number };
      this.#segments.load(scratch, ref, runEnd);
      this.#add(series, ref, times, scratch, into);
    }
  }

  /** Closes the files. */
  close(): void {
    this.#files.close();
  }

  /** Adds the chunk that was loaded last. */
  #add(
    series: number,
    ref: number,
    times: { readonly mint: number; readonly maxt: number },
    scratch: XorScratch,
    into: ChunkFrames,
  ): void {
    const { encoding, from, length, count } = this.#segments;
    const deleted = this.#deletedIn(series, times);
    if (deleted.length === 0 && encoding >= 1 && encoding <= ENCODING_FLOAT_HISTOGRAM) {
      const start = from - ENCODING_BYTES - sizeUvarint(length);
      into.addFrame(times, scratch.source, start, from + length + CHUNK_CRC_BYTES);
      return;
    }
    const { where } = this.#segments.corrupt(ref, '');
    if (encoding === 0 || encoding > ENCODING_FLOAT_HISTOGRAM_ST) {
      const text = `chunks of encoding ${encoding} are not implemented yet`;
      throw new CodedError('not_implemented', this.#segments.corrupt(ref, text).message);
    }
    const plain = transcodeChunk(encoding, scratch.source.slice(from, from + length), where);
    const chunk = { ...times, ...plain, count };
    if (deleted.length === 0) into.add(chunk);
    else {
      const range = { mint: -Infinity, maxt: Infinity, deleted };
      for (const left of this.#clipper.clip(chunk, range, where, ref)) into.add(left);
    }
  }

  /** What is deleted of a chunk: mint and maxt in turn. */
  #deletedIn(series: number, times: { readonly mint: number; readonly maxt: number }): number[] {
    const deleted: number[] = [];
    for (const { mint, maxt } of this.#tombstones.get(series) ?? [])
      if (mint <= times.maxt && maxt >= times.mint) deleted.push(mint, maxt);
    return deleted;
  }
}
