/** A cache on servers, and how many of its keys were there. Names: thanos pkg/cache/memcached.go, redis.go. */
import type { Counter, MetricsRegistry } from '../lib/metrics.ts';
import type { Cache, FetchOptions, RemoteClient } from './cache.ts';

/** What one cache counts. */
export interface RemoteCacheMetrics {
  readonly requests: Counter;
  readonly hits: Counter;
}

/** Registers the families of one kind of server and returns what makes the metrics of each cache by its name. */
export function registerRemoteCacheMetrics(
  registry: MetricsRegistry,
  kind: 'memcached' | 'redis',
): (cacheName: string) => RemoteCacheMetrics {
  const name = (suffix: string): string => `thanos_cache_${kind}_${suffix}`;
  const asked = `Keys that ${kind} was asked for.`;
  const requests = registry.counterFamily(name('requests_total'), asked, ['name']);
  const hits = registry.counterFamily(name('hits_total'), 'Keys that were there.', ['name']);
  return (cache) => ({ requests: requests.with(cache), hits: hits.with(cache) });
}

/** A client as a cache. Closes the client with itself. */
export class RemoteCache implements Cache {
  readonly name: string;
  readonly #client: RemoteClient;
  readonly #metrics: RemoteCacheMetrics;

  constructor(name: string, client: RemoteClient, metrics: RemoteCacheMetrics) {
    this.name = name;
    this.#client = client;
    this.#metrics = metrics;
  }

  async fetch(
    keys: readonly string[],
    options: FetchOptions = {},
  ): Promise<Map<string, Uint8Array>> {
    this.#metrics.requests.inc(keys.length);
    const found = await this.#client.getMulti(keys, options);
    this.#metrics.hits.inc(found.size);
    return found;
  }

  store(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void {
    this.#client.setMany(entries, ttlMs);
  }

  settled(): Promise<void> {
    return this.#client.settled();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
