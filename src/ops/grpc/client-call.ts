/**
 * One call of a client.
 *
 *   waiting for a connection -> stream -> done    by the status, a failure, the signal, the timeout or cancel()
 *
 * A call that the server did not begin to process (it went away, or refused the stream) goes back to waiting, as long
 * as what was written can be written again.
 */
import { STATUS_CODES } from 'node:http';
import {
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  constants,
} from 'node:http2';
import { ACCEPTED_ENCODINGS, type GrpcCompression, compressionOf } from './compression.ts';
import type { ClientConnection } from './client-connection.ts';
import {
  CANCEL,
  CONTENT_TYPE,
  NO_ERROR,
  REFUSED_STREAM,
  isGrpcContentType,
} from './http2-settings.ts';
import { MessageReader } from './message-reader.ts';
import { type GrpcMessage, MessageWriter } from './message-writer.ts';
import { GrpcMetadata } from './metadata.ts';
import type { MethodMetrics } from './metrics.ts';
import {
  GrpcError,
  abortedCall,
  decodeGrpcMessage,
  grpcCodeOf,
  grpcCodeOfHttp,
  resetError,
} from './status.ts';
import { formatTimeout } from './timeout.ts';

/** limit: of Node's timers, 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** limit: how often a call begins anew that servers did not process. */
const ATTEMPTS_MAX = 10;

/** What a caller may say of a call. */
export interface CallOptions {
  /** Ends the call when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Time for the whole call in ms, of which the server is told. */
  readonly timeoutMs?: number | undefined;
  readonly metadata?: GrpcMetadata | undefined;
  /** Wait for a connection instead of failing while there is none. */
  readonly waitForReady?: boolean | undefined;
  /** Instead of the channel's. */
  readonly compression?: GrpcCompression | undefined;
}

/** What a channel gives its calls. */
export interface CallContext {
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  readonly userAgent: string;
  readonly messageBytesMax: number;
  readonly metrics: MethodMetrics | undefined;
  /** A connection for a new stream: at once where there is one. Rejects with the reason why there is none. */
  connect(waitForReady: boolean, signal: AbortSignal): ClientConnection | Promise<ClientConnection>;
}

/**
 * A call. Requests go by {@link write} and {@link end}, responses come by `for await` or {@link nextBatch}, which throw
 * a GrpcError unless the status is OK. Leaving the loop early cancels the call.
 */
export class ClientCall implements AsyncIterable<Uint8Array> {
  readonly path: string;
  readonly #context: CallContext;
  readonly #options: CallOptions;
  readonly #startMs = performance.now();
  readonly #headers = Promise.withResolvers<GrpcMetadata>();
  #attached = Promise.withResolvers<void>();
  /** The request of a call with one, for as long as it may have to be sent again. */
  #request: GrpcMessage | undefined;
  readonly #waiting = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #stream: ClientHttp2Stream | undefined;
  #writer: MessageWriter | undefined;
  #connection: ClientConnection | undefined;
  readonly #reader: MessageReader;
  #wrote = false;
  #responded = false;
  #ended = false;
  #done = false;
  #error: GrpcError | undefined;
  #status: { readonly error: GrpcError | undefined; readonly trailers: GrpcMetadata } | undefined;
  #trailers = new GrpcMetadata();

  /** `request` is the only one; without it the caller writes. */
  constructor(context: CallContext, path: string, options: CallOptions, request?: GrpcMessage) {
    this.#context = context;
    this.path = path;
    this.#options = options;
    this.#request = request;
    context.metrics?.started.inc();
    this.#reader = new MessageReader(
      { messageBytesMax: context.messageBytesMax, compression: 'identity' },
      {
        onMessages: (count) => {
          this.#connection?.heard();
          context.metrics?.received.inc(count);
        },
        onError: (thrown) => this.#finish(abortedCall(thrown)),
      },
    );
    const { signal, timeoutMs } = options;
    if (signal?.aborted === true) this.#onAbort();
    else if (timeoutMs !== undefined && timeoutMs <= 0) this.#expire();
    else {
      signal?.addEventListener('abort', this.#onAbort, { once: true });
      if (timeoutMs !== undefined) {
        this.#timer = setTimeout(() => this.#expire(), Math.min(timeoutMs, TIMER_MS_MAX));
      }
      this.#begin();
    }
  }

  /** What the server sent before its messages; empty when it failed before. */
  get headers(): Promise<GrpcMetadata> {
    return this.#headers.promise;
  }

  /** What came with the status; empty before. */
  get trailers(): GrpcMetadata {
    return this.#trailers;
  }

