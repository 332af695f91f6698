/** A span for each operation on a bucket. Names and attributes: objstore tracing/opentelemetry. */
import type { SpanAttributes, Tracer } from '../lib/tracing.ts';
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
} from './bucket.ts';
import { isNotFound } from './bucket.ts';
import { BucketWrapper } from './bucket-wrapper.ts';
import { ObservedStream } from './observed-stream.ts';

/** Wraps a bucket. Spans of contents and listings end with their reading. */
export function tracedBucket(bucket: Bucket, tracer: Tracer): Bucket {
  return new TracedBucket(bucket, tracer);
}

class TracedBucket extends BucketWrapper {
  readonly #tracer: Tracer;

  constructor(bucket: Bucket, tracer: Tracer) {
    super(bucket);
    this.#tracer = tracer;
  }

  override iter(directory: string, options?: IterOptions): AsyncIterable<string> {
    return this.#list('bucket_iter', directory, () => this.inner.iter(directory, options));
  }

  override iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.#list('bucket_iter_with_attrs', directory, () =>
      this.inner.iterEntries(directory, options),
    );
  }

  override async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    const span = this.#tracer.startSpan('bucket_get', { name });
    let read = 0;
    try {
      const stream = await this.#tracer.within(span, () => this.inner.get(name, options));
      return new ObservedStream(stream, {
        read: (bytes) => {
          read += bytes;
        },
        ended: (thrown) => {
          span.set({ read });
          span.end(thrown);
        },
      });
    } catch (thrown) {
      span.end(unexpected(thrown, options));
      throw thrown;
    }
  }

  override getRange(name: string, range: ByteRange, options?: RangeOptions): Promise<Uint8Array> {
    const { offset, length } = range;
    return this.#run('bucket_getrange', { name, offset, length }, options, () =>
      this.inner.getRange(name, range, options),
    );
  }

  override exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.#run('bucket_exists', { name }, options, () => this.inner.exists(name, options));
  }

  override attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.#run('bucket_attributes', { name }, options, () =>
      this.inner.attributes(name, options),
    );
  }

  override upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    return this.#run('bucket_upload', { name }, options, () =>
      this.inner.upload(name, body, options),
    );
  }

  override delete(name: string, options?: RequestOptions): Promise<void> {
    return this.#run('bucket_delete', { name }, options, () => this.inner.delete(name, options));
  }

  async *#list<T>(operation: string, dir: string, list: () => AsyncIterable<T>): AsyncGenerator<T> {
    const span = this.#tracer.startSpan(operation, { dir });
    let failure: unknown;
    try {
      yield* this.#tracer.within(span, list);
    } catch (thrown) {
      failure = thrown;
      throw thrown;
    } finally {
      span.end(failure);
    }
  }

  async #run<T>(
    operation: string,
    attributes: SpanAttributes,
    options: RequestOptions | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const span = this.#tracer.startSpan(operation, attributes);
    let failure: unknown;
    try {
      return await this.#tracer.within(span, work);
    } catch (thrown) {
      failure = unexpected(thrown, options);
      throw thrown;
    } finally {
      span.end(failure);
    }
  }
}

/** What is no failure to the caller is none in a trace. */
function unexpected(thrown: unknown, options: RequestOptions | undefined): unknown {
  return options?.isExpected?.(thrown) === true && isNotFound(thrown) ? undefined : thrown;
}
