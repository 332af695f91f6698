/**
 * Chunks on their way from a TSDB into an answer of the StoreAPI: collected as a segment file has them, framed in one go.
 *
 *   chunks of blocks (frames as they lie in the file) ─┐
 *   chunks of the head (bytes copied out) ─────────────┴─► frames one behind the other ─► ChunkFramer ─► messages
 */
import type { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import type { FrameSink } from '../../bucket/read/frame-sink.ts';
import { FRAME_STATUS } from '../../bucket/read/frame-chunks.ts';
import { ByteWriter } from '../../bucket/read/label-bytes.ts';
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CodedError } from '../../lib/errors.ts';
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';

/** Length and encoding before the data, checksum behind them. */
const ENCODING_BYTES = 1;
const CRC_BYTES = 4;
const COUNT_BYTES = 2;

/** Messages of chunks: the k-th ends at ends[k] and begins where the one before it ends. */
export interface FramedMessages {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
  /** By chunk, ms, both inclusive. */
  readonly mint: Float64Array<ArrayBuffer>;
  readonly maxt: Float64Array<ArrayBuffer>;
}

/** Collects chunks of the encodings 1 to 3. Used again and again: {@link clear}. */
export class ChunkFrames {
  readonly #frames = new ByteWriter(1 << 16);
  readonly #offsets: number[] = [];
  readonly #mint: number[] = [];
  readonly #maxt: number[] = [];

  /** How many chunks there are. */
  get count(): number {
    return this.#offsets.length;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#frames.length;
  }

  clear(): void {
    this.cut(0);
  }

  /** Takes the chunks from a number on out again. */
  cut(count: number): void {
    if (count >= this.count) return;
    this.#frames.length = this.#offsets[count] as number;
    this.#offsets.length = count;
    this.#mint.length = count;
    this.#maxt.length = count;
  }

  /** Adds a frame of a segment file, whose checksum is right: bytes[from..to]. They are copied. */
  addFrame(
    times: { readonly mint: number; readonly maxt: number },
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    this.#begin(times);
    this.#frames.append(bytes, from, to);
  }

  /** Adds a chunk, whose bytes are copied. */
  add({ mint, maxt, encoding, data }: Omit<EncodedChunk, 'count'>): void {
    const frames = this.#frames;
    this.#begin({ mint, maxt });
    const length = sizeUvarint(data.length);
    frames.reserve(length + ENCODING_BYTES + data.length + CRC_BYTES);
    const start = writeUvarint(frames.bytes, frames.length, data.length);
    frames.bytes[start] = encoding;
    frames.bytes.set(data, start + ENCODING_BYTES);
    const end = start + ENCODING_BYTES + data.length;
    frames.bytes.writeUInt32BE(crc32c(frames.bytes, start, end), end);
    frames.length = end + CRC_BYTES;
  }

  /** Whether any of the chunks from a number on begins before the one in front of it has ended. */
  overlapsFrom(first: number): boolean {
    for (let k = first + 1; k < this.count; k++)
      if ((this.#mint[k] as number) <= (this.#maxt[k - 1] as number)) return true;
    return false;
  }

  /** Copies of the chunks from a number on. */
  copiesFrom(first: number): EncodedChunk[] {
    const copies: EncodedChunk[] = [];
    const { bytes, length } = this.#frames;
    for (let k = first; k < this.count; k++) {
      let at = this.#offsets[k] as number;
      while ((bytes[at] as number) >= 0x80) at++;
      const encoding = bytes[at + 1] as number;
      const end = (this.#offsets[k + 1] ?? length) - CRC_BYTES;
      const data = Uint8Array.prototype.slice.call(bytes, at + 1 + ENCODING_BYTES, end);
      const count =
        data.length < COUNT_BYTES ? 0 : ((data[0] as number) << 8) | (data[1] as number);
      const [mint, maxt] = [this.#mint[k] as number, this.#maxt[k] as number];
      copies.push({ mint, maxt, encoding, count, data });
    }
    return copies;
  }

  /** The chunks as messages, in memory of their own. @throws CodedError internal when one is none. */
  finish(framer: ChunkFramer): FramedMessages {
    const mint = Float64Array.from(this.#mint);
    const maxt = Float64Array.from(this.#maxt);
    const messages = new Messages(this.count, this.bytes);
    const columns = { offsets: Uint32Array.from(this.#offsets), mint, maxt };
    const bytes = this.#frames.bytes.subarray(0, this.#frames.length);
    const done = framer.frame(bytes, 0, columns, { from: 0, to: this.count }, 0, messages);
    if (done < this.count) {
      const { code, detail } = framer.status;
      const names: readonly string[] = Object.keys(FRAME_STATUS);
      const text = `BUG: chunk ${done} of ${this.count} cannot be framed: ${names[code]}, ${detail}`;
      throw new CodedError('internal', text);
    }
    return { ...messages.finish(), mint, maxt };
  }

  #begin({ mint, maxt }: { readonly mint: number; readonly maxt: number }): void {
    this.#offsets.push(this.#frames.length);
    this.#mint.push(mint);
    this.#maxt.push(maxt);
  }
}

/** What a message takes beside its chunk, about: times, tags, lengths and hash, less what the frame has. */
const MESSAGE_OVERHEAD = 32;

class Messages implements FrameSink {
  readonly #ends: Uint32Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(count: number, frameBytes: number) {
    this.#ends = new Uint32Array(count);
    this.#bytes = new Uint8Array(frameBytes + count * MESSAGE_OVERHEAD);
  }

  append(bytes: Uint8Array, ends: ArrayLike<number>, from: number): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const more = new Uint8Array(this.#bytes.length * 2 + bytes.length);
      more.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = more;
    }
    this.#bytes.set(bytes, this.#length);
    for (let i = 0; i < ends.length; i++) this.#ends[from + i] = this.#length + (ends[i] as number);
    this.#length += bytes.length;
  }

  finish(): { bytes: Uint8Array<ArrayBuffer>; ends: Uint32Array<ArrayBuffer> } {
    return { bytes: this.#bytes.subarray(0, this.#length), ends: this.#ends };
  }
}