  /**
   * Sends a request; its parts are not changed afterwards. Resolves when there is room for the next.
   * @throws GrpcError with the status when the call has ended.
   */
  async write(message: GrpcMessage): Promise<void> {
    if (this.#stream === undefined) await this.#attached.promise;
    this.#throwIfDone();
    this.#wrote = true;
    this.#context.metrics?.sent.inc();
    await this.#writer?.write(message);
  }

  /** No more requests. */
  end(): void {
    this.#ended = true;
    this.#writer?.end();
  }

  /** Ends the call; its reader gets Canceled. */
  cancel(): void {
    this.#finish(new GrpcError('Canceled', 'context canceled'));
  }

  /** The next response. @throws GrpcError when the status is not OK. */
  next(): Promise<IteratorResult<Uint8Array>> {
    return this.#reader.next();
  }

  /** All responses that are here, at least one; undefined at the end. @throws GrpcError as {@link next}. */
  nextBatch(): Promise<Uint8Array[] | undefined> {
    return this.#reader.nextBatch();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.next(),
      return: () => {
        this.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** The only response. @throws GrpcError when the status is not OK, or there is not exactly one. */
  async onlyResponse(): Promise<Uint8Array> {
    const first = await this.next();
    if (first.done === true) {
      const text =
        'cardinality violation: received no response message from non-server-streaming RPC';
      throw new GrpcError('Internal', text);
    }
    const second = await this.next();
    if (second.done === true) return first.value;
    const text =
      'cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message';
    const error = new GrpcError('Internal', text);
    this.#finish(error);
    throw error;
  }

  readonly #onAbort = (): void => this.#finish(abortedCall(this.#options.signal?.reason));

  #expire(): void {
    this.#finish(new GrpcError('DeadlineExceeded', 'context deadline exceeded'));
  }

  #failure(): GrpcError {
    return this.#error ?? new GrpcError('Internal', 'the call has ended');
  }

  #throwIfDone(): void {
    if (this.#done) throw this.#failure();
  }

  /** Takes a connection and opens the stream; a promise only where there is none yet. */
  #begin(): void {
    const { waitForReady = false } = this.#options;
    try {
      const connection = this.#context.connect(waitForReady, this.#waiting.signal);
      if (connection instanceof Promise) {
        connection.then(
          (opened) => this.#open(opened),
          (thrown: unknown) => this.#finish(abortedCall(thrown)),
        );
      } else this.#open(connection);
    } catch (thrown) {
      this.#finish(abortedCall(thrown));
    }
  }

