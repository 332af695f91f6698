/** The metrics of index caches: names as thanos pkg/store/cache/cache.go, inmemory.go and pkg/store/bucket.go have them. */
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import { INDEX_ITEMS } from './index-cache.ts';

/** The tenant of whoever says none. */
const DEFAULT_TENANT = 'default-tenant';

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE_BUCKETS = [
  32,
  256,
  512,
  KIB,
  32 * KIB,
  256 * KIB,
  512 * KIB,
  MIB,
  ...[32, 64, 128, 256, 512].map((mib) => mib * MIB),
];
const DURATION_BUCKETS = [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 10, 15, 20, 30, 45, 60, 90, 120];

/** What every index cache counts, by item type and tenant. */
export interface IndexCacheMetrics {
  readonly requests: Family<Counter>;
  readonly hits: Family<Counter>;
  readonly storedSize: Family<Histogram>;
  /** Seconds. */
  readonly fetchDuration: Family<Histogram>;
}

/** Registers them; once a process. */
export function registerIndexCacheMetrics(registry: MetricsRegistry): IndexCacheMetrics {
  const labels = ['item_type', 'tenant'];
  const name = (suffix: string): string => `thanos_store_index_cache_${suffix}`;
  const metrics = {
    requests: registry.counterFamily(
      name('requests_total'),
      'Items that the index cache was asked for.',
      labels,
    ),
    hits: registry.counterFamily(name('hits_total'), 'Items that were there.', labels),
    storedSize: registry.histogramFamily(
      name('stored_data_size_bytes'),
      'Bytes of an item that was stored.',
      SIZE_BUCKETS,
      labels,
    ),
    fetchDuration: registry.histogramFamily(
      name('fetch_duration_seconds'),
      'How long fetching items from the index cache took.',
      DURATION_BUCKETS,
      labels,
    ),
  };
  for (const item of INDEX_ITEMS) {
    metrics.requests.with(item, DEFAULT_TENANT);
    metrics.hits.with(item, DEFAULT_TENANT);
  }
  return metrics;
}

/** What an index cache in memory counts besides, by item type. */
export interface InMemoryIndexMetrics {
  readonly evicted: Family<Counter>;
  readonly added: Family<Counter>;
  readonly overflowed: Family<Counter>;
  readonly items: Family<Gauge>;
  /** Bytes of values, and 16 each. */
  readonly itemsSize: Family<Gauge>;
  /** Bytes of values and keys. */
  readonly totalSize: Family<Gauge>;
  readonly maxSize: Gauge;
  readonly maxItemSize: Gauge;
}

/** Registers them; once a process. */
export function registerInMemoryIndexMetrics(registry: MetricsRegistry): InMemoryIndexMetrics {
  const name = (suffix: string): string => `thanos_store_index_cache_${suffix}`;
  const counter = (suffix: string, help: string): Family<Counter> =>
    registry.counterFamily(name(suffix), help, ['item_type']);
  const gauge = (suffix: string, help: string): Family<Gauge> =>
    registry.gaugeFamily(name(suffix), help, ['item_type']);
  const byType = {
    evicted: counter('items_evicted_total', 'Items that left the index cache.'),
    added: counter('items_added_total', 'Items that were put into the index cache.'),
    overflowed: counter('items_overflowed_total', 'Items that were too large for the index cache.'),
    items: gauge('items', 'Items in the index cache.'),
    itemsSize: gauge('items_size_bytes', 'Bytes of the items in the index cache.'),
    totalSize: gauge(
      'total_size_bytes',
      'Bytes of the items in the index cache and of their keys.',
    ),
  };
  for (const item of INDEX_ITEMS) for (const family of Object.values(byType)) family.with(item);
  return {
    ...byType,
    maxSize: registry.gauge(
      name('max_size_bytes'),
      'Bytes of memory that the index cache may take.',
    ),
    maxItemSize: registry.gauge(name('max_item_size_bytes'), 'Bytes that one item may have.'),
  };
}

/** What coding of postings counts. */
export interface PostingsCodecMetrics {
  /** By `op` (encode, decode) and tenant. */
  readonly done: Family<Counter>;
  readonly failed: Family<Counter>;
  /** Seconds. */
  readonly time: Family<Counter>;
  /** By tenant: four bytes an id, and what was made of them. */
  readonly originalSize: Family<Counter>;
  readonly compressedSize: Family<Counter>;
}

/** Registers them; once a process. */
export function registerPostingsCodecMetrics(registry: MetricsRegistry): PostingsCodecMetrics {
  const name = (suffix: string): string => `thanos_bucket_store_cached_postings_${suffix}`;
  const byOperation = ['op', 'tenant'];
  const metrics = {
    done: registry.counterFamily(
      name('compressions_total'),
      'Postings that were coded for the index cache.',
      byOperation,
    ),
    failed: registry.counterFamily(
      name('compression_errors_total'),
      'Postings that could not be coded; what is found and cannot be decoded is a miss.',
      byOperation,
    ),
    time: registry.counterFamily(
      name('compression_time_seconds_total'),
      'How long coding postings took.',
      byOperation,
    ),
    originalSize: registry.counterFamily(
      name('original_size_bytes_total'),
      'Bytes of postings before they were coded.',
      ['tenant'],
    ),
    compressedSize: registry.counterFamily(
      name('compressed_size_bytes_total'),
      'Bytes of postings after they were coded.',
      ['tenant'],
    ),
  };
  for (const op of ['encode', 'decode']) {
    for (const family of [metrics.done, metrics.failed, metrics.time]) {
      family.with(op, DEFAULT_TENANT);
    }
  }
  return metrics;
}
