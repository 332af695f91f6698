/** One file as a source of bytes: small reads through the page cache, large ones past it. */
import { readSync } from 'node:fs';
import { CodedError, CorruptionError, errorText } from '../../lib/errors.ts';
import type { PageCache, PagedFile, PagedFiles } from './page-cache.ts';

/** perf: reads of this many bytes come once, at the opening of a file or for a long list: pages are for the others. */
const DIRECT_BYTES_MIN = 1 << 17;
const SMALL_BYTES = 1 << 13;

/** A file of a page cache by its number; its bytes do not change. */
export class PagedSource {
  readonly size: number;
  readonly #files: PagedFiles;
  readonly #cache: PageCache;
  readonly #file: number;
  /** For messages. */
  readonly path: string;
  #small = Buffer.alloc(SMALL_BYTES);
  #large = Buffer.alloc(0);

  constructor(files: PagedFiles, cache: PageCache, file: PagedFile) {
    this.#files = files;
    this.#cache = cache;
    this.#file = file.number;
    this.size = file.size;
    this.path = file.path;
  }

  /**
   * The bytes from an offset on; valid until the next read.
   * @throws CodedError unavailable when they cannot be read, CorruptionError when the file has become shorter.
   */
  read(offset: number, length: number): Uint8Array {
    try {
      return length < DIRECT_BYTES_MIN ? this.#paged(offset, length) : this.#direct(offset, length);
    } catch (thrown) {
      if (thrown instanceof CodedError) throw thrown;
      const message = `read ${this.path}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    }
  }

  #paged(offset: number, length: number): Uint8Array {
    if (length > this.#small.length) this.#small = Buffer.allocUnsafeSlow(length * 2);
    if (!this.#cache.read(this.#files, this.#file, offset, length, this.#small)) {
      throw this.#short(offset);
    }
    return this.#small.subarray(0, length);
  }

  #direct(offset: number, length: number): Uint8Array {
    if (length > this.#large.length) this.#large = Buffer.allocUnsafeSlow(length);
    const fd = this.#files.descriptor(this.#file);
    for (let done = 0; done < length;) {
      const size = readSync(fd, this.#large, done, length - done, offset + done);
      if (size === 0) throw this.#short(offset + done);
      done += size;
    }
    return this.#large.subarray(0, length);
  }

  #short(offset: number): CorruptionError {
    return new CorruptionError('the file ends early', this.path, offset);
  }
}
