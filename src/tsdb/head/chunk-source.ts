/** Where the bytes of a head's cut chunks come from: chunks_head/ files, through the page cache, into the decoder. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCE_BYTES_MAX } from '../../chunkenc/xor-scratch.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { headChunkFileName } from '../chunks/head-chunk-format.ts';
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

/** Reads chunk bytes from files through the page cache. */
export class ChunkSource implements PagedFiles {
  readonly #handle: HeadHandle;
  readonly #cache: PageCache;
  readonly #descriptors = new Map<number, number>();

  constructor(handle: HeadHandle, cache: PageCache) {
    this.#handle = handle;
    this.#cache = cache;
  }

  descriptor(file: number): number {
    let fd = this.#descriptors.get(file);
    if (fd === undefined) {
      fd = openSync(this.path(file % FILES_PER_HEAD), 'r');
      this.#descriptors.set(file, fd);
    }
    return fd;
  }

  path(sequence: number): string {
    return join(this.#handle.chunksDirectory, headChunkFileName(sequence));
  }

  /**
   * Decodes a chunk of a file behind what the scratch holds; false when it is not a float chunk of that count.
   * @throws CorruptionError when the file ends early.
   */
  append(scratch: XorScratch, chunk: ChunkPlace, dropStale: boolean): boolean {
    const { offset, length, count } = chunk;
    const file = this.#handle.number * FILES_PER_HEAD + chunk.file;
    if (length > SOURCE_BYTES_MAX) return false;
    if (!this.#cache.read(this, file, offset, length, scratch.sourceWords)) {
      throw new CorruptionError('head chunk lies outside its file', this.path(chunk.file), offset);
    }
    return scratch.appendSource(offset & 3, length, count, dropStale);
  }

  /**
   * Bytes of a file as they are; `room` gives words to put them into, which the answer is a view of.
   * @throws CorruptionError when the file ends early.
   */
  read(
    sequence: number,
    offset: number,
    length: number,
    room: (words: number) => Int32Array,
  ): Uint8Array {
    const into = room((length + 10) >>> 2);
    const file = this.#handle.number * FILES_PER_HEAD + sequence;
    if (offset < 0 || !this.#cache.read(this, file, offset, length, into)) {
      throw new CorruptionError('head chunk lies outside its file', this.path(sequence), offset);
    }
    return new Uint8Array(into.buffer, into.byteOffset + (offset & 3), length);
  }

  /** Closes files below a sequence number, which are needed no more. */
  forget(sequence: number): void {
    const first = this.#handle.number * FILES_PER_HEAD + sequence;
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
