/** One connection of a client: how many calls it carries, whether it takes new ones, and its keepalive. */
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { ENHANCE_YOUR_CALM, NO_ERROR } from './http2-settings.ts';
import { GrpcError } from './status.ts';

/** Keepalive of connections that carry calls, in ms. */
export interface KeepaliveOptions {
  /** Silence after which the server is pinged; Infinity for never. */
  readonly keepaliveMs: number;
  /** How long it may take to answer. */
  readonly keepaliveTimeoutMs: number;
}

/** What a connection tells its channel. */
export interface ConnectionEvents {
  /** It takes no new calls any more. */
  onDrained(): void;
  /** The server found that we ping too often. */
  onTooManyPings(): void;
}

/** A session with its state. */
export class ClientConnection {
  readonly #session: ClientHttp2Session;
  readonly #keepalive: KeepaliveOptions;
  #calls = 0;
  #lastHeardMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** The server said so, or the connection is at its end. */
  #draining = false;
  /** Why the calls at hand fail. */
  #error: GrpcError | undefined;

  constructor(session: ClientHttp2Session, keepalive: KeepaliveOptions, events: ConnectionEvents) {
    this.#session = session;
    this.#keepalive = keepalive;
    const drain = (): void => {
      if (this.#draining) return;
      this.#draining = true;
      events.onDrained();
    };
    session.on('goaway', (code: number, _last: number, data?: Uint8Array) => {
      const text = data === undefined ? '' : Buffer.from(data).toString();
      if (code === ENHANCE_YOUR_CALM && text === 'too_many_pings') events.onTooManyPings();
      if (code !== NO_ERROR) {
        this.#error ??= unavailable(
          `closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: ${goawayName(code)}${text === '' ? '' : `, debug data: ${JSON.stringify(text)}`}`,
        );
      }
      drain();
    });
    session.on('close', () => {
      clearTimeout(this.#timer);
      drain();
    });
    session.on('error', (error: Error) => {
      this.#error ??= unavailable(`error reading from server: ${error.message}`);
    });
  }

  /** Whether new calls may begin here. */
  get isUsable(): boolean {
    return !this.#draining && !this.#session.closed && !this.#session.destroyed;
  }

  /** Why a call fails whose connection is gone. */
  get error(): GrpcError {
    return this.#error ?? unavailable('error reading from server: EOF');
  }

  /** Whether the connection is gone. */
  get isDestroyed(): boolean {
    return this.#session.destroyed;
  }

  /** Begins a call. @throws Error when the connection cannot take it after all. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream: false });
    if (this.#calls++ === 0) this.#watch();
    stream.once('close', () => {
      if (--this.#calls === 0) clearTimeout(this.#timer);
    });
    return stream;
  }

  /** Something came from the server. */
  heard(): void {
    this.#lastHeardMs = performance.now();
  }

  /** Takes no new calls; ends when those at hand have. */
  close(): void {
    this.#draining = true;
    this.#session.close();
  }

  /** Ends now; calls at hand fail with this. */
  destroy(error: GrpcError): void {
    this.#error ??= error;
    this.#session.destroy();
  }

  #watch(): void {
    const { keepaliveMs } = this.#keepalive;
    if (keepaliveMs === Infinity) return;
    this.#lastHeardMs = performance.now();
    this.#wait(keepaliveMs);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), ms);
  }

  #check(): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#keepalive;
    const session = this.#session;
    if (session.destroyed || this.#calls === 0) return;
    const silentMs = performance.now() - this.#lastHeardMs;
    if (silentMs < keepaliveMs) return this.#wait(keepaliveMs - silentMs);
    let answered = false;
    this.#timer = setTimeout(() => {
      // What came while this process was busy is read before it counts as silence.
      setImmediate(() => {
        if (answered || session.destroyed) return;
        this.destroy(unavailable('keepalive ping failed to receive ACK within timeout'));
      });
    }, keepaliveTimeoutMs);
    session.ping((error) => {
      answered = true;
      if (error !== null || session.destroyed) return;
      this.heard();
      clearTimeout(this.#timer);
      if (this.#calls > 0) this.#wait(keepaliveMs);
    });
  }
}

function unavailable(message: string): GrpcError {
  return new GrpcError('Unavailable', message);
}

function goawayName(code: number): string {
  return code === ENHANCE_YOUR_CALM ? 'ENHANCE_YOUR_CALM' : String(code);
}
