/** The content of an object with somebody who looks at it as it is read. */
import type { ObjectStream } from './bucket.ts';

/** Who looks. */
export interface StreamObserver {
  /** A chunk has come, of so many bytes. */
  read(bytes: number): void;
  /** Called once: with what was thrown, or without when the content was read, given up or disposed. */
  ended(thrown?: unknown): void;
}

/** Passes a stream on. */
export class ObservedStream implements ObjectStream {
  readonly size: number;
  readonly #stream: ObjectStream;
  readonly #observer: StreamObserver;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  #isOver = false;

  constructor(stream: ObjectStream, observer: StreamObserver) {
    this.size = stream.size;
    this.#stream = stream;
    this.#observer = observer;
    this.#chunks = this.#read();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
    this.#end();
    await this.#stream[Symbol.asyncDispose]();
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#stream) {
        this.#observer.read(chunk.length);
        yield chunk;
      }
    } catch (thrown) {
      this.#end(thrown);
      throw thrown;
    } finally {
      this.#end();
    }
  }

  #end(thrown?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#observer.ended(thrown);
  }
}
