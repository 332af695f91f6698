/** Waiting for time to pass. */
import { setTimeout as wait } from 'node:timers/promises';
import { abortError } from '../lib/abort.ts';

/** Resolves after so many ms. @throws CodedError canceled as soon as the signal fires. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch {
    throw abortError(signal);
  }
}
