/** The content of an object as it comes over HTTP. A connection that breaks is made anew where the content stopped. */
import { abortError, orAbort, throwIfAborted } from '../../lib/abort.ts';
import { CodedError } from '../../lib/errors.ts';
import type { ObjectStream } from '../bucket.ts';
import { discard, headerText, type OpenAnswer } from './object-client.ts';
import { connectionError, type RequestContext } from './store-error.ts';

/** limit: so many broken connections of one content are made up for, if each has brought some bytes. */
const RESUMES_MAX = 5;

/** Where the rest of a content comes from. */
export interface StreamSource {
  readonly context: RequestContext;
  readonly signal: AbortSignal | undefined;
  /** Opens the content from an offset on, as long as its ETag is the same. */
  resume(offset: number, etag: string): Promise<OpenAnswer>;
}

/** The bytes of one answer and, where it breaks off, of others. */
export class HttpStream implements ObjectStream {
  readonly size: number;
  readonly #source: StreamSource;
  readonly #etag: string | undefined;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  #answer: OpenAnswer;
  #at = 0;

  /** Takes over an answer of so many bytes. */
  constructor(answer: OpenAnswer, size: number, source: StreamSource) {
    this.size = size;
    this.#answer = answer;
    this.#source = source;
    this.#etag = headerText(answer.headers, 'etag');
    this.#chunks = this.#read();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
    this.#discard();
  }

  #discard(): void {
    discard(this.#answer, this.size - this.#at);
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, context } = this.#source;
    try {
      for (let resumes = 0; ; resumes++) {
        const from = this.#at;
        try {
          yield* this.#readAnswer();
          return;
        } catch (thrown) {
          if (thrown instanceof TooLong) throw thrown;
          const hopeless = this.#at === from || resumes >= RESUMES_MAX;
          if (this.#etag === undefined || hopeless || signal?.aborted === true) {
            throw this.#broken(thrown);
          }
          this.#answer = await this.#source
            .resume(this.#at, this.#etag)
            .catch((failed: unknown): never => {
              throw this.#broken(failed);
            });
        }
      }
    } catch (thrown) {
      throw connectionError(thrown, { ...context, tries: 1 }, signal);
    } finally {
      this.#discard();
    }
  }

  /** Throws unless the content is whole at the end. */
  async *#readAnswer(): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = this.#source;
    const iterator: AsyncIterator<Buffer> = this.#answer.body.iterator({ destroyOnReturn: false });
    try {
      for (;;) {
        throwIfAborted(signal);
        const next = await orAbort(iterator.next(), signal);
        if (next.done === true) break;
        this.#at += next.value.length;
        if (this.#at > this.size) throw new TooLong(`more than the ${this.size} bytes announced`);
        yield next.value;
      }
    } finally {
      // Not waited for: behind a read that hangs it would wait, too. Without it the rest could not be drained.
      iterator.return?.().catch(() => undefined);
    }
    // A last look, so that an abort is not overlooked behind the last chunk.
    throwIfAborted(signal);
    if (this.#at < this.size) throw new Error('the answer ended early');
  }

  #broken(thrown: unknown): CodedError {
    const { signal, context } = this.#source;
    if (signal?.aborted === true) return abortError(signal);
    const { message } = connectionError(thrown, { ...context, tries: 1 }, signal);
    const text = `${message}, after ${this.#at} of ${this.size} bytes`;
    return new CodedError('unavailable', text, { cause: thrown });
  }
}

class TooLong extends CodedError {
  constructor(message: string) {
    super('unavailable', `the store sends ${message}`);
  }
}
