/**
 * Operations that failed for now are tried again: for buckets whose client does not do so itself. Those over HTTP do
 * (http/object-client.ts), and a file system does not get better by asking twice.
 */
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/errors.ts';
import type {
  Bucket,
  ByteRange,
  ObjectAttributes,
  ObjectBody,
  ObjectStream,
  RangeOptions,
  RequestOptions,
  UploadOptions,
} from './bucket.ts';
import { BucketWrapper } from './bucket-wrapper.ts';
import { backoffMs, type Sleep, systemSleep, USUAL_WAITS } from './http/backoff.ts';

/** How often to try. */
export interface RetryingOptions {
  /** Tries in all. */
  readonly triesMax: number;
  readonly clock: Clock;
  /** For tests. */
  readonly sleep?: Sleep;
}

/**
 * Wraps a bucket. Listings, and contents that have begun, are not tried again: what has been handed out would come
 * twice. Nor are uploads of a stream, which comes once.
 */
export function retryingBucket(bucket: Bucket, options: RetryingOptions): Bucket {
  return new RetryingBucket(bucket, options);
}

class RetryingBucket extends BucketWrapper {
  readonly #options: RetryingOptions;

  constructor(bucket: Bucket, options: RetryingOptions) {
    super(bucket);
    this.#options = options;
  }

  override get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    return this.#retry(options, () => this.inner.get(name, options));
  }

  override getRange(name: string, range: ByteRange, options?: RangeOptions): Promise<Uint8Array> {
    return this.#retry(options, () => this.inner.getRange(name, range, options));
  }

  override exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.#retry(options, () => this.inner.exists(name, options));
  }

  override attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.#retry(options, () => this.inner.attributes(name, options));
  }

  override upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    const once = (): Promise<void> => this.inner.upload(name, body, options);
    return 'stream' in body ? once() : this.#retry(options, once);
  }

  override delete(name: string, options?: RequestOptions): Promise<void> {
    return this.#retry(options, () => this.inner.delete(name, options));
  }

  async #retry<T>(options: RequestOptions | undefined, work: () => Promise<T>): Promise<T> {
    const { triesMax, clock, sleep = systemSleep } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (thrown) {
        if (tries >= triesMax || errorCode(thrown) !== 'unavailable') throw thrown;
        await sleep(backoffMs(tries, { ...USUAL_WAITS, now: clock.now() }) ?? 0, options?.signal);
      }
    }
  }
}
