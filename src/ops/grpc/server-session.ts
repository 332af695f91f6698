/**
 * One connection on the server: keepalive in both directions and its age. Behaviour: grpc-go internal/transport,
 * http2_server.go.
 */
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { ENHANCE_YOUR_CALM, widenWindow } from './http2-settings.ts';

/** When a connection is asked whether it lives, and when it is asked to leave. All in ms. */
export interface SessionLimits {
  /** Age at which a connection is told to go away, give or take a tenth; Infinity for never. */
  readonly maxConnectionAgeMs: number;
  /** How long it may then finish its calls. */
  readonly maxConnectionAgeGraceMs: number;
  /** Silence after which the client is pinged. */
  readonly keepaliveMs: number;
  /** How long it may take to answer. */
  readonly keepaliveTimeoutMs: number;
  /** Clients that ping more often are sent away. */
  readonly minPingIntervalMs: number;
}

/** limit: pings too early that are forgiven. */
const PING_STRIKES_MAX = 2;

/** Without calls a client has no reason to ping more often than this. */
const IDLE_PING_INTERVAL_MS = 2 * 60 * 60 * 1000;

/** Our own turns of the event loop may make two pings look closer than they were. */
const PING_SLACK_MS = 500;

/** limit: of Node's timers, 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Watches over a session until it closes. */
export class ServerSession {
  /** `address:port` of the client. */
  readonly peer: string;
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #limits: SessionLimits;
  readonly #timers = new Set<NodeJS.Timeout>();
  #calls = 0;
  #lastSentMs = -Infinity;
  #strikes = 0;
  #lastPingMs = -Infinity;
  #lastHeardMs = performance.now();

  /** `socket` is what the session runs on. */
  constructor(session: ServerHttp2Session, socket: Socket, limits: SessionLimits) {
    this.#session = session;
    this.#socket = socket;
    this.#limits = limits;
    this.peer = addressOf(socket);
    widenWindow(session);
    session.on('ping', () => this.#onPing());
    session.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
      this.#timers.clear();
    });
    const jitter = 0.9 + 0.2 * Math.random();
    this.#after(limits.maxConnectionAgeMs * jitter, () => this.#retire());
    this.#keepalive();
  }

  /** No new calls; the connection ends when those at hand have. */
  close(): void {
    this.#session.close();
  }

  /**
   * Ends the connection with its calls. By its socket: a session that is destroyed resets its streams first, and clients
   * take that for Canceled, while a lost connection is Unavailable.
   */
  cut(): void {
    this.#socket.destroy();
  }

  /** A call begins. */
  enter(): void {
    this.#calls++;
    this.#lastHeardMs = performance.now();
  }

  /** A call has ended. */
  leave(): void {
    this.#calls--;
  }

  /** Something was sent to the client, which may measure the line by pings while it receives. */
  sent(): void {
    this.#lastSentMs = performance.now();
  }

  #onPing(): void {
    const now = performance.now();
    const since = now - this.#lastPingMs + PING_SLACK_MS;
    this.#lastPingMs = now;
    this.#lastHeardMs = now;
    const { minPingIntervalMs } = this.#limits;
    // What was sent before may still be on its way: grpc-go pings once a round trip while data comes.
    if (now - this.#lastSentMs < minPingIntervalMs) {
      this.#strikes = 0;
      return;
    }
    const interval = this.#calls > 0 ? minPingIntervalMs : IDLE_PING_INTERVAL_MS;
    if (since < interval) this.#strikes++;
    if (this.#strikes <= PING_STRIKES_MAX || this.#session.destroyed) return;
    this.#session.goaway(ENHANCE_YOUR_CALM, undefined, Buffer.from('too_many_pings'));
    this.#after(0, () => this.cut());
  }

  /** Pings when nothing was heard for long, and ends the connection when nobody answers. */
  #keepalive(): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#limits;
    const waitMs = Math.max(this.#lastHeardMs + keepaliveMs - performance.now(), 1);
    this.#after(waitMs, () => {
      const session = this.#session;
      if (session.destroyed) return;
      if (performance.now() - this.#lastHeardMs < keepaliveMs) return this.#keepalive();
      const timer = this.#after(keepaliveTimeoutMs, () => this.cut());
      session.ping((error) => {
        clearTimeout(timer);
        if (error !== null || session.destroyed) return;
        this.#lastHeardMs = performance.now();
        this.#keepalive();
      });
    });
  }

  #retire(): void {
    this.#session.close();
    this.#after(this.#limits.maxConnectionAgeGraceMs, () => this.cut());
  }

  #after(ms: number, work: () => void): NodeJS.Timeout | undefined {
    if (ms === Infinity || this.#session.destroyed) return undefined;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        work();
      },
      Math.min(ms, TIMER_MS_MAX),
    );
    this.#timers.add(timer);
    return timer;
  }
}

function addressOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return remoteAddress.includes(':')
    ? `[${remoteAddress}]:${remotePort}`
    : `${remoteAddress}:${remotePort}`;
}
