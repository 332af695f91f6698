/** A directory of a bucket as a bucket of its own. Behaviour: objstore prefixed_bucket.go. */
import {
  type Bucket,
  type BucketEntry,
  type BucketProvider,
  type ByteRange,
  checkDeletedName,
  checkObjectName,
  directoryPrefix,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  type ObjectStream,
  type RequestOptions,
  type UploadOptions,
} from './bucket.ts';

/**
 * The part of a bucket below a prefix, or the bucket itself when the prefix is nothing but slashes.
 * @throws CodedError bad_data when names could not begin with the prefix.
 */
export function prefixedBucket(bucket: Bucket, prefix: string): Bucket {
  const trimmed = prefix.replaceAll(/^\/+|\/+$/g, '');
  return trimmed === '' ? bucket : new PrefixedBucket(bucket, directoryPrefix(trimmed));
}

class PrefixedBucket implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  readonly #bucket: Bucket;
  /** With its slash. */
  readonly #prefix: string;

  constructor(bucket: Bucket, prefix: string) {
    this.provider = bucket.provider;
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async *iter(directory: string, options?: IterOptions): AsyncGenerator<string> {
    const below = this.#directory(directory);
    for await (const name of this.#bucket.iter(below, options)) {
      yield name.slice(this.#prefix.length);
    }
  }

  async *iterEntries(directory: string, options?: IterOptions): AsyncGenerator<BucketEntry> {
    const below = this.#directory(directory);
    for await (const entry of this.#bucket.iterEntries(below, options)) {
      yield { ...entry, name: entry.name.slice(this.#prefix.length) };
    }
  }

  async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    return this.#bucket.get(this.#object(name), options);
  }

  async getRange(name: string, range: ByteRange, options?: RequestOptions): Promise<Uint8Array> {
    return this.#bucket.getRange(this.#object(name), range, options);
  }

  async exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.#bucket.exists(this.#object(name), options);
  }

  async attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.#bucket.attributes(this.#object(name), options);
  }

  async upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    return this.#bucket.upload(this.#object(name), body, options);
  }

  async delete(name: string, options?: RequestOptions): Promise<void> {
    checkDeletedName(name);
    return this.#bucket.delete(`${this.#prefix}${name}`, options);
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  /** Checked before the prefix makes an empty or climbing name look whole. */
  #object(name: string): string {
    checkObjectName(name);
    return `${this.#prefix}${name}`;
  }

  #directory(directory: string): string {
    return `${this.#prefix}${directoryPrefix(directory)}`;
  }
}
