/**
 * Postings in an index cache, decoded: what is found and cannot be decoded is a miss that is counted and logged. Names:
 * thanos pkg/store/bucket.go; there, a cached posting that does not decode fails the query.
 */
import type { FetchOptions } from '../../cache/cache.ts';
import { QuietLog } from '../../cache/quiet-log.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PostingsLabel } from './cache-keys.ts';
import type { IndexCache, IndexScope } from './index-cache.ts';
import type { PostingsCodecMetrics } from './metrics.ts';
import { decodePostings, encodePostings } from './postings-codec.ts';

/** What it takes. */
export interface PostingsCacheDeps {
  readonly metrics: PostingsCodecMetrics;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Ascending ids of an index' postings by label and by matchers. */
export class PostingsCache {
  readonly #cache: IndexCache;
  readonly #metrics: PostingsCodecMetrics;
  readonly #log: QuietLog;
  readonly #clock: Clock;

  constructor(cache: IndexCache, { metrics, log, clock }: PostingsCacheDeps) {
    this.#cache = cache;
    this.#metrics = metrics;
    this.#log = new QuietLog(log, clock);
    this.#clock = clock;
  }

  /** Stores ids, which are read at once. */
  store(scope: IndexScope, label: PostingsLabel, ids: Uint32Array): void {
    this.#cache.storePostings(scope, label, this.#encode(scope, ids));
  }

  /** The ids of each label, in their order. Never rejects. */
  async fetch(
    scope: IndexScope,
    labels: readonly PostingsLabel[],
    options?: FetchOptions,
  ): Promise<(Uint32Array | undefined)[]> {
    const found = await this.#cache.fetchPostings(scope, labels, options);
    return found.map((bytes) => this.#decode(scope, bytes));
  }

  /** Stores the ids that satisfy all matchers. */
  storeExpanded(scope: IndexScope, matchers: readonly Matcher[], ids: Uint32Array): void {
    this.#cache.storeExpandedPostings(scope, matchers, this.#encode(scope, ids));
  }

  /** The ids that satisfy all matchers. Never rejects. */
  async fetchExpanded(
    scope: IndexScope,
    matchers: readonly Matcher[],
    options?: FetchOptions,
  ): Promise<Uint32Array | undefined> {
    return this.#decode(scope, await this.#cache.fetchExpandedPostings(scope, matchers, options));
  }

  #encode({ tenant }: IndexScope, ids: Uint32Array): Uint8Array {
    const started = this.#clock.monotonic();
    const bytes = encodePostings(ids);
    this.#count('encode', tenant, started);
    this.#metrics.originalSize.with(tenant).inc(ids.length * 4);
    this.#metrics.compressedSize.with(tenant).inc(bytes.length);
    return bytes;
  }

  #decode({ block, tenant }: IndexScope, bytes: Uint8Array | undefined): Uint32Array | undefined {
    if (bytes === undefined) return undefined;
    const started = this.#clock.monotonic();
    try {
      return decodePostings(bytes);
    } catch (thrown) {
      this.#metrics.failed.with('decode', tenant).inc();
      this.#log.warn('failed to decode cached postings, refetch postings', thrown, { id: block });
      return undefined;
    } finally {
      this.#count('decode', tenant, started);
    }
  }

  #count(op: 'encode' | 'decode', tenant: string, started: number): void {
    this.#metrics.done.with(op, tenant).inc();
    this.#metrics.time.with(op, tenant).inc((this.#clock.monotonic() - started) / 1000);
  }
}
