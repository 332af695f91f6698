/** When to try again: waits are doubled up to a limit and shortened at random. */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError } from '../../lib/abort.ts';
import { Random } from '../../lib/prng.ts';

/** 200 ms doubled up to 1 s, as minio-go waits (retry.go). */
export const USUAL_WAITS = { firstMs: 200, mostMs: 1000 };

/** limit: a store that asks for more patience is not waited for. */
const RETRY_AFTER_MAX_MS = 30_000;

/** Waits so many milliseconds. Rejects when the signal fires. */
export type Sleep = (ms: number, signal: AbortSignal | undefined) => Promise<void>;

/** The clock's wait. @throws CodedError as the signal says. */
export const systemSleep: Sleep = async (ms, signal) => {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (thrown) {
    throw signal?.aborted === true ? abortError(signal) : thrown;
  }
};

/** Differs in every process, so that many do not come back at once. */
const jitter = new Random(randomInt(2 ** 32));

/**
 * Milliseconds to wait before a try, the first retry being 1; undefined when the store asks for more than is waited.
 * `retryAfter` is that header, in seconds or as a date; `now` is ms since the epoch.
 */
export function backoffMs(
  retry: number,
  { firstMs, mostMs, retryAfter, now, random = () => jitter.float() }: BackoffHints,
): number | undefined {
  const most = Math.min(mostMs, firstMs * 2 ** (retry - 1));
  const own = most * (0.5 + random() / 2);
  const asked = retryAfterMs(retryAfter, now);
  if (asked > RETRY_AFTER_MAX_MS) return undefined;
  return Math.max(own, asked);
}

/** What shapes a wait. */
interface BackoffHints {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly retryAfter?: string | undefined;
  readonly now: number;
  /** In [0, 1). */
  readonly random?: () => number;
}

function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}
