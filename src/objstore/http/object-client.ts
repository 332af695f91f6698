/** Sends the requests of an {@link ObjectApi}: signs, tries again, turns answers that say no into errors. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { orAbort, throwIfAborted } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { backoffMs, type Sleep } from './backoff.ts';
import type { ObjectApi, StoreAnswer, StoreHeaders, StoreRequest } from './object-api.ts';
import type { Payload } from './payload.ts';
import { connectionError, type RequestContext, storeError, StoreError } from './store-error.ts';

/** limit: bodies of this size go out in one write; longer ones in pieces, which keep a slow connection from timing out. */
const WHOLE_BODY_BYTES = 1024 * 1024;
/** limit: answers that are read whole (listings, errors); a page of 1000 long names has 2 MiB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** limit: of what is left in an answer that nobody wants, to keep its connection. */
const DRAIN_BYTES = 128 * 1024;

/** What a client works with. */
export interface ObjectClientOptions {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** Where each request is logged, for debugging. */
  readonly trace?: Logger | undefined;
  /** Instead of the API's number. */
  readonly triesMax?: number;
}

/** An answer whose body has not been read. Whoever gets it reads it to its end or calls {@link discard}. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: StoreHeaders;
  readonly body: Readable;
}

/** What to do with an answer of 2xx inside of the tries: throwing makes for another one. */
export type Consume<T> = (answer: OpenAnswer) => Promise<T>;

/** The client of one bucket. */
export class ObjectClient {
  readonly #api: ObjectApi;
  readonly #options: ObjectClientOptions;

  constructor(api: ObjectApi, options: ObjectClientOptions) {
    this.#api = api;
    this.#options = options;
  }

  /** Sends and reads the answer. @throws CodedError as Bucket says; canceled. */
  send(
    request: StoreRequest,
    operation: string,
    signal: AbortSignal | undefined,
  ): Promise<StoreAnswer> {
    return this.run(request, operation, signal, readAnswer);
  }

  /** Sends and hands the answer on; what `consume` throws, but for an abort, is tried again. */
  async run<T>(
    request: StoreRequest,
    operation: string,
    signal: AbortSignal | undefined,
    consume: Consume<T>,
  ): Promise<T> {
    const { name: bucket, retries } = this.#api;
    const { triesMax = retries.triesMax, clock } = this.#options;
    const context: RequestContext = { operation, object: request.object, bucket };
    let recovered = false;
    for (let tries = 1; ; tries++) {
      throwIfAborted(signal);
      let retryAfter: string | undefined;
      let error: CodedError;
      let again: boolean;
      try {
        const answer = await this.#once(request, signal);
        const isGood = answer.status < 300 || request.accepts?.includes(answer.status) === true;
        if (isGood) return await consume(answer);
        retryAfter = headerText(answer.headers, 'retry-after');
        const failure = this.#api.failure(request, await readAnswer(answer));
        if (!recovered && (await this.#api.recover?.(failure, signal)) === true) {
          recovered = true;
          continue;
        }
        const hint = this.#api.accessHint?.() ?? '';
        error = storeError(failure, { ...context, tries, hint });
        again = failure.retriable;
      } catch (thrown) {
        error = connectionError(thrown, { ...context, tries }, signal);
        // Errors of ours are about the content to send, or final; others are the connection's.
        again = !(thrown instanceof CodedError);
      }
      throwIfAborted(signal);
      if (!again || tries >= triesMax) throw error;
      const wait = backoffMs(tries, { ...retries, retryAfter, now: clock.now() });
      if (wait === undefined) throw error;
      await this.#options.sleep(wait, signal);
    }
  }

  async #once(request: StoreRequest, signal: AbortSignal | undefined): Promise<OpenAnswer> {
    const { clock, dispatcher, trace } = this.#options;
    const started = clock.monotonic();
    const wire = await orAbort(this.#api.sign(request, clock.now(), signal), signal);
    const { body } = request;
    const { tryMs } = this.#api.retries;
    const outgoing = body === undefined ? undefined : bodyOf(body, signal);
    try {
      const answer = await dispatcher.request({
        origin: wire.origin,
        path: wire.path,
        method: request.method,
        headers:
          body === undefined
            ? wire.headers
            : { ...wire.headers, 'content-length': String(body.size) },
        body: outgoing ?? null,
        ...(tryMs === undefined ? {} : { headersTimeout: tryMs }),
        ...(signal === undefined ? {} : { signal }),
      });
      // Someone must listen, or a connection that breaks while nobody reads ends the process.
      answer.body.on('error', () => undefined);
      trace?.debug('request', {
        method: request.method,
        url: wire.origin + wire.path,
        status: answer.statusCode,
        duration: `${(clock.monotonic() - started).toFixed(1)}ms`,
      });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (thrown) {
      // What reading the content has thrown is the reason, not what became of the connection.
      if (outgoing instanceof Readable && outgoing.errored instanceof CodedError) {
        throw outgoing.errored;
      }
      throw thrown;
    } finally {
      if (outgoing instanceof Readable && signal?.aborted === true) outgoing.destroy();
    }
  }
}

function bodyOf(payload: Payload, signal: AbortSignal | undefined): Buffer | Uint8Array | Readable {
  const { bytes } = payload;
  if (bytes !== undefined && bytes.length <= WHOLE_BODY_BYTES) return bytes;
  return Readable.from(payload.chunks(signal), { objectMode: false });
}

/** An answer that is shorter than it says, or not what it should be: another try may bring it whole. */
export class BrokenAnswer extends Error {}

/** Reads an answer to its end. @throws BrokenAnswer. */
async function readAnswer(answer: OpenAnswer): Promise<StoreAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new BrokenAnswer('the answer is too long');
  }
  return { status: answer.status, headers: answer.headers, body: Buffer.concat(chunks, length) };
}

/** Gives up what is left of an answer: a little is read so that its connection can be used again. */
export function discard(answer: OpenAnswer, left: number): void {
  const { body } = answer;
  if (body.readableEnded || body.destroyed) return;
  if (left > DRAIN_BYTES) body.destroy();
  else body.resume();
}

/** The text of a header that is there at most once. */
export function headerText(headers: StoreHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Whether a request failed with one of these codes of the store's. */
export function hasStoreCode(thrown: unknown, ...codes: readonly string[]): boolean {
  return thrown instanceof StoreError && codes.includes(thrown.failure.code);
}
