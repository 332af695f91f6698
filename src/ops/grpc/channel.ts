/**
 * A client of one server: at most one connection at a time that takes new calls, made at the first call and again when
 * it is lost, with a growing wait between attempts that fail.
 *
 *   idle -> connecting -> ready -> (goaway, loss) idle
 *               \-> failed until the wait is over: calls fail at once with the reason, unless they wait for ready
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../lib/log.ts';
import type { ClientTls } from '../tls-files.ts';
import { Backoff, type BackoffOptions, DEFAULT_BACKOFF } from './backoff.ts';
import { ClientCall, type CallContext, type CallOptions } from './client-call.ts';
import { ClientConnection } from './client-connection.ts';
import type { GrpcCompression } from './compression.ts';
import { dial, parseDialAddress } from './dial.ts';
import type { GrpcMessage } from './message-writer.ts';
import type { GrpcClientMetrics, GrpcKind } from './metrics.ts';
import { GrpcError } from './status.ts';

/** What a channel is made of. All has Thanos' or grpc-go's defaults. */
export interface GrpcChannelOptions {
  readonly log?: Logger | undefined;
  readonly metrics?: GrpcClientMetrics | undefined;
  readonly tls?: ClientTls | undefined;
  /** Of requests; the server decides about responses. */
  readonly compression?: GrpcCompression | undefined;
  /** Silence, while there are calls, after which the server is pinged; Infinity for never. 10 s. */
  readonly keepaliveMs?: number;
  /** How long it may take to answer. 5 s. */
  readonly keepaliveTimeoutMs?: number;
  /** limit: bytes of a response message. */
  readonly messageBytesMax?: number;
  readonly backoff?: Partial<BackoffOptions>;
  /** limit: for an attempt to connect. 20 s. */
  readonly connectTimeoutMs?: number;
  readonly userAgent?: string;
}

/** limit: Go's math.MaxInt32. */
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;

/** A channel to `host:port`. Nothing is connected before the first call. */
export class GrpcChannel {
  readonly address: string;
  readonly #options: GrpcChannelOptions;
  readonly #backoff: Backoff;
  readonly #connections = new Set<ClientConnection>();
  #keepaliveMs: number;
  #current: ClientConnection | undefined;
  #connecting: Promise<ClientConnection> | undefined;
  /** Until when, on the monotonic clock, and why calls fail. */
  #failed: { readonly untilMs: number; readonly error: GrpcError } | undefined;
  #closed = false;

  /** @throws CodedError bad_data when the address is none. */
  constructor(address: string, options: GrpcChannelOptions = {}) {
    parseDialAddress(address);
    this.address = address;
    this.#options = options;
    this.#keepaliveMs = options.keepaliveMs ?? 10_000;
    this.#backoff = new Backoff({ ...DEFAULT_BACKOFF, ...options.backoff }, Math.random);
  }

  /** Whether there is a connection that takes calls. */
  get isReady(): boolean {
    return this.#current?.isUsable === true;
  }

  /** One request, one response. @throws GrpcError */
  unary(path: string, request: GrpcMessage, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#call('unary', path, options, request).onlyResponse();
  }

  /** One request, any number of responses: read them, or cancel. */
  serverStream(path: string, request: GrpcMessage, options: CallOptions = {}): ClientCall {
    return this.#call('server-stream', path, options, request);
  }

  /** Any number of requests: `write` them, `end`, and take `onlyResponse`. */
  clientStream(path: string, options: CallOptions = {}): ClientCall {
    return this.#call('client-stream', path, options);
  }

  /** Both ways at once. */
  bidi(path: string, options: CallOptions = {}): ClientCall {
    return this.#call('bidi', path, options);
  }

  /** A call of one request whose headers and trailers matter: take `onlyResponse`. */
  unaryCall(path: string, request: GrpcMessage, options: CallOptions = {}): ClientCall {
    return this.#call('unary', path, options, request);
  }

  /** Ends all calls with Canceled, and the connections. */
  close(): void {
    this.#closed = true;
    const error = closing();
    for (const connection of this.#connections) connection.destroy(error);
    this.#connections.clear();
    this.#current = undefined;
  }

  #call(kind: GrpcKind, path: string, options: CallOptions, request?: GrpcMessage): ClientCall {
    const { tls, userAgent = 'thanos-ts', metrics, messageBytesMax, compression } = this.#options;
    const context: CallContext = {
      authority: this.address,
      scheme: tls === undefined ? 'http' : 'https',
      userAgent,
      messageBytesMax: messageBytesMax ?? MESSAGE_BYTES_MAX,
      metrics: metrics?.method(path, kind),
      connect: (wait, signal) => this.#connection(wait, signal),
    };
    return new ClientCall(context, path, { compression, ...options }, request);
  }

  #connection(
    waitForReady: boolean,
    signal: AbortSignal,
  ): ClientConnection | Promise<ClientConnection> {
    if (this.#closed) throw closing();
    if (this.#current?.isUsable === true) return this.#current;
    return waitForReady ? this.#whenReady(signal) : this.#connect();
  }

  async #whenReady(signal: AbortSignal): Promise<ClientConnection> {
    for (;;) {
      if (this.#current?.isUsable === true) return this.#current;
      const waitMs = (this.#failed?.untilMs ?? 0) - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal });
      try {
        return await this.#connect();
      } catch (thrown) {
        if (signal.aborted || this.#closed) throw thrown;
      }
    }
  }

  /** The attempt at hand, or a new one. */
  #connect(): Promise<ClientConnection> {
    if (this.#closed) throw closing();
    if (this.#connecting !== undefined) return this.#connecting;
    if (this.#failed !== undefined && performance.now() < this.#failed.untilMs) {
      throw this.#failed.error;
    }
    this.#connecting = this.#attempt().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attempt(): Promise<ClientConnection> {
    const { log, tls, connectTimeoutMs = 20_000, keepaliveTimeoutMs = 5000 } = this.#options;
    const { address } = this;
    try {
      const session = await dial({ address, tls, timeoutMs: connectTimeoutMs });
      const keepalive = { keepaliveMs: this.#keepaliveMs, keepaliveTimeoutMs };
      const connection = new ClientConnection(session, keepalive, {
        onDrained: () => {
          if (this.#current === connection) this.#current = undefined;
        },
        onTooManyPings: () => {
          // As gRPC demands: the connections after this one ping half as often.
          this.#keepaliveMs *= 2;
          log?.warn('gRPC server found too many pings', {
            address,
            keepalive_ms: this.#keepaliveMs,
          });
        },
      });
      session.once('close', () => this.#connections.delete(connection));
      if (this.#closed) {
        connection.destroy(closing());
        throw closing();
      }
      this.#connections.add(connection);
      this.#current = connection;
      this.#failed = undefined;
      this.#backoff.reset();
      return connection;
    } catch (thrown) {
      const error =
        thrown instanceof GrpcError
          ? thrown
          : new GrpcError('Unavailable', String(thrown), { cause: thrown });
      const waitMs = this.#backoff.next();
      this.#failed = { untilMs: performance.now() + waitMs, error };
      log?.debug('gRPC connection failed', { address, err: error.message, retry_ms: waitMs });
      throw error;
    }
  }
}

function closing(): GrpcError {
  return new GrpcError('Canceled', 'grpc: the client connection is closing');
}
