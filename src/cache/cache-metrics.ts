/**
 * The metrics of all caches of a process: one is made, and handed to whoever opens a cache. Families of a kind are there
 * once a cache of that kind is.
 */
import type { MetricsRegistry } from '../lib/metrics.ts';
import { type InMemoryMetrics, registerInMemoryMetrics } from './in-memory-metrics.ts';
import type { MemcachedConfig } from './memcached/config.ts';
import { type MemcachedMetrics, registerMemcachedMetrics } from './memcached/metrics.ts';
import { type RedisMetrics, registerRedisMetrics } from './redis/metrics.ts';
import { type RemoteCacheMetrics, registerRemoteCacheMetrics } from './remote-cache.ts';

/** Makes metrics by the name of a cache: `index-cache`, `caching-bucket`. A name is used once. */
export class CacheMetrics {
  readonly inMemory: (name: string) => InMemoryMetrics;
  readonly memcached: (name: string, config: MemcachedConfig) => MemcachedMetrics;
  readonly memcachedCache: (name: string) => RemoteCacheMetrics;
  readonly redis: (name: string) => RedisMetrics;
  readonly redisCache: (name: string) => RemoteCacheMetrics;

  constructor(registry: MetricsRegistry) {
    const inMemory = once(() => registerInMemoryMetrics(registry));
    const memcached = once(() => registerMemcachedMetrics(registry));
    const memcachedCache = once(() => registerRemoteCacheMetrics(registry, 'memcached'));
    const redis = once(() => registerRedisMetrics(registry));
    const redisCache = once(() => registerRemoteCacheMetrics(registry, 'redis'));
    this.inMemory = (name) => inMemory()(name);
    this.memcached = (name, config) => memcached()(name, config);
    this.memcachedCache = (name) => memcachedCache()(name);
    this.redis = (name) => redis()(name);
    this.redisCache = (name) => redisCache()(name);
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
