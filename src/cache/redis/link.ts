/**
 * The way to redis while there is one. Whatever goes wrong on it, an answer that does not come included, throws it away;
 * a new one is opened in the background, and until it is there operations fail at once instead of waiting.
 */
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import { RemoteCacheError } from '../remote-error.ts';
import type { BackendEvents, RedisBackend } from './backend.ts';

/** limit: between attempts to connect. */
const PAUSE_MS = 1000;

/** Opens a connection. */
export type OpenBackend = (events: BackendEvents) => Promise<RedisBackend>;

/** One connection at a time. */
export class RedisLink {
  readonly #open: OpenBackend;
  readonly #clock: Clock;
  #backend: RedisBackend | undefined;
  #opening: Promise<void> | undefined;
  #pausedUntil = -Infinity;
  #last = 'not connected yet';
  #closed = false;

  constructor(open: OpenBackend, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** Connects unless it is connected or tries to. @throws RemoteCacheError when that fails. */
  async connect(): Promise<void> {
    if (this.#backend !== undefined || this.#closed) return;
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    await this.#opening;
  }

  async #connect(): Promise<void> {
    let lost: Error | undefined;
    let backend: RedisBackend | undefined;
    try {
      const onLost = (error: Error): void => {
        lost ??= error;
        if (backend !== undefined) this.#drop(backend, error);
      };
      backend = await this.#open({ onLost });
    } catch (thrown) {
      this.#pause(thrown);
      throw networkError(thrown);
    }
    if (this.#closed || lost !== undefined) {
      backend.destroy();
      if (lost !== undefined) this.#pause(lost);
      return;
    }
    this.#backend = backend;
  }

  #pause(thrown: unknown): void {
    this.#last = errorText(thrown);
    this.#pausedUntil = this.#clock.monotonic() + PAUSE_MS;
  }

  /**
   * Does work on the connection. @throws RemoteCacheError when there is none, when it is lost or when there is no answer
   * within the time (0 is without limit).
   */
  async use<T>(timeoutMs: number, work: (backend: RedisBackend) => Promise<T>): Promise<T> {
    const backend = this.#backend;
    if (backend === undefined) {
      const paused = this.#clock.monotonic() < this.#pausedUntil;
      // Its failure is remembered and told to whoever asks next.
      if (!paused) this.connect().catch(() => undefined);
      throw networkError(this.#last);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (timeoutMs === 0) return;
      timer = setTimeout(() => {
        const error = new RemoteCacheError('timeout', `redis: no answer within ${timeoutMs} ms`);
        reject(error);
        this.#drop(backend, error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([work(backend), late]);
    } catch (thrown) {
      throw asRemoteError(thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that was replaced already is only ended. */
  #drop(backend: RedisBackend, error: Error): void {
    if (this.#backend === backend) {
      this.#backend = undefined;
      this.#last = errorText(error);
    }
    backend.destroy();
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#last = 'the client was closed';
    this.#pausedUntil = Infinity;
    this.#backend?.destroy();
    this.#backend = undefined;
    await this.#opening?.catch(() => undefined);
  }
}

/** What redis itself says begins with a word in capitals: `WRONGPASS …`, `OOM …`. */
function asRemoteError(thrown: unknown): RemoteCacheError {
  if (thrown instanceof RemoteCacheError) return thrown;
  const message = `redis: ${errorText(thrown)}`;
  const isAnswer = /^[A-Z]{3,} /.test(errorText(thrown));
  return new RemoteCacheError(isAnswer ? 'server-error' : 'network-error', message, {
    cause: thrown,
  });
}

function networkError(thrown: unknown): RemoteCacheError {
  return new RemoteCacheError('network-error', `redis: ${errorText(thrown)}`, { cause: thrown });
}
