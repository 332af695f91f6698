/** The messages of one direction of a stream, in order, with back-pressure: who does not read stops the sender. */
import type { Http2Stream } from 'node:http2';
import { MessageParser, type ParserOptions } from './message-parser.ts';
import type { GrpcError } from './status.ts';

/**
 * limit: bytes of whole messages that wait for their reader; then the stream stops, and with it the peer as soon as the
 * stream's window is full.
 */
const QUEUE_BYTES_MAX = 256 * 1024;

const END: IteratorResult<Uint8Array> = { done: true, value: undefined };

/** What a reader tells its call. */
export interface ReaderEvents {
  /** So many messages have come. */
  onMessages?(count: number): void;
  /** Bytes that are no messages: the call ends with this. */
  onError(thrown: unknown): void;
}

/**
 * Reads by `for await`, or by {@link nextBatch} where messages are small and many. Messages are views of received
 * memory, which may be much larger than they are: what is kept is copied. One reader at a time.
 */
export class MessageReader {
  #stream: Http2Stream | undefined;
  readonly #parser: MessageParser;
  readonly #events: ReaderEvents;
  #queue: Uint8Array[] = [];
  #head = 0;
  #queuedBytes = 0;
  #paused = false;
  #ended = false;
  #error: GrpcError | undefined;
  #waiting: { readonly resolve: () => void; readonly promise: Promise<void> } | undefined;

  constructor(options: ParserOptions, events: ReaderEvents) {
    this.#parser = new MessageParser(options);
    this.#events = events;
  }

  /** Begins to read a stream: the only one, or one that takes the place of another of which nothing came. */
  attach(stream: Http2Stream): void {
    this.#stream = stream;
    stream.on('data', (chunk: Uint8Array) => this.#onData(chunk));
  }

  /** The parser, for what becomes known with the headers. */
  get parser(): MessageParser {
    return this.#parser;
  }

  /** Whether all has been read and nothing can follow. */
  get isDrained(): boolean {
    return this.#ended && this.#head >= this.#queue.length;
  }

  /** No more messages will come; with an error, readers get it after those that are here. The first call counts. */
  finish(error?: GrpcError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Drops what has not been read, and what is still to come; readers get the error. */
  abort(error: GrpcError): void {
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    if (this.#ended) this.#error = error;
    this.finish(error);
    this.#resume();
  }

  /** The next message. @throws GrpcError when the stream ended with one. */
  async next(): Promise<IteratorResult<Uint8Array>> {
    while (this.#head >= this.#queue.length) {
      if (this.#ended) return this.#conclude();
      await this.#wait();
    }
    const value = this.#queue[this.#head++] as Uint8Array;
    this.#queuedBytes -= value.length;
    if (this.#head >= this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#resume();
    }
    return { done: false, value };
  }

  /**
   * All messages that are here, at least one; undefined at the end. The array is the caller's.
   * @throws GrpcError when the stream ended with one.
   */
  async nextBatch(): Promise<Uint8Array[] | undefined> {
    while (this.#head >= this.#queue.length) {
      if (this.#ended) {
        this.#conclude();
        return undefined;
      }
      await this.#wait();
    }
    const batch = this.#head === 0 ? this.#queue : this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    this.#resume();
    return batch;
  }

  #conclude(): IteratorResult<Uint8Array> {
    if (this.#error !== undefined) throw this.#error;
    return END;
  }

  #onData(chunk: Uint8Array): void {
    if (this.#ended) return;
    const before = this.#queue.length;
    try {
      this.#queuedBytes += this.#parser.push(chunk, this.#queue);
    } catch (thrown) {
      this.#events.onError(thrown);
      return;
    }
    const count = this.#queue.length - before;
    if (count === 0) return;
    this.#events.onMessages?.(count);
    if (this.#queuedBytes > QUEUE_BYTES_MAX && !this.#paused) {
      this.#paused = true;
      this.#stream?.pause();
    }
    this.#wake();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#stream?.resume();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }
}
