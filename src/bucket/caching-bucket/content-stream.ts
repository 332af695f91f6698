/** Contents of objects on their way through a cache. */
import { throwIfAborted } from '../../lib/abort.ts';
import type { ObjectStream } from '../../objstore/bucket.ts';

/** Content that was cached. */
export class CachedStream implements ObjectStream {
  readonly size: number;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(bytes: Uint8Array, signal: AbortSignal | undefined) {
    this.size = bytes.length;
    this.#chunks = oneCopy(bytes, signal);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
  }
}

/** A copy: chunks belong to whoever reads, cached bytes do not. */
async function* oneCopy(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  throwIfAborted(signal);
  if (bytes.length > 0) yield new Uint8Array(bytes);
}

/** Hands the whole content over once it has been read to its end, unless it is longer than `bytesMax`. */
export class KeepingStream implements ObjectStream {
  readonly size: number;
  readonly #stream: ObjectStream;
  readonly #bytesMax: number;
  readonly #keep: (bytes: Uint8Array) => void;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(stream: ObjectStream, bytesMax: number, keep: (bytes: Uint8Array) => void) {
    this.size = stream.size;
    this.#stream = stream;
    this.#bytesMax = bytesMax;
    this.#keep = keep;
    this.#chunks = this.#read();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
    await this.#stream[Symbol.asyncDispose]();
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    let kept: Uint8Array[] | undefined = this.size > this.#bytesMax ? undefined : [];
    let size = 0;
    for await (const chunk of this.#stream) {
      size += chunk.length;
      if (size > this.#bytesMax) kept = undefined;
      // A copy: the reader may change its own.
      kept?.push(new Uint8Array(chunk));
      yield chunk;
    }
    if (kept !== undefined && size === this.size) this.#keep(Buffer.concat(kept));
  }
}
