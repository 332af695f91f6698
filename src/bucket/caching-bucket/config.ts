/**
 * `--store.caching-bucket.config`. Behaviour: thanos pkg/store/cache/caching_bucket_factory.go, pkg/cache/groupcache.go.
 */
import { loadHashes } from '../../cache/load-hashes.ts';
import { cacheFields } from '../../cache/config-fields.ts';
import {
  type CacheConfig,
  type CacheDeps,
  CACHE_TYPES,
  openCache,
  readCacheConfig,
} from '../../cache/open-cache.ts';
import { CodedError } from '../../lib/errors.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { StrictYaml, YamlSource } from '../../lib/strict-yaml.ts';
import { parseStrictYaml } from '../../lib/strict-yaml.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { configHash } from './cache-keys.ts';
import { CachingBucket } from './caching-bucket.ts';
import { registerCachingBucketMetrics } from './metrics.ts';
import { type CachePolicy, isBlocksRoot, isChunkSegment, isMetaFile } from './policy.ts';

/** The configuration of a caching bucket. */
export interface CachingBucketConfig {
  readonly cache: CacheConfig;
  readonly policy: CachePolicy;
}

const HOUR = 3600_000;
const MINUTE = 60_000;

/**
 * Reads the text of a configuration. `path` is that of its file, '' when it came in a flag: it is part of the keys of
 * listings, as in Go.
 * @throws CodedError bad_data with file, line and field; not_implemented for GROUPCACHE.
 */
export async function parseCachingBucketConfig(
  source: YamlSource,
  path: string,
): Promise<CachingBucketConfig> {
  const yaml = await parseStrictYaml(source);
  const given = yaml.read([], (z) => {
    const { count, integer, size, duration } = cacheFields(z);
    return z.strictObject({
      type: z.string().optional(),
      config: z.unknown().optional(),
      chunk_subrange_size: count(16_000),
      max_chunks_get_range_requests: integer(3),
      metafile_max_size: size(1024 * 1024),
      chunk_object_attrs_ttl: duration(24 * HOUR),
      chunk_subrange_ttl: duration(24 * HOUR),
      blocks_iter_ttl: duration(5 * MINUTE),
      metafile_exists_ttl: duration(2 * HOUR),
      metafile_doesnt_exist_ttl: duration(15 * MINUTE),
      metafile_content_ttl: duration(24 * HOUR),
    });
  });
  if (given.chunk_subrange_size === 0) {
    throw yaml.errorAt(['chunk_subrange_size'], 'is 0, expected the bytes of a part');
  }
  const type = cacheType(yaml, given.type ?? '');
  return {
    cache: readCacheConfig(yaml, ['config'], type),
    policy: {
      ranges: {
        matches: isChunkSegment,
        subrangeSize: given.chunk_subrange_size,
        requestsMax: given.max_chunks_get_range_requests,
        attributesTtlMs: given.chunk_object_attrs_ttl,
        subrangeTtlMs: given.chunk_subrange_ttl,
      },
      content: {
        matches: isMetaFile,
        bytesMax: given.metafile_max_size,
        contentTtlMs: given.metafile_content_ttl,
        existsTtlMs: given.metafile_exists_ttl,
        absentTtlMs: given.metafile_doesnt_exist_ttl,
      },
      listings: {
        matches: isBlocksRoot,
        ttlMs: given.blocks_iter_ttl,
        configHash: configHash(await loadHashes(), source.text, path),
      },
    },
  };
}

function cacheType(yaml: StrictYaml, given: string): CacheConfig['type'] {
  const upper = given.toUpperCase();
  const type = CACHE_TYPES.find((known) => known === upper);
  if (type !== undefined) return type;
  const expected = `expected ${CACHE_TYPES.join(', ')}`;
  if (upper === 'GROUPCACHE') refuseGroupcache(yaml, expected);
  const what = `unsupported cache type: ${given.slice(0, 100)}, ${expected}`;
  throw yaml.errorAt(['type'], given === '' ? `missing, ${expected}` : what);
}

/** Mistakes in it are told before that it is of no use. */
function refuseGroupcache(yaml: StrictYaml, expected: string): never {
  const given = yaml.read(['config'], (z) => {
    const { text, size, duration } = cacheFields(z);
    return z.strictObject({
      peers: z.array(z.string()).optional(),
      self_url: text(),
      max_size: size(250 * 1024 * 1024),
      groupcache_group: text(),
      dns_sd_resolver: text(),
      dns_interval: duration(MINUTE),
      timeout: duration(2000),
    });
  });
  const { peers = [], self_url: self } = given;
  peers.forEach((peer, i) => {
    if (!peer.endsWith('/')) return;
    const what = `peer ${i} must not have a trailing slash (${peer})`;
    throw yaml.errorAt(['config', 'peers', i], what);
  });
  if (self.endsWith('/')) {
    const what = `self URL ${self} must not have a trailing slash`;
    throw yaml.errorAt(['config', 'self_url'], what);
  }
  const what = `caches of type GROUPCACHE are not implemented yet, ${expected}`;
  throw new CodedError('not_implemented', yaml.errorAt(['type'], what).message);
}

/** What a caching bucket takes: metrics are registered, so it is opened once a process. */
export interface CachingBucketOpenDeps extends CacheDeps {
  readonly registry: MetricsRegistry;
}

/** Puts the cache that a configuration describes before a bucket. Closing it closes both. */
export async function openCachingBucket(
  bucket: Bucket,
  { cache, policy }: CachingBucketConfig,
  deps: CachingBucketOpenDeps,
): Promise<Bucket> {
  const { registry, log, clock } = deps;
  const opened = await openCache('caching-bucket', cache, deps);
  const metrics = registerCachingBucketMetrics(registry);
  return new CachingBucket(bucket, { cache: opened, policy, metrics, log, clock });
}
