/**
 * Counts what a bucket is asked for. Behaviour: objstore objstore.go (metricBucket, timingReader): failures that the
 * caller expects, and those of operations that it canceled, are no failures.
 */
import { stat } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import {
  type Bucket,
  type BucketEntry,
  type BucketProvider,
  type ByteRange,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  type ObjectStream,
  type RequestOptions,
  type UploadOptions,
} from './bucket.ts';
import type { BucketMetrics, BucketOperation } from './bucket-metrics.ts';
import { ObservedStream } from './observed-stream.ts';

/** A bucket with metrics; otherwise the bucket that it wraps. */
export class MeteredBucket implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #metrics: BucketMetrics;
  readonly #clock: Clock;

  constructor(bucket: Bucket, metrics: BucketMetrics, clock: Clock) {
    this.provider = bucket.provider;
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  iter(directory: string, options?: IterOptions): AsyncIterable<string> {
    return this.#list(() => this.#bucket.iter(directory, options), options);
  }

  iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.#list(() => this.#bucket.iterEntries(directory, options), options);
  }

  async *#list<T>(start: () => AsyncIterable<T>, options?: IterOptions): AsyncGenerator<T> {
    const call = new MeteredCall('iter', this.#metrics, this.#clock, options);
    try {
      yield* start();
    } catch (thrown) {
      call.fail(thrown);
      throw thrown;
    } finally {
      call.observeDuration();
    }
  }

  async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    const call = new MeteredCall('get', this.#metrics, this.#clock, options);
    try {
      return meteredStream(await this.#bucket.get(name, options), call);
    } catch (thrown) {
      call.fail(thrown);
      // compat: the Go provider observes an open that fails as well.
      call.observeDuration();
      throw thrown;
    }
  }

  async getRange(name: string, range: ByteRange, options?: RequestOptions): Promise<Uint8Array> {
    const call = new MeteredCall('get_range', this.#metrics, this.#clock, options);
    try {
      const bytes = await this.#bucket.getRange(name, range, options);
      call.fetched(bytes.length);
      call.observeTransferred(bytes.length);
      return bytes;
    } catch (thrown) {
      call.fail(thrown);
      throw thrown;
    } finally {
      call.observeDuration();
    }
  }

  exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.#run('exists', options, () => this.#bucket.exists(name, options));
  }

  attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.#run('attributes', options, () => this.#bucket.attributes(name, options));
  }

  async upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    const call = new MeteredCall('upload', this.#metrics, this.#clock, options);
    const counted = await countBody(body);
    try {
      await this.#bucket.upload(name, counted.body, options);
    } catch (thrown) {
      call.fail(thrown);
      throw thrown;
    }
    call.observeDuration();
    call.observeTransferred(counted.sent());
    this.#metrics.lastSuccessfulUpload.set(this.#clock.now() / 1000);
  }

  delete(name: string, options?: RequestOptions): Promise<void> {
    return this.#run('delete', options, () => this.#bucket.delete(name, options));
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  /** As in Go, only what succeeds has a duration here. */
  async #run<T>(
    operation: BucketOperation,
    options: RequestOptions | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const call = new MeteredCall(operation, this.#metrics, this.#clock, options);
    try {
      const result = await work();
      call.observeDuration();
      return result;
    } catch (thrown) {
      call.fail(thrown);
      throw thrown;
    }
  }
}

/** One operation from its start on. */
class MeteredCall {
  readonly #operation: BucketOperation;
  readonly #metrics: BucketMetrics;
  readonly #clock: Clock;
  readonly #options: RequestOptions;
  readonly #started: number;

  constructor(
    operation: BucketOperation,
    metrics: BucketMetrics,
    clock: Clock,
    options: RequestOptions = {},
  ) {
    this.#operation = operation;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#options = options;
    this.#started = clock.monotonic();
    metrics.operations(operation).inc();
  }

  fail(thrown: unknown): void {
    const { signal, isExpected } = this.#options;
    // A timeout of the caller's counts, its change of mind does not.
    const canceled = signal?.aborted === true && !isTimeout(signal.reason);
    if (!canceled && isExpected?.(thrown) !== true) this.#metrics.failures(this.#operation).inc();
  }

  fetched(bytes: number): void {
    this.#metrics.fetchedBytes(this.#operation).inc(bytes);
  }

  observeDuration(): void {
    const seconds = (this.#clock.monotonic() - this.#started) / 1000;
    this.#metrics.duration(this.#operation).observe(seconds);
  }

  observeTransferred(bytes: number): void {
    this.#metrics.transferredBytes(this.#operation).observe(bytes);
  }
}

function isTimeout(reason: unknown): boolean {
  if (reason instanceof CodedError) return reason.code === 'timeout';
  return reason instanceof Error && reason.name === 'TimeoutError';
}

/** Counts bytes as they are read; the operation ends with the stream. */
function meteredStream(stream: ObjectStream, call: MeteredCall): ObjectStream {
  let total = 0;
  return new ObservedStream(stream, {
    read: (bytes) => {
      total += bytes;
      call.fetched(bytes);
    },
    ended: (thrown) => {
      if (thrown !== undefined) {
        call.fail(thrown);
        return;
      }
      call.observeDuration();
      call.observeTransferred(total);
    },
  });
}

/** A body, and a way to ask afterwards how many bytes of it were sent. */
interface CountedBody {
  readonly body: ObjectBody;
  readonly sent: () => number;
}

async function countBody(body: ObjectBody): Promise<CountedBody> {
  if (body instanceof Uint8Array) return { body, sent: () => body.length };
  if ('file' in body) {
    // A file that is not there is the upload's to report.
    const size = await stat(body.file).then(
      (stats) => stats.size,
      () => 0,
    );
    return { body, sent: () => size };
  }
  let sent = 0;
  async function* counted(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      sent += chunk.length;
      yield chunk;
    }
  }
  return { body: { ...body, stream: counted(body.stream) }, sent: () => sent };
}
