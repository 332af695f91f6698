/**
 * Object stores as far away as real ones. As a server of S3: {@link startLatencyS3}, for benches of whole processes and
 * tests of faults; its conditions may be changed while it runs. In this process: {@link latencyBucket}.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, throwIfAborted } from '../../src/lib/abort.ts';
import type {
  Bucket,
  BucketEntry,
  ByteRange,
  IterOptions,
  ObjectAttributes,
  ObjectBody,
  ObjectStream,
  RangeOptions,
  RequestOptions,
  UploadOptions,
} from '../../src/objstore/bucket.ts';
import { BucketWrapper } from '../../src/objstore/bucket-wrapper.ts';
import { type S3Conditions, type S3Server, startS3Server } from './s3-server.ts';

/** limit: what S3 takes for a first byte, in the middle of its range. */
const FIRST_BYTE_MS = 50;
/** What one connection to S3 brings, about. */
const BYTES_PER_SECOND = 80 * 1024 * 1024;

/**
 * A server of S3 in memory on the loopback interface. `host` is the endpoint; any bucket and any keys will do. Without
 * conditions it answers after 50 ms, with 80 MiB/s a request.
 */
export function startLatencyS3(conditions: Partial<S3Conditions> = {}): Promise<S3Server> {
  return startS3Server({
    conditions: { firstByteMs: FIRST_BYTE_MS, bytesPerSecond: BYTES_PER_SECOND, ...conditions },
  });
}

/** The text of a configuration of type S3 for such a server. */
export function s3ConfigText(host: string, more: readonly string[] = []): string {
  const fields = [
    'bucket: thanos',
    `endpoint: ${host}`,
    'insecure: true',
    'access_key: minio',
    'secret_key: melovethanos',
    ...more,
  ];
  return `type: S3\nconfig:\n${fields.map((field) => `  ${field}\n`).join('')}`;
}

/** How far away a bucket is. */
export interface LatencyOptions {
  /** May be changed at any time. */
  firstByteMs: number;
}

/** A bucket each of whose requests waits first; a listing waits once a thousand entries. */
export function latencyBucket(bucket: Bucket, options: LatencyOptions): Bucket {
  return new LatencyBucket(bucket, options);
}

class LatencyBucket extends BucketWrapper {
  readonly #options: LatencyOptions;

  constructor(bucket: Bucket, options: LatencyOptions) {
    super(bucket);
    this.#options = options;
  }

  override iter(directory: string, options?: IterOptions): AsyncIterable<string> {
    return this.#paged(this.inner.iter(directory, options), options);
  }

  override iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.#paged(this.inner.iterEntries(directory, options), options);
  }

  async *#paged<T>(entries: AsyncIterable<T>, options: IterOptions = {}): AsyncGenerator<T> {
    let count = 0;
    for await (const entry of entries) {
      if (count++ % 1000 === 0) await this.#wait(options);
      yield entry;
    }
    if (count === 0) await this.#wait(options);
  }

  override async get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    await this.#wait(options);
    return this.inner.get(name, options);
  }

  override async getRange(
    name: string,
    range: ByteRange,
    options: RangeOptions = {},
  ): Promise<Uint8Array> {
    await this.#wait(options);
    return this.inner.getRange(name, range, options);
  }

  override async exists(name: string, options: RequestOptions = {}): Promise<boolean> {
    await this.#wait(options);
    return this.inner.exists(name, options);
  }

  override async attributes(name: string, options: RequestOptions = {}): Promise<ObjectAttributes> {
    await this.#wait(options);
    return this.inner.attributes(name, options);
  }

  override async upload(
    name: string,
    body: ObjectBody,
    options: UploadOptions = {},
  ): Promise<void> {
    await this.#wait(options);
    return this.inner.upload(name, body, options);
  }

  override async delete(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#wait(options);
    return this.inner.delete(name, options);
  }

  async #wait({ signal }: RequestOptions): Promise<void> {
    throwIfAborted(signal);
    try {
      await sleep(this.#options.firstByteMs, undefined, signal === undefined ? {} : { signal });
    } catch (thrown) {
      throw signal?.aborted === true ? abortError(signal) : thrown;
    }
  }
}
