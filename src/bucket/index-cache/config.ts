/**
 * `--index-cache.config`: `{type, config, enabled_items, ttl}`. Behaviour: thanos pkg/store/cache/factory.go; there, a
 * misspelt field inside `config` is overlooked.
 */
import { inMemoryOfSize } from '../../cache/in-memory-config.ts';
import {
  type CacheConfig,
  type CacheDeps,
  CACHE_TYPES,
  openRemoteClient,
  readCacheConfig,
} from '../../cache/open-cache.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { StrictYaml, YamlSource } from '../../lib/strict-yaml.ts';
import { parseStrictYaml } from '../../lib/strict-yaml.ts';
import { durationScalar } from '../../lib/yaml-scalars.ts';
import { FilteredIndexCache } from './filtered.ts';
import { InMemoryIndexCache } from './in-memory.ts';
import { INDEX_ITEMS, type IndexCache, type IndexItem } from './index-cache.ts';
import { registerIndexCacheMetrics, registerInMemoryIndexMetrics } from './metrics.ts';
import { RemoteIndexCache } from './remote.ts';

/** The configuration of an index cache. */
export interface IndexCacheConfig {
  readonly cache: CacheConfig;
  /** All when nothing is said. */
  readonly enabledItems: readonly IndexItem[];
  /** Of what is stored on servers. */
  readonly ttlMs: number;
}

const TTL_MS_DEFAULT = 24 * 3600_000;

/** Reads the text of a configuration. @throws CodedError bad_data with file, line and field. */
export async function parseIndexCacheConfig(source: YamlSource): Promise<IndexCacheConfig> {
  const yaml = await parseStrictYaml(source);
  const given = yaml.read([], (z) =>
    z.strictObject({
      type: z.string().optional(),
      config: z.unknown().optional(),
      enabled_items: z.array(z.string()).optional(),
      ttl: durationScalar(z).optional(),
    }),
  );
  const type = cacheType(yaml, given.type ?? '');
  const { enabled_items: enabled = [], ttl = 0 } = given;
  const enabledItems = enabled.map((name, i) => {
    const item = INDEX_ITEMS.find((known) => known === name);
    if (item !== undefined) return item;
    const what = `unsupported item type ${name.slice(0, 100)}, expected ${INDEX_ITEMS.join(', ')}`;
    throw yaml.errorAt(['enabled_items', i], what);
  });
  if (ttl < 0) throw yaml.errorAt(['ttl'], 'is negative, expected 0 or more');
  return {
    cache: readCacheConfig(yaml, ['config'], type),
    enabledItems: enabledItems.length === 0 ? INDEX_ITEMS : enabledItems,
    ttlMs: ttl === 0 ? TTL_MS_DEFAULT : ttl,
  };
}

function cacheType(yaml: StrictYaml, given: string): CacheConfig['type'] {
  const type = CACHE_TYPES.find((known) => known === given.toUpperCase());
  if (type !== undefined) return type;
  const expected = `expected ${CACHE_TYPES.join(', ')}`;
  const what = `index cache with type ${given.slice(0, 100)} is not supported, ${expected}`;
  throw yaml.errorAt(['type'], given === '' ? `missing, ${expected}` : what);
}

/** The configuration without a text: `--index-cache-size`, in bytes. */
export function indexCacheOfSize(bytesMax: number): IndexCacheConfig {
  const cache = { type: 'IN-MEMORY', config: inMemoryOfSize(bytesMax) } as const;
  return { cache, enabledItems: INDEX_ITEMS, ttlMs: TTL_MS_DEFAULT };
}

/** What an index cache takes: metrics are registered, so it is opened once a process. */
export interface IndexCacheDeps extends CacheDeps {
  readonly registry: MetricsRegistry;
}

/** Opens the cache that a configuration describes. The caller closes it. */
export async function openIndexCache(
  { cache, enabledItems, ttlMs }: IndexCacheConfig,
  deps: IndexCacheDeps,
): Promise<IndexCache> {
  const { registry, clock } = deps;
  const metrics = registerIndexCacheMetrics(registry);
  const opened =
    cache.type === 'IN-MEMORY'
      ? new InMemoryIndexCache(cache.config, {
          metrics,
          ownMetrics: registerInMemoryIndexMetrics(registry),
          clock,
        })
      : await RemoteIndexCache.open({
          client: await openRemoteClient('index-cache', cache, deps),
          metrics,
          clock,
          ttlMs,
        });
  const isFiltered = enabledItems.length < INDEX_ITEMS.length;
  return isFiltered ? new FilteredIndexCache(opened, enabledItems) : opened;
}
