/** A limit of time for a piece of work. */
import { formatDuration } from '../lib/duration.ts';
import { CodedError } from '../lib/errors.ts';

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
