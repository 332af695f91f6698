/**
 * A time range of a head, read as a block wants it: series in label order with the bytes of their chunks.
 *
 * Chunks end at the boundaries that blocks have, so their bytes go into a block as they are. One that reaches over an
 * end (a directory written with other ranges) is decoded and encoded again. What comes from chunks_head/ is checked
 * against its checksum first: a block must not give damaged bytes a new one.
 *
 * Samples of the range must be complete: the writer refuses older ones than the range's end by now
 * ({@link Db.planCut}). Any thread may read, beside the writer.
 */
import { crc32c } from '@node-rs/crc32';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { readFence } from '../../lib/fence.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import type { Labels } from '../../model/labels.ts';
import type { TimeRange } from '../../storage/storage.ts';
import { ENCODING_XOR, ENTRY_CRC_BYTES, ENTRY_HEADER_BYTES } from '../chunks/head-chunk-format.ts';
import { ArenaView } from './arena.ts';
import { META, META_BLOCK, S } from './arena-layout.ts';
import { HeadChunkFiles } from './chunk-source.ts';
import type { HeadHandle } from './chunk-source.ts';
import { HeadOrder } from './head-order.ts';
import { PostingsReader } from './postings-reader.ts';
import { mayHold } from './series-snapshot.ts';

/** limit: samples of a chunk that is encoded again, as the head cuts them. */
const SAMPLES_PER_CHUNK = 120;

/** A chunk of a series: times in ms, both inclusive; `data` begins with the 2-byte count and is the reader's own. */
export interface RawChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly count: number;
  readonly data: Uint8Array;
}

/** A chunk's place, as the arena had it. */
interface FoundChunk {
  /** 0: the bytes were in the arena and are in `data`. */
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
  readonly mint: number;
  readonly maxt: number;
  readonly data: Uint8Array | undefined;
}

/** The series of a head that have chunks in a range, by number in label order. */
export class HeadRange {
  readonly #range: TimeRange;
  readonly #files: HeadChunkFiles;
  readonly #order: HeadOrder;
  readonly #scratch = new XorScratch();

  /** `range` is closed. */
  constructor(handle: HeadHandle, range: TimeRange) {
    this.#range = range;
    this.#files = new HeadChunkFiles(handle);
    const views = handle.memories.map((memory) => new ArenaView(memory));
    const postings = views.map((view) => new PostingsReader(view));
    this.#order = new HeadOrder({ views, postings }, (view, address) =>
      mayHold(view, address, range),
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
   * The n-th series' chunks in the range, oldest first; may be none.
   * @throws CorruptionError when a chunk's bytes are not what was written.
   */
  chunks(n: number): RawChunk[] {
    const found = this.#copyOut(this.#order.view(n), this.#order.address(n));
    return found.flatMap((chunk) => this.#clip(chunk, this.#read(chunk)));
  }

  /** Closes the chunk files. */
  close(): void {
    this.#files.close();
  }

  /** Takes chunk places, and bytes that lie in the arena, under the series' generation. */
  #copyOut(view: ArenaView, address: number): FoundChunk[] {
    const generation = (address + S.generation) >>> 2;
    for (;;) {
      const before = Atomics.load(view.i32, generation);
      if ((before & 1) === 1) continue;
      const found = this.#metas(view, address);
      const open = openChunk(view, address);
      readFence();
      if (Atomics.load(view.i32, generation) !== before) continue;
      const last = open === undefined ? undefined : this.#timesOf(open);
      return last === undefined ? found : [...found, last];
    }
  }

  #metas(view: ArenaView, address: number): FoundChunk[] {
    const { mint, maxt } = this.#range;
    const found: FoundChunk[] = [];
    for (let block = view.get(address + S.metas); block !== 0;) {
      for (let i = view.get(block + META_BLOCK.count) - 1; i >= 0; i--) {
        const meta = block + META_BLOCK.header + i * META.bytes;
        if (view.getI64(meta + META.maxt) < mint) return found.reverse();
        if (view.getI64(meta + META.mint) <= maxt) found.push(takeMeta(view, meta));
      }
      block = view.get(block + META_BLOCK.previous);
    }
    return found.reverse();
  }

