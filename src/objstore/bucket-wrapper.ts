/** A bucket that hands everything on to another one: wrappers override what they are about. */
import type {
  Bucket,
  BucketEntry,
  BucketProvider,
  ByteRange,
  IterOptions,
  ObjectAttributes,
  ObjectBody,
  ObjectStream,
  RangeOptions,
  RequestOptions,
  UploadOptions,
} from './bucket.ts';

/** The base of wrappers. Closes the wrapped bucket when it is closed. */
export class BucketWrapper implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  /** The one that is wrapped. */
  protected readonly inner: Bucket;

  constructor(inner: Bucket) {
    this.provider = inner.provider;
    this.name = inner.name;
    this.inner = inner;
  }

  iter(directory: string, options?: IterOptions): AsyncIterable<string> {
    return this.inner.iter(directory, options);
  }

  iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.inner.iterEntries(directory, options);
  }

  get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    return this.inner.get(name, options);
  }

  getRange(name: string, range: ByteRange, options?: RangeOptions): Promise<Uint8Array> {
    return this.inner.getRange(name, range, options);
  }

  exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.inner.exists(name, options);
  }

  attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.inner.attributes(name, options);
  }

  upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    return this.inner.upload(name, body, options);
  }

  delete(name: string, options?: RequestOptions): Promise<void> {
    return this.inner.delete(name, options);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
