/**
 * Reads the chunks of a block from its first segment to its last, a window at a time and past the page cache, which
 * compaction would only fill with what nobody asks for. No chunk is handed out whose checksum is not right.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { onDisk } from '../../lib/on-disk.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import {
  CHUNK_CRC_BYTES,
  ENCODING_BYTES,
  LENGTH_BYTES_MAX,
  SEGMENTS_DIRECTORY,
  SEGMENT_HEADER_BYTES,
  SEGMENT_REFS,
  chunkSegmentName,
} from '../chunks/segment-format.ts';
import type { ChunkOrigin, MergedChunk } from './merged-chunk.ts';

/** perf: a read of this costs some 100 µs, a twentieth of what is done with it. */
const WINDOW_BYTES = 1 << 20;
/** The count of samples at the beginning of a chunk's data. */
const COUNT_BYTES = 2;

/** The segments of one block, one of them open at a time. */
export class SegmentWindows implements ChunkOrigin, Disposable {
  readonly #directory: string;
  readonly #windowBytes: number;
  /** The segment that is open; -1 for none. */
  #segment = -1;
  #fd = -1;
  #size = 0;
  #path = '';
  /** Bytes #start..#end of the segment. */
  #window = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Windows that chunks lie in which were handed out, and windows that are free. */
  readonly #held: Uint8Array<ArrayBuffer>[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #cursor = { bytes: this.#window, pos: 0, end: 0 };

  /** For the block in a directory; nothing is opened yet. */
  constructor(directory: string, windowBytes = WINDOW_BYTES) {
    this.#directory = join(directory, SEGMENTS_DIRECTORY);
    this.#windowBytes = windowBytes;
  }

  /**
   * Loads the chunk at `into.ref`, in its frame; its bytes are valid until {@link release}. Times are not known here.
   * @throws CorruptionError when there is none with a right checksum, CodedError unavailable when it cannot be read.
   */
  load(into: MergedChunk): void {
    const { ref } = into;
    const segment = Math.floor(ref / SEGMENT_REFS);
    const offset = ref - segment * SEGMENT_REFS;
    if (segment !== this.#segment) this.#open(segment);
    if (offset < SEGMENT_HEADER_BYTES || offset >= this.#size) {
      throw this.corrupt(ref, 'chunk lies outside its file');
    }
    this.#reach(offset, Math.min(LENGTH_BYTES_MAX, this.#size - offset));
    const length = this.#readLength(ref, offset);
    const frame = this.#cursor.pos - (offset - this.#start) + ENCODING_BYTES + length;
    if (offset + frame + CHUNK_CRC_BYTES > this.#size) {
      throw this.corrupt(ref, 'chunk lies outside its file');
    }
    if (this.#reach(offset, frame + CHUNK_CRC_BYTES)) this.#readLength(ref, offset);
    const window = this.#window;
    const from = this.#cursor.pos;
    const data = from + ENCODING_BYTES;
    const end = data + length;
    if (crc32c(window, from, end) !== readU32(window, end)) {
      throw this.corrupt(ref, 'chunk: checksum mismatch');
    }
    into.encoding = window[from] as number;
    into.count =
      length < COUNT_BYTES ? 0 : ((window[data] as number) << 8) | (window[data + 1] as number);
    into.bytes = window;
    into.from = data;
    into.to = end;
    into.frameFrom = offset - this.#start;
    into.origin = this;
  }

  /** Takes the views of all chunks back. */
  release(): void {
    if (this.#held.length === 0) return;
    this.#free.push(...this.#held);
    this.#held.length = 0;
  }

  /** The error for what is wrong with the chunk at a ref. */
  corrupt(ref: number, message: string): CorruptionError {
    const segment = Math.floor(ref / SEGMENT_REFS);
    const path = join(this.#directory, chunkSegmentName(segment));
    return new CorruptionError(message, path, ref - segment * SEGMENT_REFS);
  }

  /** Closes the segment that is open. */
  close(): void {
    if (this.#segment >= 0) closeSync(this.#fd);
    this.#segment = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(segment: number): void {
    this.close();
    const path = join(this.#directory, chunkSegmentName(segment));
    onDisk(`read ${path}`, () => {
      const fd = openSync(path, 'r');
      this.#fd = fd;
      this.#segment = segment;
      this.#size = fstatSync(fd).size;
    });
    this.#path = path;
    this.#start = this.#end = 0;
  }

  /** Makes sure that so many bytes from an offset on, which the file has, are in the window; true when it has moved. */
  #reach(offset: number, length: number): boolean {
    if (offset >= this.#start && offset + length <= this.#end) return false;
    const size = Math.min(Math.max(length, this.#windowBytes), this.#size - offset);
    const window = this.#freeWindow(size);
    this.#end = this.#start = offset;
    onDisk(`read ${this.#path}`, () => {
      while (this.#end < offset + size) {
        const at = this.#end - offset;
        const count = readSync(this.#fd, window, at, size - at, this.#end);
        if (count === 0) throw new CorruptionError('the file ends early', this.#path, this.#end);
        this.#end += count;
      }
    });
    return true;
  }

  /** A window of at least so many bytes: the one at hand keeps its bytes, which were handed out. */
  #freeWindow(size: number): Uint8Array<ArrayBuffer> {
    if (this.#window.length > 0) this.#held.push(this.#window);
    let window = this.#free.pop();
    if (window === undefined || window.length < size) {
      window = new Uint8Array(Math.max(size, Math.min(this.#size, this.#windowBytes)));
    }
    this.#window = window;
    return window;
  }

  /** The length at the beginning of a chunk; the cursor is behind it then. */
  #readLength(ref: number, offset: number): number {
    const cursor = this.#cursor;
    cursor.bytes = this.#window;
    cursor.pos = offset - this.#start;
    cursor.end = Math.min(this.#end - this.#start, cursor.pos + LENGTH_BYTES_MAX);
    try {
      return readUvarint(cursor);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw this.corrupt(ref, 'chunk: no length');
    }
  }
}
