/**
 * The chunks of a head as they are, for one thread: cut ones come out of their files as they lie there; of the open one, and of those
 * that wait to be written, what is in the arena is copied.
 */
import { ChunkClipper } from '../../chunkenc/clip-chunk.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from '../../chunkenc/encodings.ts';
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { transcodeChunk } from '../../chunkenc/transcode.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import type { TimeRange } from '../../storage/storage.ts';
import { ENTRY_HEADER_BYTES } from '../../tsdb/chunks/head-chunk-format.ts';
import type { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { ArenaView } from '../../tsdb/head/arena.ts';
import { ChunkSource } from '../../tsdb/head/chunk-source.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import { SeriesSnapshot } from '../../tsdb/head/series-snapshot.ts';
import type { HeadWindow, SnapshotPlace } from '../../tsdb/head/series-snapshot.ts';
import type { ChunkFrames } from './store-chunk-frames.ts';

/** A series of a select: where it is, and its newest sample then; later ones belong to writes that the select does not see. */
export interface HeadSeriesPlace {
  readonly arena: number;
  readonly address: number;
  readonly lastT: number;
}

/** Of an entry of chunks_head/: mint and maxt, i64, big-endian. */
const MINT_AT = 8;
const MAXT_AT = 16;

/** Chunks of one head. */
export class StoreHeadChunks {
  readonly #views: readonly ArenaView[];
  readonly #source: ChunkSource;
  readonly #snapshot = new SeriesSnapshot();
  readonly #clipper = new ChunkClipper();

  constructor(handle: HeadHandle, cache: PageCache) {
    this.#views = handle.memories.map((memory) => new ArenaView(memory));
    this.#source = new ChunkSource(handle, cache);
  }

  /**
   * Adds the chunks of a series that have samples in the window, whole; of the newest, what the select saw. Those that came late may
   * overlap others. `scratch` is used to read with.
   * @throws CorruptionError when bytes are not what was written.
   */
  append(place: HeadSeriesPlace, window: HeadWindow, scratch: XorScratch, into: ChunkFrames): void {
    const snapshot = this.#snapshot;
    snapshot.take(this.#views[place.arena] as ArenaView, place.address, window, true);
    for (let k = 0; k < snapshot.chunkCount; k++) {
      const found = snapshot.chunkAt(k);
      if (found.count === 0) continue;
      const chunk = this.#read(found, scratch);
      const mint = found.isLate ? window.lateMint : window.mint;
      if (chunk.mint > window.maxt || chunk.maxt < mint) continue;
      for (const left of this.#seen(chunk, place.lastT, found)) into.add(left);
    }
  }

  /** Closes chunk files below a sequence number, which are needed no more. */
  forget(sequence: number): void {
    this.#source.files.forget(sequence);
  }

  /** Closes the chunk files. */
  close(): void {
    this.#source.files.close();
  }

  /** compat: as in Prometheus, deleting leaves alone what came out of order and is in no block yet. */
  #seen(chunk: EncodedChunk, lastT: number, found: SnapshotPlace): EncodedChunk[] {
    const range = found.isLate
      ? { mint: -Infinity, maxt: Infinity }
      : { mint: -Infinity, maxt: lastT, deleted: this.#snapshot.deleted };
    return this.#clipper.clip(chunk, range, this.#where(found), found.offset);
  }

  /** A chunk in one of the encodings 1 to 3; its bytes are valid until the next read. */
  #read(found: SnapshotPlace, scratch: XorScratch): EncodedChunk {
    const { file, offset, length, count, encoding } = found;
    if (file !== 0) {
      const data = this.#source.read(scratch, found);
      // The entry begins in front of the data.
      const head = ENTRY_HEADER_BYTES + sizeUvarint(length);
      const entry = new DataView(data.buffer, data.byteOffset - head, head);
      const times = { mint: readI64(entry, MINT_AT), maxt: readI64(entry, MAXT_AT) };
      return { ...times, count, ...transcodeChunk(encoding, data, this.#where(found)) };
    }
    const data = this.#snapshot.bytes.slice(offset, offset + length);
    // Its own count may be that of samples which are being appended.
    data[0] = count >>> 8;
    data[1] = count & 0xff;
    const times = this.#timesOf({ encoding, count, data }, scratch);
    return { ...times, count, ...transcodeChunk(encoding, data, 'head memory') };
  }

  #timesOf(chunk: Omit<EncodedChunk, 'mint' | 'maxt'>, scratch: XorScratch): TimeRange {
    const { encoding, count, data } = chunk;
    if (encoding !== ENCODING_XOR && encoding !== ENCODING_XOR2)
      return this.#clipper.timesOf(chunk, 'head memory');
    scratch.clear();
    if (!scratch.append(data, 0, data.length, count, false, encoding))
      throw new CorruptionError('chunk is not a float chunk of its count', 'head memory', 0);
    return { mint: scratch.t[0] as number, maxt: scratch.t[scratch.length - 1] as number };
  }

  #where({ file }: SnapshotPlace): string {
    return file === 0 ? 'head memory' : this.#source.files.path(file);
  }
}

function readI64(view: DataView, at: number): number {
  return view.getInt32(at) * 4294967296 + view.getUint32(at + 4);
}
