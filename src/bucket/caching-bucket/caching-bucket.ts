/**
 * A bucket that answers from a cache what was asked before: listings of its root, meta.json and deletion marks, and
 * parts of chunk segments. Behaviour: thanos pkg/store/cache/caching_bucket.go.
 *
 * What is cached may be out of date for as long as its time to live, whoever has changed the object: writes through this
 * bucket, too, do not reach the cache. For readers of blocks this is no harm, since blocks do not change.
 */
import type { Cache } from '../../cache/cache.ts';
import { QuietLog } from '../../cache/quiet-log.ts';
import { throwIfAborted } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import {
  type Bucket,
  type BucketEntry,
  type BucketProvider,
  type ByteRange,
  checkObjectName,
  checkRange,
  directoryPrefix,
  isNotFound,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  objectNotFound,
  type ObjectStream,
  type RequestOptions,
  type UploadOptions,
} from '../../objstore/bucket.ts';
import { attributesKey, contentKey, existsKey, iterKey } from './cache-keys.ts';
import { readCachedRange } from './cached-ranges.ts';
import { CachedStream, KeepingStream } from './content-stream.ts';
import type { CachingBucketMetrics } from './metrics.ts';
import type { CachePolicy } from './policy.ts';
import {
  decodeAttributes,
  decodeExists,
  decodeNames,
  encodeAttributes,
  encodeExists,
  encodeNames,
} from './values.ts';

/** What a caching bucket takes. */
export interface CachingBucketDeps {
  /** Closed with the bucket. */
  readonly cache: Cache;
  readonly policy: CachePolicy;
  readonly metrics: CachingBucketMetrics;
  readonly log: Logger;
  readonly clock: Clock;
}