  /** An open chunk's times, which only its samples tell; undefined when it begins behind the range. */
  #timesOf(data: Uint8Array): FoundChunk | undefined {
    const count = ((data[0] as number) << 8) | (data[1] as number);
    this.#decode(data, count, 'head memory', 0);
    const { t, length } = this.#scratch;
    const mint = t[0] as number;
    if (mint > this.#range.maxt) return undefined;
    const maxt = t[length - 1] as number;
    return { file: 0, offset: 0, length: data.length, count, mint, maxt, data };
  }

  #read({ file, offset, length, data, mint }: FoundChunk): Uint8Array {
    if (data !== undefined) return data;
    const head = ENTRY_HEADER_BYTES + sizeUvarint(length);
    const bytes = this.#files.read(file, offset - head, head + length + ENTRY_CRC_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entry = bytes.subarray(0, head + length);
    const sound =
      crc32c(entry) === view.getUint32(head + length) &&
      view.getInt32(8) * 4294967296 + view.getUint32(12) === mint &&
      bytes[ENTRY_HEADER_BYTES - 1] === ENCODING_XOR;
    if (!sound) {
      throw new CorruptionError('checksum mismatch', this.#files.path(file), offset);
    }
    return bytes.slice(head, head + length);
  }

  /** A chunk as it is, or, where it reaches over an end of the range, its samples inside it encoded again. */
  #clip({ mint, maxt, count, file, offset }: FoundChunk, data: Uint8Array): RawChunk[] {
    const range = this.#range;
    if (mint >= range.mint && maxt <= range.maxt) {
      return [{ mint, maxt, encoding: ENCODING_XOR, count, data }];
    }
    this.#decode(data, count, file === 0 ? 'head memory' : this.#files.path(file), offset);
    const scratch = this.#scratch;
    scratch.clip(range.mint, range.maxt);
    const halves = new Uint32Array(scratch.v.buffer, scratch.v.byteOffset, scratch.length * 2);
    const out: RawChunk[] = [];
    for (let from = 0; from < scratch.length; from += SAMPLES_PER_CHUNK) {
      out.push(encode(scratch.t, halves, from, Math.min(scratch.length, from + SAMPLES_PER_CHUNK)));
    }
    return out;
  }

  #decode(data: Uint8Array, count: number, where: string, offset: number): void {
    this.#scratch.clear();
    if (!this.#scratch.append(data, 0, data.length, count, false) || count === 0) {
      throw new CorruptionError('chunk is not a float (XOR) chunk of its count', where, offset);
    }
  }
}

/** A chunk meta, with the chunk's bytes when they lie in the arena. */
function takeMeta(view: ArenaView, meta: number): FoundChunk {
  const file = view.get(meta + META.file);
  const offset = view.get(meta + META.offset);
  const length = view.get(meta + META.length);
  return {
    file,
    offset,
    // Under a moving generation a length can be nonsense: it is bounded before it is believed.
    length: Math.min(length, 65536),
    count: view.view.getUint16(meta + META.count, true),
    mint: view.getI64(meta + META.mint),
    maxt: view.getI64(meta + META.maxt),
    data: file === 0 ? view.u8.slice(offset, offset + Math.min(length, 2048)) : undefined,
  };
}

/** The bytes of the open chunk as far as they are published, with the count in front; undefined without one. */
function openChunk(view: ArenaView, address: number): Uint8Array | undefined {
  const published = Atomics.load(view.i32, (address + S.published) >>> 2) >>> 0;
  const chunk = view.get(address + S.chunk);
  const count = published >>> 16;
  if (chunk === 0 || count === 0) return undefined;
  const data = view.u8.slice(chunk, chunk + Math.ceil((published & 0xffff) / 8));
  // Bits behind the published ones belong to samples that are being appended: the chunk ends before them.
  const spare = -(published & 0xffff) & 7;
  data[data.length - 1] = (data[data.length - 1] as number) & (0xff << spare);
  data[0] = count >>> 8;
  data[1] = count & 0xff;
  return data;
}

/** Encodes samples from..to of columns. */
function encode(t: Float64Array, halves: Uint32Array, from: number, to: number): RawChunk {
  const appender = new XorAppender();
  for (let i = from; i < to; i++) {
    appender.append(t[i] as number, halves[2 * i + 1] as number, halves[2 * i] as number);
  }
  const mint = t[from] as number;
  const maxt = t[to - 1] as number;
  return { mint, maxt, encoding: ENCODING_XOR, count: to - from, data: appender.bytes() };
}
