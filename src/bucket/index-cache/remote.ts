/** The index cache on memcached or redis. Behaviour: thanos pkg/store/cache/memcached.go. */
import type { FetchOptions, RemoteClient } from '../../cache/cache.ts';
import type { Hashes } from '../../cache/hashes.ts';
import { loadHashes } from '../../cache/load-hashes.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Matcher } from '../../model/matcher.ts';
import {
  type PostingsLabel,
  expandedPostingsKey,
  postingsKey,
  seriesKey,
  sortMatchers,
} from './cache-keys.ts';
import type { Found, IndexCache, IndexItem, IndexScope } from './index-cache.ts';
import type { IndexCacheMetrics } from './metrics.ts';

/** What the cache takes. */
export interface RemoteIndexDeps {
  /** Closed with the cache. */
  readonly client: RemoteClient;
  readonly metrics: IndexCacheMetrics;
  readonly clock: Clock;
  readonly ttlMs: number;
}

/** One request for all keys of a fetch. */
export class RemoteIndexCache implements IndexCache {
  readonly #deps: RemoteIndexDeps;
  readonly #hashes: Hashes;

  private constructor(deps: RemoteIndexDeps, hashes: Hashes) {
    this.#deps = deps;
    this.#hashes = hashes;
  }

  /** Makes the cache. */
  static async open(deps: RemoteIndexDeps): Promise<RemoteIndexCache> {
    return new RemoteIndexCache(deps, await loadHashes());
  }

  storePostings(scope: IndexScope, label: PostingsLabel, value: Uint8Array): void {
    this.#set(scope, 'Postings', postingsKey(this.#hashes, scope.block, label), value);
  }

  fetchPostings(
    scope: IndexScope,
    labels: readonly PostingsLabel[],
    options?: FetchOptions,
  ): Promise<Found> {
    const keys = labels.map((label) => postingsKey(this.#hashes, scope.block, label));
    return this.#fetch(scope, 'Postings', keys, options);
  }

  storeExpandedPostings(scope: IndexScope, matchers: readonly Matcher[], value: Uint8Array): void {
    this.#set(scope, 'ExpandedPostings', this.#expandedKey(scope, matchers), value);
  }

  async fetchExpandedPostings(
    scope: IndexScope,
    matchers: readonly Matcher[],
    options?: FetchOptions,
  ): Promise<Uint8Array | undefined> {
    const key = this.#expandedKey(scope, matchers);
    const [found] = await this.#fetch(scope, 'ExpandedPostings', [key], options);
    return found;
  }

  #expandedKey({ block }: IndexScope, matchers: readonly Matcher[]): string {
    return expandedPostingsKey(this.#hashes, block, sortMatchers(matchers));
  }

  storeSeries(scope: IndexScope, ref: number, value: Uint8Array): void {
    this.#set(scope, 'Series', seriesKey(scope.block, ref), value);
  }

  fetchSeries(scope: IndexScope, refs: ArrayLike<number>, options?: FetchOptions): Promise<Found> {
    const keys = Array.from(refs, (ref) => seriesKey(scope.block, ref));
    return this.#fetch(scope, 'Series', keys, options);
  }

  async #fetch(
    { tenant }: IndexScope,
    type: IndexItem,
    keys: readonly string[],
    options: FetchOptions | undefined,
  ): Promise<Found> {
    const { client, metrics, clock } = this.#deps;
    const started = clock.monotonic();
    metrics.requests.with(type, tenant).inc(keys.length);
    const values = await client.getMulti(keys, options);
    const found = keys.map((key) => values.get(key));
    const hits = found.reduce((sum, value) => (value === undefined ? sum : sum + 1), 0);
    metrics.hits.with(type, tenant).inc(hits);
    metrics.fetchDuration.with(type, tenant).observe((clock.monotonic() - started) / 1000);
    return found;
  }

  #set({ tenant }: IndexScope, type: IndexItem, key: string, value: Uint8Array): void {
    const { client, metrics, ttlMs } = this.#deps;
    metrics.storedSize.with(type, tenant).observe(value.length);
    // A copy: until it is sent, the value would hold a large buffer, or be shared memory, which sockets refuse.
    client.setLater(key, value.slice(), ttlMs);
  }

  close(): Promise<void> {
    return this.#deps.client.close();
  }
}
