/**
 * One memcached server: some connections, to which requests are dealt, and a pause after failures, so that a server
 * that does not answer costs queries a time limit now and then, not each time.
 */
import type { Clock } from '../../lib/clock.ts';
import { RemoteCacheError } from '../remote-error.ts';
import { MemcachedConnection } from './connection.ts';
import type { MemcachedRequest } from './requests.ts';

/** limit: connections a server; answers to small requests do not wait behind more than a few large ones. */
const CONNECTIONS_MAX = 8;
/** So many connections in a row end without an answer before the server gets a pause. */
const FAILURES_MAX = 3;
/** limit: of the pause. */
const PAUSE_MS = 1000;

/** How a server is asked. */
export interface ServerOptions {
  readonly timeoutMs: number;
  readonly connectionsMax: number;
  readonly clock: Clock;
}

/** Asks one server. */
export class MemcachedServer {
  readonly #address: string;
  readonly #options: ServerOptions;
  readonly #connections = new Set<MemcachedConnection>();
  /** Connections in a row that ended before anything was answered. */
  #failures = 0;
  #pausedUntil = -Infinity;
  #last = '';

  constructor(address: string, options: ServerOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Sends a request, which is settled in every case. */
  send(request: MemcachedRequest): void {
    if (this.#options.clock.monotonic() < this.#pausedUntil) {
      const message = `memcached ${this.#address} is left alone for a moment: ${this.#last}`;
      request.settle(new RemoteCacheError('network-error', message));
      return;
    }
    this.#pick().send(request);
  }

  /** Ends all connections. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** One that is free, a new one, or the one with the least to do. */
  #pick(): MemcachedConnection {
    let best: MemcachedConnection | undefined;
    for (const connection of this.#connections) {
      if (best === undefined || connection.pending < best.pending) best = connection;
    }
    const most = Math.max(1, Math.min(this.#options.connectionsMax, CONNECTIONS_MAX));
    const isFree = best !== undefined && best.pending === 0;
    if (best !== undefined && (isFree || this.#connections.size >= most)) return best;
    return this.#open();
  }

  #open(): MemcachedConnection {
    let answered = false;
    const connection = new MemcachedConnection(this.#address, this.#options.timeoutMs, {
      onAnswer: () => {
        answered = true;
        this.#failures = 0;
      },
      onEnd: (error) => {
        this.#connections.delete(connection);
        if (!answered) this.#fail(error);
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  #fail(error: RemoteCacheError): void {
    this.#failures++;
    this.#last = error.message;
    if (this.#failures < FAILURES_MAX) return;
    // One more failure after the pause is enough for another.
    this.#failures = FAILURES_MAX - 1;
    this.#pausedUntil = this.#options.clock.monotonic() + PAUSE_MS;
  }
}
