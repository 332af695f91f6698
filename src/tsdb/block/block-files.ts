/** The files of one block, opened when they are first read, for one thread. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CorruptionError } from '../../lib/errors.ts';
import { onDisk } from '../../lib/on-disk.ts';
import type { PageCache, PagedFile } from '../chunks/page-cache.ts';
import { PagedSource } from '../chunks/paged-source.ts';
import { SEGMENTS_DIRECTORY, chunkSegmentName } from '../chunks/segment-format.ts';
import type { SegmentFiles } from '../chunks/segment-reader.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import type { BlockHandle } from './block-handle.ts';

/** Descriptors of a block's files by their page cache numbers. */
export class BlockFiles implements SegmentFiles {
  readonly #handle: BlockHandle;
  readonly #descriptors = new Map<number, number>();
  readonly #segments: (PagedFile | undefined)[] = [];

  constructor(handle: BlockHandle) {
    this.#handle = handle;
  }

  /** @throws CodedError unavailable when the file cannot be opened. */
  descriptor(file: number): number {
    let fd = this.#descriptors.get(file);
    if (fd === undefined) {
      const path = this.#path(file);
      fd = onDisk(`read ${path}`, () => openSync(path, 'r'));
      this.#descriptors.set(file, fd);
    }
    return fd;
  }

  /** The index. @throws CodedError unavailable when it cannot be opened. */
  index(cache: PageCache): PagedSource {
    return new PagedSource(this, cache, this.#file(this.#handle.firstFile));
  }

  segment(number: number): PagedFile {
    let file = this.#segments[number];
    if (file === undefined) {
      const { segments, firstFile, directory } = this.#handle;
      if (number < 0 || number >= segments) {
        const path = join(directory, SEGMENTS_DIRECTORY);
        throw new CorruptionError(`a chunk lies in segment ${number + 1} of ${segments}`, path, 0);
      }
      file = this.#file(firstFile + 1 + number);
      this.#segments[number] = file;
    }
    return file;
  }

  /** Closes all of them. */
  close(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#descriptors.clear();
  }

  #file(number: number): PagedFile {
    const path = this.#path(number);
    const fd = this.descriptor(number);
    return { number, path, size: onDisk(`read ${path}`, () => fstatSync(fd)).size };
  }

  #path(file: number): string {
    const { firstFile, directory } = this.#handle;
    if (file === firstFile) return join(directory, INDEX_FILE);
    return join(directory, SEGMENTS_DIRECTORY, chunkSegmentName(file - firstFile - 1));
  }
}
