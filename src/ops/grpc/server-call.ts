/**
 * One call on the server: reads requests, runs the handler, sends its answer and its status.
 *
 *   running -> done    by the handler's return or throw, the deadline, bytes that are no messages, or the client's leave
 *
 * The first of these decides the status; what comes later is dropped.
 */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { errorText } from '../../lib/errors.ts';
import type { CallObserver, CallWatch } from './call-observer.ts';
import { type GrpcCompression, ACCEPTED_ENCODINGS } from './compression.ts';
import { CANCEL, CONTENT_TYPE, NO_ERROR } from './http2-settings.ts';
import { MessageReader } from './message-reader.ts';
import { type GrpcMessage, MessageWriter } from './message-writer.ts';
import { GrpcMetadata } from './metadata.ts';
import type { GrpcKind, MethodMetrics } from './metrics.ts';
import {
  GrpcError,
  abortedCall,
  encodeGrpcMessage,
  grpcCodeNumber,
  grpcErrorOf,
} from './status.ts';

/** limit: of Node's timers, 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** How long a client has to close a stream that was answered. */
const LATE_CLOSE_MS = 1000;

/** What a handler knows of its call. */
export interface ServerCall {
  /** `/service/method`. */
  readonly path: string;
  /** The client's address and port. */
  readonly peer: string;
  /** What the client sent. */
  readonly metadata: GrpcMetadata;
  /** Fires when nobody waits for the answer any more; its reason is a GrpcError. */
  readonly signal: AbortSignal;
  /** When the client stops waiting, in ms since the epoch. */
  readonly deadline: number | undefined;
  /** Sent before the first message: what is added later is lost. */
  readonly headers: GrpcMetadata;
  /** Sent with the status. */
  readonly trailers: GrpcMetadata;
}

/** The call of a handler that answers with any number of messages. */
export interface ServerStreamCall extends ServerCall {
  /**
   * Sends a message, whose parts the handler does not change afterwards. Resolves when there is room for the next; waits
   * while the client does not read.
   * @throws GrpcError with the reason when nobody waits for the answer any more, ResourceExhausted above 2 GiB.
   */
  write(message: GrpcMessage): Promise<void>;
}

/** The requests of a client that streams. */
export interface GrpcMessages extends AsyncIterable<Uint8Array> {
  /** All messages that are here, at least one; undefined at the end. */
  nextBatch(): Promise<Uint8Array[] | undefined>;
}

/** What answers the calls of each kind. A thrown GrpcError or CodedError becomes the status. */
export interface GrpcHandlers {
  unary: (call: ServerCall, request: Uint8Array) => Promise<GrpcMessage>;
  'server-stream': (call: ServerStreamCall, request: Uint8Array) => Promise<void>;
  'client-stream': (call: ServerCall, requests: GrpcMessages) => Promise<GrpcMessage>;
  bidi: (call: ServerStreamCall, requests: GrpcMessages) => Promise<void>;
}

/** A handler with its kind. */
export type GrpcHandler = {
  readonly [K in GrpcKind]: { readonly kind: K; readonly handle: GrpcHandlers[K] };
}[GrpcKind];

/** What a call is made of. */
export interface ActiveCallOptions {
  readonly stream: ServerHttp2Stream;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly peer: string;
  readonly timeoutMs: number | undefined;
  readonly handler: GrpcHandler;
  readonly metrics: MethodMetrics;
  readonly messageBytesMax: number;
  /** Of the client's messages. */
  readonly received: GrpcCompression;
  /** Of ours. */
  readonly sent: GrpcCompression;
  /** Something was sent. */
  readonly onSend: () => void;
  readonly observer: CallObserver | undefined;
  /** The handler threw what is a bug. */
  readonly onPanic: (thrown: unknown) => void;
}

