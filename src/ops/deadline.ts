/** A limit of time for a piece of work. */
import { formatDuration } from '../lib/duration.ts';
import { CodedError } from '../lib/errors.ts';

/** limit: of Node's timers, 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * A signal that fires with `signal`, or after so many ms with a timeout that says what took how long: `what took longer
 * than 5m`. Its timer keeps no process alive.
 */
export function withDeadline(signal: AbortSignal, timeoutMs: number, what: string): AbortSignal {
  const controller = new AbortController();
  const expire = (): void => {
    const message = `${what} took longer than ${formatDuration(timeoutMs)}`;
    controller.abort(new CodedError('timeout', message));
  };
  if (timeoutMs <= 0) expire();
  else setTimeout(expire, timeoutMs).unref();
  return AbortSignal.any([signal, controller.signal]);
}

/**
 * A limit of time that ends with its owner, and with it the timer: `using deadline = new Deadline(signal, 5000)`. Its
 * signal fires with the one given, or after so many ms.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #controller = new AbortController();

  constructor(signal: AbortSignal, timeoutMs: number) {
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
    const waitMs = Math.min(timeoutMs, TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#controller.abort(), waitMs);
  }

  /** Whether the time is up. */
  get expired(): boolean {
    return this.#controller.signal.aborted;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