/** A cache before a bucket. */
export class CachingBucket implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #deps: CachingBucketDeps;
  readonly #log: QuietLog;

  constructor(bucket: Bucket, deps: CachingBucketDeps) {
    this.provider = bucket.provider;
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#deps = deps;
    this.#log = new QuietLog(deps.log, deps.clock);
  }

  async *iter(directory: string, options: IterOptions = {}): AsyncGenerator<string> {
    const { policy, metrics, clock } = this.#deps;
    directoryPrefix(directory);
    if (!policy.listings.matches(directory)) {
      yield* this.#bucket.iter(directory, options);
      return;
    }
    metrics.requests('iter', 'blocks-iter').inc();
    const key = iterKey(directory, options.recursive === true, policy.listings.configHash);
    const cached = await this.#find(key, decodeNames, options);
    if (cached !== undefined) {
      metrics.hits('iter', 'blocks-iter').inc();
      yield* cached;
      return;
    }
    const started = clock.monotonic();
    const names: string[] = [];
    for await (const name of this.#bucket.iter(directory, options)) {
      names.push(name);
      yield name;
    }
    // What was listed first is as old as the beginning.
    this.#store(key, encodeNames(names), policy.listings.ttlMs - (clock.monotonic() - started));
  }

  /** compat: with attributes, listings are not cached. */
  iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.#bucket.iterEntries(directory, options);
  }

  async get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    const { policy, metrics, clock, cache } = this.#deps;
    checkObjectName(name);
    if (!policy.content.matches(name)) return this.#bucket.get(name, options);
    metrics.requests('get', 'meta.jsons').inc();
    throwIfAborted(options.signal);
    const [contentAt, existsAt] = [contentKey(name), existsKey(name)];
    const found = await cache.fetch([contentAt, existsAt], { signal: options.signal });
    throwIfAborted(options.signal);
    const content = found.get(contentAt);
    const exists = found.get(existsAt);
    const isAbsent = exists !== undefined && decodeExists(exists) === false;
    if (content !== undefined || isAbsent) metrics.hits('get', 'meta.jsons').inc();
    if (content !== undefined) return new CachedStream(content, options.signal);
    if (isAbsent) throw objectNotFound(name);
    const started = clock.monotonic();
    const left = (ttlMs: number): number => ttlMs - (clock.monotonic() - started);
    const { bytesMax, contentTtlMs } = policy.content;
    try {
      const stream = await this.#bucket.get(name, options);
      this.#storeExists(name, true, started);
      return new KeepingStream(stream, bytesMax, (bytes) =>
        this.#store(contentAt, bytes, left(contentTtlMs)),
      );
    } catch (thrown) {
      if (isNotFound(thrown)) this.#storeExists(name, false, started);
      throw thrown;
    }
  }

  async getRange(
    name: string,
    range: ByteRange,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    const { policy, metrics, cache } = this.#deps;
    checkObjectName(name);
    checkRange(range);
    if (range.length === 0 || !policy.ranges.matches(name)) {
      return this.#bucket.getRange(name, range, options);
    }
    metrics.requests('get_range', 'chunks').inc();
    metrics.requestedBytes.inc(range.length);
    const { size } = await this.#attributes(name, options);
    const deps = { bucket: this.#bucket, cache, policy: policy.ranges, metrics };
    return readCachedRange(deps, { name, size }, range, options);
  }

  async exists(name: string, options: RequestOptions = {}): Promise<boolean> {
    const { policy, metrics, clock } = this.#deps;
    checkObjectName(name);
    if (!policy.content.matches(name)) return this.#bucket.exists(name, options);
    metrics.requests('exists', 'meta.jsons').inc();
    const cached = await this.#find(existsKey(name), decodeExists, options);
    if (cached !== undefined) {
      metrics.hits('exists', 'meta.jsons').inc();
      return cached;
    }
    const started = clock.monotonic();
    const exists = await this.#bucket.exists(name, options);
    this.#storeExists(name, exists, started);
    return exists;
  }

  async attributes(name: string, options: RequestOptions = {}): Promise<ObjectAttributes> {
    checkObjectName(name);
    if (!this.#deps.policy.ranges.matches(name)) return this.#bucket.attributes(name, options);
    return this.#attributes(name, options);
  }

  async #attributes(name: string, options: RequestOptions): Promise<ObjectAttributes> {
    const { policy, metrics } = this.#deps;
    metrics.requests('attributes', 'chunks').inc();
    const key = attributesKey(name);
    const cached = await this.#find(key, decodeAttributes, options);
    if (cached !== undefined) {
      metrics.hits('attributes', 'chunks').inc();
      return cached;
    }
    const attributes = await this.#bucket.attributes(name, options);
    this.#store(key, encodeAttributes(attributes), policy.ranges.attributesTtlMs);
    return attributes;
  }

  upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    return this.#bucket.upload(name, body, options);
  }

  delete(name: string, options?: RequestOptions): Promise<void> {
    return this.#bucket.delete(name, options);
  }

  async close(): Promise<void> {
    await this.#deps.cache.close();
    await this.#bucket.close();
  }

  /** What the cache has under a key, if it is what it should be. @throws CodedError canceled. */
  async #find<T>(
    key: string,
    decode: (bytes: Uint8Array) => T | undefined,
    { signal }: RequestOptions,
  ): Promise<T | undefined> {
    throwIfAborted(signal);
    const bytes = (await this.#deps.cache.fetch([key], { signal })).get(key);
    throwIfAborted(signal);
    if (bytes === undefined) return undefined;
    const value = decode(bytes);
    if (value === undefined) {
      this.#log.warn('failed to decode cached result', 'not what its key says', { key });
    }
    return value;
  }

  #store(key: string, bytes: Uint8Array, ttlMs: number): void {
    if (ttlMs > 0) this.#deps.cache.store(new Map([[key, bytes]]), ttlMs);
  }

  #storeExists(name: string, exists: boolean, started: number): void {
    const { policy, clock } = this.#deps;
    const { existsTtlMs, absentTtlMs } = policy.content;
    const age = clock.monotonic() - started;
    this.#store(existsKey(name), encodeExists(exists), (exists ? existsTtlMs : absentTtlMs) - age);
  }
}
