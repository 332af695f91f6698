/** The metrics of caching buckets: names as thanos pkg/store/cache/caching_bucket.go has them. */
import type { Counter, MetricsRegistry } from '../../lib/metrics.ts';
import type { PolicyName } from './policy.ts';

/** Values of the label `operation`. */
export type CachedOperation = 'iter' | 'get' | 'get_range' | 'exists' | 'attributes';

const OPERATIONS: readonly (readonly [CachedOperation, PolicyName])[] = [
  ['iter', 'blocks-iter'],
  ['exists', 'meta.jsons'],
  ['get', 'meta.jsons'],
  ['get_range', 'chunks'],
  ['attributes', 'chunks'],
];

/** What a caching bucket counts. */
export interface CachingBucketMetrics {
  requests(operation: CachedOperation, policy: PolicyName): Counter;
  /** A read of several parts counts the share of them that was there. */
  hits(operation: CachedOperation, policy: PolicyName): Counter;
  /** Bytes that ranged reads asked for. */
  readonly requestedBytes: Counter;
  /** Bytes of whole parts that came from the cache or the bucket. */
  fetchedBytes(origin: 'cache' | 'bucket'): Counter;
  /** Bytes that came from the bucket although the cache had them. */
  readonly refetchedBytes: Counter;
}

/** Registers them; once a process. */
export function registerCachingBucketMetrics(registry: MetricsRegistry): CachingBucketMetrics {
  const name = (suffix: string): string => `thanos_store_bucket_cache_${suffix}`;
  const requests = registry.counterFamily(
    name('operation_requests_total'),
    'Operations on a bucket of kinds that are cached.',
    ['operation', 'config'],
  );
  const hits = registry.counterFamily(
    name('operation_hits_total'),
    'Operations on a bucket that the cache answered.',
    ['operation', 'config'],
  );
  const requested = registry.counterFamily(
    name('getrange_requested_bytes_total'),
    'Bytes that ranged reads asked for.',
    ['config'],
  );
  const fetched = registry.counterFamily(
    name('getrange_fetched_bytes_total'),
    'Bytes that ranged reads fetched, by where from.',
    ['origin', 'config'],
  );
  const refetched = registry.counterFamily(
    name('getrange_refetched_bytes_total'),
    'Bytes that ranged reads fetched from the bucket although the cache had them.',
    ['origin', 'config'],
  );
  for (const [operation, policy] of OPERATIONS) {
    for (const family of [requests, hits]) family.with(operation, policy);
  }
  const byOrigin = {
    cache: fetched.with('cache', 'chunks'),
    bucket: fetched.with('bucket', 'chunks'),
  };
  return {
    requests: (operation, policy) => requests.with(operation, policy),
    hits: (operation, policy) => hits.with(operation, policy),
    requestedBytes: requested.with('chunks'),
    fetchedBytes: (origin) => byOrigin[origin],
    refetchedBytes: refetched.with('cache', 'chunks'),
  };
}
