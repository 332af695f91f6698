/** The bytes of an index-header: a file, read in ranges without keeping the main thread waiting, or memory. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CodedError, CorruptionError, errorText } from '../../lib/errors.ts';

/** Random access to the bytes of a header, which do not change. Reads may run side by side. */
export interface HeaderBytes {
  /** For messages. */
  readonly path: string;
  readonly size: number;
  /**
   * The bytes of a range, which lies within the size; the caller's.
   * @throws CodedError unavailable when they cannot be read, CorruptionError when the file has become shorter.
   */
  read(offset: number, length: number): Promise<Buffer>;
  /** The header is open: what was read ahead for that is let go. */
  opened(): void;
  close(): Promise<void>;
}

/**
 * perf: a file up to this size is read in one go when it is opened: a thousand small headers took 8,000 reads, each of which
 * wakes a thread.
 */
const AHEAD_BYTES_MAX = 64 * 1024;

/** Opens a file. @throws CodedError not_found, unavailable. */
export async function openHeaderFile(path: string): Promise<HeaderBytes> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    throw failure(path, thrown, missing ? 'not_found' : 'unavailable');
  }
  try {
    const { size } = await handle.stat();
    const file = new HeaderFile(path, handle, size);
    if (size <= AHEAD_BYTES_MAX) await file.readAhead();
    return file;
  } catch (thrown) {
    await handle.close();
    if (thrown instanceof CodedError) throw thrown;
    throw failure(path, thrown, 'unavailable');
  }
}

function failure(path: string, thrown: unknown, code: 'not_found' | 'unavailable'): CodedError {
  return new CodedError(code, `read ${path}: ${errorText(thrown)}`, { cause: thrown });
}

class HeaderFile implements HeaderBytes {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;
  #ahead: Buffer | undefined;

  constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#handle = handle;
    this.size = size;
  }

  /** Reads all of it, for the reads until {@link opened}. */
  async readAhead(): Promise<void> {
    this.#ahead = await this.read(0, this.size);
  }

  opened(): void {
    this.#ahead = undefined;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (this.#ahead !== undefined)
      return Buffer.from(this.#ahead.subarray(offset, offset + length));
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#handle
        .read(bytes, done, length - done, offset + done)
        .catch((thrown: unknown): never => {
          throw failure(this.path, thrown, 'unavailable');
        });
      if (bytesRead === 0) {
        throw new CorruptionError('the file ends early', this.path, offset + done);
      }
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A header in memory. */
export class HeaderInMemory implements HeaderBytes {
  readonly path: string;
  readonly #bytes: Buffer;

  constructor(path: string, bytes: Buffer) {
    this.path = path;
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#bytes.subarray(offset, offset + length));
  }

  opened(): void {
    // It is in memory in any case.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
