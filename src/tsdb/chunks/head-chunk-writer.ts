/**
 * Writes cut chunks to chunks_head/ (docs/format/head-chunks.md). The files are a cache of the WAL: losing their end
 * costs replay time, not samples, so they are not fsynced before their file is full.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import type { FileLayer } from '../../lib/file-layer.ts';
import { onDisk } from '../../lib/on-disk.ts';
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import {
  ENTRY_CRC_BYTES,
  ENTRY_HEADER_BYTES,
  FILE_BYTES,
  FILE_HEADER_BYTES,
  HEAD_CHUNK_MAGIC,
  HEAD_CHUNK_VERSION,
  OUT_OF_ORDER_MASK,
  headChunkFileName,
  parseHeadChunkFileName,
} from './head-chunk-format.ts';

/** Where a chunk's data lies: file sequence number (1 and up) and byte offset of the data itself. */
export interface ChunkPlace {
  readonly file: number;
  readonly offset: number;
}

/** A chunk to be written: times are ms integers, `ref` is below 2^53, `encoding` has the mask when it is out of order. */
export interface HeadChunk {
  readonly ref: number;
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** Appends entries to the newest file of a directory. One writer a directory. */
export class HeadChunkWriter {
  readonly #directory: string;
  readonly #files: FileLayer;
  readonly #fileBytes: number;
  #fd = -1;
  #sequence: number;
  /** The newest time in each file that holds entries, those of earlier writers as far as they were told. */
  readonly #maxts = new Map<number, number>();
  /** Files with chunks that are out of order and in no block. */
  readonly #late = new Set<number>();
  /** Bytes of the file that hold whole entries. */
  #offset = 0;
  #buffer = new Uint8Array(1 << 20);
  #view = new DataView(this.#buffer.buffer);
  #size = 0;

  /** Starts behind the newest file there is; the next file is made with the first entry. */
  constructor(directory: string, files: FileLayer, fileBytes = FILE_BYTES) {
    this.#directory = directory;
    this.#files = files;
    this.#fileBytes = fileBytes;
    onDisk(`create ${directory}`, () => files.makeDirectory(directory));
    this.#sequence = Math.max(0, ...headChunkSequences(directory));
    this.#removeEmpty();
  }

