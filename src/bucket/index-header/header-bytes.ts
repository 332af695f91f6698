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
  close(): Promise<void>;
}

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
    return new HeaderFile(path, handle, (await handle.stat()).size);
  } catch (thrown) {
    await handle.close();
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

  constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#handle = handle;
    this.size = size;
  }

  async read(offset: number, length: number): Promise<Buffer> {
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

  close(): Promise<void> {
    return Promise.resolve();
  }
}
