/**
 * A time range of a head, read as a block wants it: series in label order with the bytes of their chunks.
 *
 * Chunks end at the boundaries that blocks have, so their bytes go into a block as they are. One that reaches over an
 * end (a directory written with other ranges), or of which samples are deleted, is decoded and encoded again. What comes
 * from chunks_head/ is checked against its checksum first: a block must not give damaged bytes a new one.
 *
 * Samples of the range must be complete: the writer refuses older ones than the range's end by now
 * ({@link Db.planCut}). Any thread may read, beside the writer.
 */
import { crc32c } from '@node-rs/crc32';
import { ChunkClipper } from '../../chunkenc/clip-chunk.ts';
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { ENCODING_XOR } from '../../chunkenc/encodings.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import type { Labels } from '../../model/labels.ts';
import type { TimeRange } from '../../storage/storage.ts';
import {
  ENTRY_CRC_BYTES,
  ENTRY_HEADER_BYTES,
  OUT_OF_ORDER_MASK,
} from '../chunks/head-chunk-format.ts';
import { ArenaView } from './arena.ts';
import { HeadChunkFiles } from './chunk-source.ts';
import type { HeadHandle } from './chunk-source.ts';
import { HeadOrder } from './head-order.ts';
import { PostingsReader } from './postings-reader.ts';
import { SeriesSnapshot, inOrderWindow, mayHold, placeOf } from './series-snapshot.ts';
import type { HeadWindow, SnapshotPlace } from './series-snapshot.ts';

/** What a block is made of: what came in order, or late samples in chunks with places (placeOf) from..to (exclusive). */
export type HeadPart = 'inOrder' | { readonly from: number; readonly to: number };

/** The series of a head that have chunks in a range, by number in label order. */
export class HeadRange {
  readonly #range: TimeRange;
  readonly #part: HeadPart;
  readonly #window: HeadWindow;
  readonly #files: HeadChunkFiles;
  readonly #order: HeadOrder;
  readonly #snapshot = new SeriesSnapshot();
  readonly #clipper = new ChunkClipper();
  readonly #scratch = new XorScratch();

  /** `range` is closed. */
  constructor(handle: HeadHandle, range: TimeRange, part: HeadPart = 'inOrder') {
    this.#range = range;
    this.#part = part;
    this.#window =
      part === 'inOrder'
        ? inOrderWindow(range)
        : { mint: Infinity, maxt: range.maxt, lateMint: range.mint, lateFrom: part.from };
    this.#files = new HeadChunkFiles(handle);
    const views = handle.memories.map((memory) => new ArenaView(memory));
    const postings = views.map((view) => new PostingsReader(view));
    const window = this.#window;
    this.#order = new HeadOrder({ views, postings }, (view, address) =>
      mayHold(view, address, window),
    );
  }

  /** How many series may have chunks in the range. */
  get count(): number {
    return this.#order.count;
  }

  /** Every label name and value of the series, sorted and distinct. */
  symbols(): string[] {
    return this.#order.symbols();
  }

  /** The n-th series' labels. */
  labels(n: number): Labels {
    return this.#order.labels(n);
  }

  /**
   * The n-th series' chunks in the range; may be none. Those of what came in order are in order and apart; late ones may
   * overlap.
   * @throws CorruptionError when a chunk's bytes are not what was written.
   */
  chunks(n: number): EncodedChunk[] {
    const snapshot = this.#snapshot;
    snapshot.take(this.#order.view(n), this.#order.address(n), this.#window, true);
    const out: EncodedChunk[] = [];
    for (let k = 0; k < snapshot.chunkCount; k++) {
      const found = snapshot.chunkAt(k);
      if (!this.#isWanted(found)) continue;
      const chunk = this.#read(found);
      // compat: as in Prometheus, deleting leaves alone what came out of order and is in no block yet.
      const deleted = found.isLate ? [] : snapshot.deleted;
      const where = this.#where(found);
      out.push(...this.#clipper.clip(chunk, { ...this.#range, deleted }, where, found.offset));
    }
    return out;
  }

  /** Closes the chunk files. */
  close(): void {
    this.#files.close();
  }

  /** What is late and in no file yet came after the block was planned. */
  #isWanted({ file, offset, isLate }: SnapshotPlace): boolean {
    if (this.#part === 'inOrder') return !isLate;
    return isLate && file !== 0 && placeOf(file, offset) < this.#part.to;
  }

  #where({ file }: SnapshotPlace): string {
    return file === 0 ? 'head memory' : this.#files.path(file);
  }

  #read(found: SnapshotPlace): EncodedChunk {
    if (found.file === 0) return this.#copyOut(found);
    const { file, offset, length, count, encoding, isLate } = found;
    const head = ENTRY_HEADER_BYTES + sizeUvarint(length);
    const bytes = this.#files.read(file, offset - head, head + length + ENTRY_CRC_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sound =
      crc32c(bytes.subarray(0, head + length)) === view.getUint32(head + length) &&
      bytes[ENTRY_HEADER_BYTES - 1] === (isLate ? encoding | OUT_OF_ORDER_MASK : encoding);
    if (!sound) throw new CorruptionError('checksum mismatch', this.#files.path(file), offset);
    return {
      mint: view.getInt32(8) * 4294967296 + view.getUint32(12),
      maxt: view.getInt32(16) * 4294967296 + view.getUint32(20),
      encoding,
      count,
      data: bytes.slice(head, head + length),
    };
  }

  /** A chunk that lay in the arena, open or cut: its times are in its samples, and its count is what was published. */
  #copyOut({ offset, length, count, encoding }: SnapshotPlace): EncodedChunk {
    const data = this.#snapshot.bytes.slice(offset, offset + length);
    data[0] = count >>> 8;
    data[1] = count & 0xff;
    const times =
      encoding === ENCODING_XOR
        ? this.#floatTimes(data, count)
        : this.#clipper.timesOf({ encoding, data }, 'head memory');
    return { ...times, encoding, count, data };
  }

  #floatTimes(data: Uint8Array, count: number): TimeRange {
    const scratch = this.#scratch;
    scratch.clear();
    if (count === 0 || !scratch.append(data, 0, data.length, count, false))
      throw new CorruptionError('chunk is not a float (XOR) chunk of its count', 'head memory', 0);
    return { mint: scratch.t[0] as number, maxt: scratch.t[scratch.length - 1] as number };
  }
}
