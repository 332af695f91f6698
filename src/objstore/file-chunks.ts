/** Local files as streams of chunks: what buckets send, and what a bucket on a disk hands out. */
import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../lib/abort.ts';
import { CodedError } from '../lib/errors.ts';
import type { ObjectStream } from './bucket.ts';

/** limit: 256 KiB in flight a stream; larger chunks were no faster, smaller ones cost a thread-pool turn more often. */
const CHUNK_BYTES = 256 * 1024;

/** Which part of a file to read, and how. */
export interface FileChunkOptions {
  /** Bytes from the start of the file on; less is an error. */
  readonly size: number;
  /** For messages. */
  readonly path: string;
  /** Whether chunks share one buffer, so that each is overwritten by the next. */
  readonly reuse: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a file from its start. The handle stays open. @throws CodedError canceled; unavailable when it ends early. */
export async function* fileChunks(
  handle: FileHandle,
  options: FileChunkOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, path, reuse, signal } = options;
  let buffer: Buffer | undefined;
  for (let at = 0; at < size;) {
    throwIfAborted(signal);
    if (buffer === undefined || !reuse) {
      buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, size - at));
    }
    const length = Math.min(buffer.length, size - at);
    const { bytesRead } = await handle.read(buffer, 0, length, at);
    if (bytesRead === 0) {
      throw new CodedError('unavailable', `${path} ended at byte ${at} of ${size}`);
    }
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
  throwIfAborted(signal);
}

/** An open file as an object's content; closes the file when it is read, given up or disposed. */
export class FileStream implements ObjectStream {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  #closed: Promise<void> | undefined;

  /** Takes over the handle. */
  constructor(handle: FileHandle, options: FileChunkOptions) {
    this.size = options.size;
    this.#handle = handle;
    this.#chunks = this.#read(options);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
    // A generator that was never started does not run its finally block.
    await this.#close();
  }

  async *#read(options: FileChunkOptions): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* fileChunks(this.#handle, options);
    } finally {
      await this.#close();
    }
  }

  #close(): Promise<void> {
    this.#closed ??= this.#handle.close();
    return this.#closed;
  }
}
