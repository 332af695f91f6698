/** Configurations of all kinds of caches, and what they open. Behaviour: thanos pkg/store/cache/factory.go. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { StrictYaml, YamlPath } from '../lib/strict-yaml.ts';
import type { Cache, RemoteClient } from './cache.ts';
import type { CacheMetrics } from './cache-metrics.ts';
import { InMemoryCache } from './in-memory.ts';
import { type InMemoryConfig, readInMemoryConfig } from './in-memory-config.ts';
import { MemcachedClient } from './memcached/client.ts';
import { type MemcachedConfig, readMemcachedConfig } from './memcached/config.ts';
import { QuietLog } from './quiet-log.ts';
import { type LoadTls, RedisClient } from './redis/client.ts';
import { type RedisConfig, readRedisConfig } from './redis/config.ts';
import { RemoteCache } from './remote-cache.ts';
import type { ResolveAddresses } from './resolve-addresses.ts';

/** A cache on servers. */
export type RemoteConfig =
  | { readonly type: 'MEMCACHED'; readonly config: MemcachedConfig }
  | { readonly type: 'REDIS'; readonly config: RedisConfig };

/** Any cache. */
export type CacheConfig =
  | { readonly type: 'IN-MEMORY'; readonly config: InMemoryConfig }
  | RemoteConfig;

/** The kinds of caches. */
export const CACHE_TYPES: readonly CacheConfig['type'][] = ['IN-MEMORY', 'MEMCACHED', 'REDIS'];

/** What caches take. */
export interface CacheDeps {
  readonly log: Logger;
  readonly metrics: CacheMetrics;
  readonly clock: Clock;
  /** How redis reads certificates; without, a configuration with TLS is refused when it is opened. */
  readonly loadTls: LoadTls;
  /** How memcached finds servers; this machine's DNS by default. */
  readonly resolve?: ResolveAddresses | undefined;
}

/** Reads the configuration of one kind. @throws CodedError bad_data with file, line and field. */
export function readCacheConfig(
  yaml: StrictYaml,
  path: YamlPath,
  type: CacheConfig['type'],
): CacheConfig {
  switch (type) {
    case 'IN-MEMORY':
      return { type, config: readInMemoryConfig(yaml, path) };
    case 'MEMCACHED':
      return { type, config: readMemcachedConfig(yaml, path) };
    case 'REDIS':
      return { type, config: readRedisConfig(yaml, path) };
  }
}

/** Opens a client, for those that count hits themselves. The caller closes it. */
export async function openRemoteClient(
  name: string,
  { type, config }: RemoteConfig,
  deps: CacheDeps,
): Promise<RemoteClient> {
  const { metrics, clock, resolve, loadTls } = deps;
  const log = deps.log.with({ name });
  const quiet = new QuietLog(log, clock);
  if (type === 'MEMCACHED') {
    const own = metrics.memcached(name, config);
    return MemcachedClient.open(config, { log: quiet, metrics: own, clock, resolve });
  }
  if (config.cacheBytes > 0) {
    log.warn('cache_size is not implemented yet: every key is asked of redis');
  }
  return RedisClient.open(config, { log: quiet, metrics: metrics.redis(name), clock, loadTls });
}

/** Opens a cache. The caller closes it. */
export async function openCache(name: string, cache: CacheConfig, deps: CacheDeps): Promise<Cache> {
  if (cache.type === 'IN-MEMORY') {
    return new InMemoryCache(name, cache.config, deps.metrics.inMemory(name), deps.clock);
  }
  const client = await openRemoteClient(name, cache, deps);
  const kind = cache.type === 'MEMCACHED' ? 'memcachedCache' : 'redisCache';
  return new RemoteCache(name, client, deps.metrics[kind](name));
}
