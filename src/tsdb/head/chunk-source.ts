/** Where the bytes of a head's cut chunks come from: chunks_head/ files, through the page cache, into the decoder. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCE_BYTES_MAX } from '../../chunkenc/xor-scratch.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { diskError, onDisk } from '../../lib/on-disk.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import { checkedPages, isMarked } from '../chunks/checked-pages.ts';
import type { CheckedPages } from '../chunks/checked-pages.ts';
import {
  ENTRY_CRC_BYTES,
  ENTRY_HEADER_BYTES,
  headChunkFileName,
} from '../chunks/head-chunk-format.ts';
import type { PageCache, PagedFiles } from '../chunks/page-cache.ts';
import type { ArenaMemory } from './arena.ts';

/** limit: files of one cache number range: a head's chunk files count up from 1. */
const FILES_PER_HEAD = 1 << 20;

/** What a thread needs to read a head: plain data and shared memories, so it can be posted to workers. */
export interface HeadHandle {
  /** Distinguishes the heads of a process in the page cache: 0, 1, … */
  readonly number: number;
  readonly memories: readonly ArenaMemory[];
  readonly chunksDirectory: string;
}

/** A chunk in a file of chunks_head/: the file's sequence number, bytes of data from an offset, count of samples. */
export interface ChunkPlace {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

/** The chunks_head/ files of a head, opened at need, for one thread. */
export class HeadChunkFiles implements PagedFiles {
  readonly #handle: HeadHandle;
  readonly #descriptors = new Map<number, number>();
  #buffer = new Uint8Array(4096);

  constructor(handle: HeadHandle) {
    this.#handle = handle;
  }

  /** The page cache's number for a file. */
  number(sequence: number): number {
    return this.#handle.number * FILES_PER_HEAD + sequence;
  }

  /** @throws CodedError unavailable when the file cannot be opened. */
  descriptor(file: number): number {
    let fd = this.#descriptors.get(file);
    if (fd === undefined) {
      const path = this.path(file % FILES_PER_HEAD);
      fd = onDisk(`read ${path}`, () => openSync(path, 'r'));
      this.#descriptors.set(file, fd);
    }
    return fd;
  }

  path(sequence: number): string {
    return join(this.#handle.chunksDirectory, headChunkFileName(sequence));
  }

  /**
   * Bytes of a file as they are, past the page cache; valid until the next call.
   * perf: who walks over all series in label order jumps about in the files. Pages of 64 KiB would be read for a chunk
   * each, and push out those that queries use.
   * @throws CorruptionError when the file ends early, CodedError unavailable when it cannot be read.
   */
  read(sequence: number, offset: number, length: number): Uint8Array {
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length * 2);
    const fd = this.descriptor(this.number(sequence));
    let size = 0;
    try {
      if (offset >= 0) size = readSync(fd, this.#buffer, 0, length, offset);
    } catch (thrown) {
      throw diskError(`read ${this.path(sequence)}`, thrown);
    }
    if (size < length) {
      throw new CorruptionError('head chunk lies outside its file', this.path(sequence), offset);
    }
    return this.#buffer.subarray(0, length);
  }

  /** Closes files below a sequence number, which are needed no more. */
  forget(sequence: number): void {
    const first = this.number(sequence);
    for (const [file, fd] of this.#descriptors) {
      if (file >= first) continue;
      closeSync(fd);
      this.#descriptors.delete(file);
    }
  }

  close(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#descriptors.clear();
  }
}

/** Reads chunks of chunks_head/ files through the page cache. No chunk is handed out whose checksum is not right. */
export class ChunkSource {
  readonly files: HeadChunkFiles;
  readonly #cache: PageCache;
  readonly #checked: CheckedPages;
  #bytes = new Uint8Array(0);

  constructor(handle: HeadHandle, cache: PageCache) {
    this.files = new HeadChunkFiles(handle);
    this.#cache = cache;
    this.#checked = checkedPages(cache);
  }

  /**
   * Decodes a float chunk of a file behind what the scratch holds; false when it is not one of that count.
   * @throws CorruptionError when the file ends early or the checksum is not right.
   */
  append(
    scratch: XorScratch,
    chunk: ChunkPlace & { readonly encoding: number },
    dropStale: boolean,
  ): boolean {
    const from = this.#load(scratch, chunk);
    return scratch.appendSource(from, chunk.length, chunk.count, dropStale, chunk.encoding);
  }

  /** The bytes of a chunk of a file: a view of the scratch's source, valid until it is used next. @throws as append. */
  read(scratch: XorScratch, chunk: ChunkPlace): Uint8Array {
    const from = this.#load(scratch, chunk);
    return this.#bytes.subarray(from, from + chunk.length);
  }

  /** False when the file ends early. @throws CodedError unavailable. */
  #read(file: number, offset: number, length: number, into: Uint8Array): boolean {
    const { files } = this;
    try {
      return this.#cache.read(files, files.number(file), offset, length, into);
    } catch (thrown) {
      throw diskError(`read ${files.path(file)}`, thrown);
    }
  }

  /** Puts a chunk's entry into the scratch's source and checks it; answers where its data begin there. */
  #load(scratch: XorScratch, { file, offset, length }: ChunkPlace): number {
    const { files } = this;
    const head = ENTRY_HEADER_BYTES + sizeUvarint(length);
    const start = offset - head;
    const size = head + length + ENTRY_CRC_BYTES;
    const fail = (message: string): CorruptionError =>
      new CorruptionError(message, files.path(file), offset);
    if (size > SOURCE_BYTES_MAX)
      throw fail(`a chunk of ${length} bytes exceeds ${SOURCE_BYTES_MAX}`);
    this.#bytes = scratch.source;
    if (start < 0 || !this.#read(file, start, size, this.#bytes))
      throw fail('head chunk lies outside its file');
    const end = head + length;
    if (!isMarked(this.#checked.current(), start)) {
      if (crc32c(this.#bytes, 0, end) !== readU32(this.#bytes, end))
        throw fail('head chunk: checksum mismatch');
      this.#checked.add(start);
    }
    return head;
  }
}