  /**
   * Adds a chunk to the batch and answers where its data will lie once {@link flush} has succeeded.
   * @throws CodedError unavailable when it needs a new file and there can be none.
   */
  add({ ref, mint, maxt, encoding, data }: HeadChunk): ChunkPlace {
    const head = ENTRY_HEADER_BYTES + sizeUvarint(data.length);
    const size = head + data.length + ENTRY_CRC_BYTES;
    if (this.#fd < 0 || this.#offset + this.#size + size > this.#fileBytes) this.#nextFile();
    this.#reserve(FILE_HEADER_BYTES + size);
    if (this.#offset + this.#size === 0) this.#putHeader();
    const at = this.#size;
    const view = this.#view;
    view.setBigUint64(at, BigInt(ref));
    view.setBigInt64(at + 8, BigInt(mint));
    view.setBigInt64(at + 16, BigInt(maxt));
    this.#buffer[at + 24] = encoding;
    writeUvarint(this.#buffer, at + ENTRY_HEADER_BYTES, data.length);
    this.#buffer.set(data, at + head);
    const end = at + head + data.length;
    view.setUint32(end, crc32c(this.#buffer.subarray(at, end)));
    this.#size = end + ENTRY_CRC_BYTES;
    // What came out of order is old from the start: its file is needed until blocks hold it (truncateLate).
    if ((encoding & OUT_OF_ORDER_MASK) !== 0) this.noteLate(this.#sequence);
    this.note(this.#sequence, maxt);
    return { file: this.#sequence, offset: this.#offset + at + head };
  }

  /** Takes in that a file holds chunks that are out of order. */
  noteLate(sequence: number): void {
    this.#late.add(sequence);
  }

  /** Chunks that are out of order, in files before this one, are needed no more. */
  truncateLate(sequence: number): void {
    for (const file of this.#late) if (file < sequence) this.#late.delete(file);
  }

  /** Takes in that a file holds a chunk that ends at a time: replay tells it of files that were there before. */
  note(sequence: number, maxt: number): void {
    this.#maxts.set(sequence, Math.max(maxt, this.#maxts.get(sequence) ?? -Infinity));
  }

  /**
   * Deletes the oldest files whose chunks all end before a time, and sees to it that the next chunk begins a new file.
   * Only from the front: a reader of the directory takes a gap in the sequence for damage. Answers how many went.
   * @throws CodedError unavailable.
   */
  truncate(mint: number): number {
    this.close();
    let deleted = 0;
    for (const sequence of headChunkSequences(this.#directory)) {
      const maxt = this.#maxts.get(sequence);
      // The newest stays: its number must not be given out again, because readers may have its pages.
      if (maxt === undefined || maxt >= mint || sequence >= this.#sequence) break;
      if (this.#late.has(sequence)) break;
      const path = this.#path(sequence);
      onDisk(`remove ${path}`, () => this.#files.remove(path));
      this.#maxts.delete(sequence);
      deleted++;
    }
    return deleted;
  }

  /**
   * Writes the batch.
   * @throws CodedError unavailable; the batch is then forgotten, and the file abandoned with its last whole entry.
   */
  flush(): void {
    if (this.#size === 0) return;
    const batch = this.#buffer.subarray(0, this.#size);
    this.#size = 0;
    try {
      const path = this.#path(this.#sequence);
      onDisk(`write ${path}`, () => this.#files.write(this.#fd, batch, this.#offset));
      this.#offset += batch.length;
    } catch (thrown) {
      this.#afterFailedWrite();
      throw thrown;
    }
  }

  /** Writes what is left and closes. @throws CodedError unavailable; the file is closed then, too. */
  close(): void {
    if (this.#fd < 0) return;
    try {
      this.flush();
      onDisk(`fsync ${this.#path(this.#sequence)}`, () => this.#files.fsync(this.#fd));
    } finally {
      // A failed flush may have closed it.
      if (this.#fd >= 0) this.#files.close(this.#fd);
      this.#fd = -1;
      if (this.#offset === 0) this.#removeEmpty();
    }
  }

  /** Removes the newest file if it is empty: with one between others a Prometheus does not start. Nobody has its pages. */
  #removeEmpty(): void {
    const path = this.#path(this.#sequence);
    if (!existsSync(path) || statSync(path).size > 0) return;
    onDisk(`remove ${path}`, () => this.#files.remove(path));
    this.#sequence = Math.max(0, ...headChunkSequences(this.#directory));
  }

  #nextFile(): void {
    this.close();
    const path = this.#path(this.#sequence + 1);
    const fd = onDisk(`create ${path}`, () => this.#files.open(path, true));
    this.#sequence++;
    this.#fd = fd;
    this.#offset = 0;
  }

  #path(sequence: number): string {
    return join(this.#directory, headChunkFileName(sequence));
  }

  #putHeader(): void {
    this.#view.setUint32(0, HEAD_CHUNK_MAGIC);
    this.#buffer.fill(0, 4, FILE_HEADER_BYTES);
    this.#buffer[4] = HEAD_CHUNK_VERSION;
    this.#size = FILE_HEADER_BYTES;
  }

  /**
   * Cuts the file back to its last whole entry. A file with entries is then left for the next one, because readers may
   * have cached the page that the failed write touched; an empty one serves again, or a full disk would make a file a
   * try.
   */
  #afterFailedWrite(): void {
    try {
      this.#files.truncate(this.#fd, this.#offset);
      if (this.#offset === 0) return;
    } catch {
      // A torn end is found and passed over at the next start.
    }
    const fd = this.#fd;
    this.#fd = -1;
    try {
      this.#files.close(fd);
    } catch {
      // The descriptor is lost either way; the caller reports the failed write.
    }
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#buffer.length) return;
    const more = new Uint8Array(Math.max(this.#buffer.length * 2, this.#size + size));
    more.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = more;
    this.#view = new DataView(more.buffer);
  }
}

/** The sequence numbers of the files in a directory, ascending. */
export function headChunkSequences(directory: string): number[] {
  const sequences = readdirSync(directory).map(parseHeadChunkFileName);
  return sequences.filter((sequence) => sequence !== undefined).sort((a, b) => a - b);
}
