/** Counts what is read from a bucket, object by object: what a query has cost. */
import type { Bucket, ByteRange, ObjectStream, RangeOptions, RequestOptions } from './bucket.ts';
import { BucketWrapper } from './bucket-wrapper.ts';
import { ObservedStream } from './observed-stream.ts';

/** One read that has ended, whole, in part or not at all. */
export interface BucketRead {
  /** Of the object. */
  readonly name: string;
  /** That came. */
  readonly bytes: number;
}

/** Wraps a bucket. `onRead` is called once for each get and getRange, also for those that fail. */
export function countedBucket(bucket: Bucket, onRead: (read: BucketRead) => void): Bucket {
  return new CountedBucket(bucket, onRead);
}

class CountedBucket extends BucketWrapper {
  readonly #onRead: (read: BucketRead) => void;

  constructor(bucket: Bucket, onRead: (read: BucketRead) => void) {
    super(bucket);
    this.#onRead = onRead;
  }

  override async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    let bytes = 0;
    try {
      const stream = await this.inner.get(name, options);
      return new ObservedStream(stream, {
        read: (more) => {
          bytes += more;
        },
        ended: () => this.#onRead({ name, bytes }),
      });
    } catch (thrown) {
      this.#onRead({ name, bytes });
      throw thrown;
    }
  }

  override async getRange(
    name: string,
    range: ByteRange,
    options?: RangeOptions,
  ): Promise<Uint8Array> {
    let bytes = 0;
    try {
      const content = await this.inner.getRange(name, range, options);
      bytes = content.length;
      return content;
    } finally {
      this.#onRead({ name, bytes });
    }
  }
}