/** A call from its headers to its status. */
export class ActiveCall implements ServerStreamCall, GrpcMessages {
  readonly path: string;
  readonly peer: string;
  readonly deadline: number | undefined;
  readonly headers: GrpcMetadata = new GrpcMetadata();
  readonly trailers: GrpcMetadata = new GrpcMetadata();
  readonly #options: ActiveCallOptions;
  readonly #stream: ServerHttp2Stream;
  readonly #reader: MessageReader;
  readonly #writer: MessageWriter;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #metadata: GrpcMetadata | undefined;
  #watch: CallWatch | undefined;
  #controller: AbortController | undefined;
  /** Why nobody waits for the answer. */
  #aborted: GrpcError | undefined;
  #done = false;
  #responded = false;
  #status: OutgoingHttpHeaders = {};

  constructor(options: ActiveCallOptions) {
    const { stream, timeoutMs, metrics, messageBytesMax } = options;
    this.#options = options;
    this.#stream = stream;
    this.path = options.path;
    this.peer = options.peer;
    this.#writer = new MessageWriter(stream, options.sent, options.onSend);
    this.#reader = new MessageReader(
      { messageBytesMax, compression: options.received },
      {
        onMessages: (count) => metrics.received.inc(count),
        onError: (thrown) => this.#fail(thrown),
      },
    );
    this.#reader.attach(stream);
    stream.on('end', () => this.#onEnd());
    stream.on('error', () => undefined); // followed by `close`
    stream.on('close', () => this.#onClose());
    stream.on('wantTrailers', () => stream.sendTrailers(this.#status));
    if (timeoutMs !== undefined) {
      this.deadline = Date.now() + timeoutMs;
      this.#timer = setTimeout(() => this.#expire(), Math.min(timeoutMs, TIMER_MS_MAX));
    }
  }

  get metadata(): GrpcMetadata {
    this.#metadata ??= GrpcMetadata.fromHeaders(this.#options.rawHeaders);
    return this.#metadata;
  }

  get signal(): AbortSignal {
    // perf: made at the first look; most unary handlers end before anybody could cancel.
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    return this.#controller.signal;
  }

  write(message: GrpcMessage): Promise<void> {
    if (!this.#done && !this.#responded) this.#respond();
    if (!this.#done) this.#options.metrics.sent.inc();
    return this.#writer.write(message);
  }

  nextBatch(): Promise<Uint8Array[] | undefined> {
    return this.#reader.nextBatch();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#reader.next() };
  }

  /** Runs the handler; resolves when it has returned. Never rejects. */
  async run(): Promise<void> {
    const { metrics, observer } = this.#options;
    metrics.started.inc();
    try {
      await (observer === undefined ? this.#handle() : this.#handleWatched(observer));
      this.#finish(undefined);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #handleWatched(observer: CallObserver): Promise<void> {
    const { path, peer, metadata, deadline } = this;
    const { kind } = this.#options.handler;
    this.#watch = observer({ path, kind, peer, metadata, deadline });
    return this.#watch.within(() => this.#handle());
  }

  async #handle(): Promise<void> {
    const { handler } = this.#options;
    switch (handler.kind) {
      case 'unary':
        await this.write(await handler.handle(this, await this.#onlyRequest()));
        break;
      case 'server-stream':
        await handler.handle(this, await this.#onlyRequest());
        break;
      case 'client-stream':
        await this.write(await handler.handle(this, this));
        break;
      case 'bidi':
        await handler.handle(this, this);
    }
  }

  /** Texts: grpc-go stream.go. */
  async #onlyRequest(): Promise<Uint8Array> {
    const wrong = (what: string): GrpcError =>
      new GrpcError(
        'Internal',
        `cardinality violation: received ${what} for non-client-streaming RPC`,
      );
    const first = await this.#reader.next();
    if (first.done === true) throw wrong('no request message');
    const second = await this.#reader.next();
    if (second.done !== true) throw wrong('multiple request messages');
    return first.value;
  }

  /**
   * All requests are here. limit: clients on Node (grpc-js) that cancel end the stream before they reset it, and their
   * half passes for all.
   */
  #onEnd(): void {
    if (this.#stream.aborted) return; // `close` follows
    if (this.#reader.parser.isInside) this.#fail(new GrpcError('Internal', 'unexpected EOF'));
    else this.#reader.finish();
  }

  #onClose(): void {
    clearTimeout(this.#timer);
    const error = new GrpcError('Canceled', 'context canceled');
    if (!this.#done) this.#abort(error);
    this.#writer.close(error);
  }

  #expire(): void {
    if (this.#done) return;
    const error = new GrpcError('DeadlineExceeded', 'context deadline exceeded');
    // Behind messages that the client does not take, a status would never arrive.
    if (this.#writer.pendingBytes === 0) this.#finish(error);
    else {
      this.#status = statusHeaders(error);
      this.#stream.close(CANCEL);
    }
    this.#abort(error);
  }

  #abort(error: GrpcError): void {
    this.#aborted = error;
    this.#conclude(error);
    this.#controller?.abort(error);
    this.#reader.abort(error);
    this.#writer.close(error);
  }

  /** Ends the call by what was thrown. */
  #fail(thrown: unknown): void {
    const error = grpcErrorOf(thrown);
    const stopped = this.#aborted !== undefined && isAbortError(thrown);
    if (error === undefined && !stopped) this.#options.onPanic(thrown);
    const answer = error ?? (stopped ? abortedCall(thrown) : undefined);
    this.#finish(answer ?? new GrpcError('Internal', errorText(thrown), { cause: thrown }));
  }

  /** Counts the end, once. Answers whether it is the first. */
  #conclude(error: GrpcError | undefined): boolean {
    if (this.#done) return false;
    this.#done = true;
    clearTimeout(this.#timer);
    const durationMs = performance.now() - this.#startMs;
    this.#options.metrics.handled(error?.grpcCode ?? 'OK', durationMs / 1000);
    this.#watch?.end(error, durationMs);
    return true;
  }

  /** Sends the status. */
  #finish(error: GrpcError | undefined): void {
    if (!this.#conclude(error)) return;
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.#status = statusHeaders(error, this.trailers);
    this.#options.onSend();
    if (this.#responded || error === undefined) {
      if (!this.#responded) this.#respond();
      this.#writer.end();
    } else {
      stream.respond({ ...this.#answerHeaders(), ...this.#status }, { endStream: true });
    }
    if (this.#reader.isDrained) return;
    // What was on its way is taken off the connection's window and dropped.
    this.#reader.abort(new GrpcError('Canceled', 'context canceled'));
    closeLater(stream);
  }

  #respond(): void {
    this.#responded = true;
    this.#stream.respond(this.#answerHeaders(), { waitForTrailers: true });
  }

  #answerHeaders(): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = { ':status': 200, 'content-type': CONTENT_TYPE };
    const { sent } = this.#options;
    if (sent !== 'identity') headers['grpc-encoding'] = sent;
    headers['grpc-accept-encoding'] = ACCEPTED_ENCODINGS;
    if (this.headers.size > 0) this.headers.writeTo(headers);
    return headers;
  }
}

/**
 * For a stream that is answered while the client may still be sending. A reset right behind the status would overtake
 * it, and clients close the stream when they see the status: this is for those that do not.
 */
export function closeLater(stream: ServerHttp2Stream): void {
  const timer = setTimeout(() => stream.close(NO_ERROR), LATE_CLOSE_MS);
  stream.once('close', () => clearTimeout(timer));
}

/** The status as headers. */
export function statusHeaders(
  error: GrpcError | undefined,
  trailers?: GrpcMetadata,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'grpc-status': String(error === undefined ? 0 : grpcCodeNumber(error.grpcCode)),
  };
  if (error !== undefined && error.message !== '') {
    headers['grpc-message'] = encodeGrpcMessage(error.message);
  }
  if (trailers !== undefined && trailers.size > 0) trailers.writeTo(headers);
  error?.metadata?.writeTo(headers);
  return headers;
}

function isAbortError(thrown: unknown): boolean {
  return (
    thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError')
  );
}
