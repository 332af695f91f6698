/** An index file as a source of bytes, read by a window at a time: for walks and checks beside any page cache. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError, CorruptionError, errorText } from '../../lib/errors.ts';
import type { ByteSource } from './byte-source.ts';

/** perf: walks go forward; jumps cost a read of this each. */
const WINDOW_BYTES = 1 << 16;

/** A file that is open for reading until {@link FileSource.close}. */
export class FileSource implements ByteSource, Disposable {
  readonly path: string;
  readonly size: number;
  readonly #fd: number;
  readonly #windowBytes: number;
  #window = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** Opens a file. @throws CodedError: not_found, or unavailable. */
  constructor(path: string, windowBytes = WINDOW_BYTES) {
    this.path = path;
    this.#windowBytes = windowBytes;
    try {
      this.#fd = openSync(path, 'r');
      this.size = fstatSync(this.#fd).size;
    } catch (thrown) {
      const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
      const code = missing ? 'not_found' : 'unavailable';
      throw new CodedError(code, `read ${path}: ${errorText(thrown)}`, { cause: thrown });
    }
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < this.#start || offset + length > this.#end) this.#fill(offset, length);
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fill(offset: number, length: number): void {
    const size = Math.min(Math.max(length, this.#windowBytes), this.size - offset);
    if (this.#window.length < size) this.#window = Buffer.allocUnsafeSlow(size);
    this.#end = this.#start = offset;
    while (this.#end < offset + size) {
      const at = this.#end - offset;
      const count = this.#try(() => readSync(this.#fd, this.#window, at, size - at, this.#end));
      if (count === 0) throw new CorruptionError('the file ends early', this.path, this.#end);
      this.#end += count;
    }
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      const message = `read ${this.path}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    }
  }
}
