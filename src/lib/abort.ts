/**
 * Cancellation by AbortSignal. What a signal carries as its reason may be anything, so it is turned into an error of
 * ours here, once.
 */
import { CodedError, errorText } from './errors.ts';

/**
 * The error for an aborted signal: its reason where that is one of ours, `timeout` for AbortSignal.timeout, otherwise
 * `canceled`.
 */
export function abortError(signal: AbortSignal): CodedError {
  const reason: unknown = signal.reason;
  if (reason instanceof CodedError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  const message = late ? errorText(reason) : 'the operation was canceled';
  return new CodedError(late ? 'timeout' : 'canceled', message, { cause: reason });
}

/** Throws when the signal has fired: at the start of an operation and in its loops. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/**
 * The promise's outcome, or {@link abortError} as soon as the signal fires; what the promise comes to afterwards is
 * dropped. For waits that nobody can end.
 */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(abortError(signal));
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