  #open(connection: ClientConnection): void {
    if (this.#done) return;
    const { metrics } = this.#context;
    let stream: ClientHttp2Stream;
    try {
      stream = connection.request(this.#requestHeaders());
    } catch (thrown) {
      if (thrown instanceof GrpcError) this.#finish(thrown);
      else this.#again(connection.error);
      return;
    }
    this.#stream = stream;
    this.#connection = connection;
    this.#writer = new MessageWriter(stream, this.#options.compression);
    this.#reader.attach(stream);
    stream.on('response', (headers, flags, raw?: string[]) => {
      connection.heard();
      this.#onResponse(headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, raw ?? []);
    });
    stream.on('trailers', (headers, _flags, raw?: string[]) =>
      this.#onTrailers(headers, raw ?? []),
    );
    stream.on('end', () => {
      if (this.#status !== undefined) this.#conclude();
    });
    stream.on('error', () => undefined); // followed by `close`
    stream.on('close', () => {
      if (this.#stream === stream) this.#onClose(stream, connection);
    });
    this.#attached.resolve();
    if (this.#request !== undefined) {
      void this.#writer.write(this.#request);
      if (this.#attempts === 0) metrics?.sent.inc();
      this.#ended = true;
    }
    if (this.#ended) this.#writer.end();
  }

  #requestHeaders(): OutgoingHttpHeaders {
    const { authority, scheme, userAgent } = this.#context;
    const { metadata, timeoutMs, compression = 'identity' } = this.#options;
    const headers: OutgoingHttpHeaders = {
      ':method': 'POST',
      ':scheme': scheme,
      ':authority': authority,
      ':path': this.path,
      te: 'trailers',
      'content-type': CONTENT_TYPE,
      'user-agent': userAgent,
      'grpc-accept-encoding': ACCEPTED_ENCODINGS,
    };
    if (compression !== 'identity') headers['grpc-encoding'] = compression;
    if (timeoutMs !== undefined) {
      const leftMs = this.#startMs + timeoutMs - performance.now();
      headers['grpc-timeout'] = formatTimeout(Math.max(leftMs, 0.001));
    }
    metadata?.writeTo(headers);
    return headers;
  }

  #onResponse(headers: IncomingHttpHeaders, last: boolean, raw: readonly string[]): void {
    if (this.#done) return;
    this.#responded = true;
    const type = headers['content-type'];
    if (!isGrpcContentType(type)) return this.#finish(foreignAnswer(headers));
    const metadata = GrpcMetadata.fromHeaders(raw);
    this.#headers.resolve(last ? new GrpcMetadata() : metadata);
    if (headers['grpc-status'] !== undefined) {
      this.#setStatus(headers, metadata);
      if (last) return;
    }
    const encoding = String(headers['grpc-encoding'] ?? '');
    const compression = compressionOf(encoding);
    if (compression === undefined) {
      const name = JSON.stringify(encoding);
      const text = `grpc: Decompressor is not installed for grpc-encoding ${name}`;
      return this.#finish(new GrpcError('Internal', text));
    }
    this.#reader.parser.compression = compression;
  }

  #onTrailers(headers: IncomingHttpHeaders, raw: readonly string[]): void {
    this.#setStatus(headers, GrpcMetadata.fromHeaders(raw));
    if (this.#stream?.readableEnded === true) this.#conclude();
  }

  #setStatus(headers: IncomingHttpHeaders, trailers: GrpcMetadata): void {
    const text = headers['grpc-status'];
    if (text === undefined) return;
    const number = Number(text);
    if (!/^\d+$/.test(String(text))) {
      const reason = `transport: malformed grpc-status: ${JSON.stringify(text)}`;
      this.#status = { error: new GrpcError('Unknown', reason), trailers };
      return;
    }
    const message = decodeGrpcMessage(String(headers['grpc-message'] ?? ''));
    const error =
      number === 0 ? undefined : new GrpcError(grpcCodeOf(number), message, { metadata: trailers });
    this.#status = { error, trailers };
  }

  /** The status is known and all messages are here. */
  #conclude(): void {
    if (this.#done || this.#status === undefined) return;
    this.#trailers = this.#status.trailers;
    const inside = this.#reader.parser.isInside;
    const cut = inside ? new GrpcError('Internal', 'unexpected EOF') : undefined;
    this.#finish(this.#status.error ?? cut);
  }

  #onClose(stream: ClientHttp2Stream, connection: ClientConnection): void {
    if (this.#done) return;
    if (this.#status !== undefined) return this.#conclude();
    const { rstCode } = stream;
    if (rstCode === REFUSED_STREAM && !this.#responded) return this.#again(resetError(rstCode));
    // Node resets the streams of a connection that it loses.
    if (connection.isDestroyed) return this.#finish(connection.error);
    const error =
      rstCode === NO_ERROR
        ? new GrpcError('Internal', 'server closed the stream without sending trailers')
        : resetError(rstCode);
    this.#finish(error);
  }

  /** Nothing was processed: begins anew where that is possible. */
  #again(error: GrpcError): void {
    const possible = this.#request !== undefined || !this.#wrote;
    if (!possible || ++this.#attempts >= ATTEMPTS_MAX) return this.#finish(error);
    this.#stream = undefined;
    this.#attached = Promise.withResolvers<void>();
    this.#begin();
  }

  /** Ends the call, once. */
  #finish(error: GrpcError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#request = undefined;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#waiting.abort(error);
    const seconds = (performance.now() - this.#startMs) / 1000;
    this.#context.metrics?.handled(error?.grpcCode ?? 'OK', seconds);
    if (this.#status === undefined && error !== undefined) this.#reader.abort(error);
    else this.#reader.finish(error);
    this.#headers.resolve(new GrpcMetadata());
    this.#attached.resolve();
    this.#writer?.close(error ?? new GrpcError('Internal', 'the call has ended'));
    const stream = this.#stream;
    if (stream === undefined || stream.closed || stream.destroyed) return;
    if (this.#status !== undefined && stream.writableEnded) return;
    // Node ends a stream that it resets, and the server would take half of the requests for all of them.
    if (!stream.writableEnded) Object.assign(stream, { _final: (done: () => void) => done() });
    stream.close(this.#status === undefined ? CANCEL : NO_ERROR);
  }
}

/** The error for an answer of something that does not speak gRPC. Texts: grpc-go internal/transport. */
function foreignAnswer(headers: IncomingHttpHeaders): GrpcError {
  const status = Number(headers[':status'] ?? 0);
  const type = headers['content-type'];
  const content =
    type === undefined
      ? 'malformed header: missing HTTP content-type'
      : `transport: received unexpected content-type ${JSON.stringify(type)}`;
  const text = `unexpected HTTP status code received from server: ${status} (${STATUS_CODES[status] ?? ''})`;
  return new GrpcError(grpcCodeOfHttp(status), `${text}; ${content}`);
}
