/** The metrics of caches in this process' memory: names as thanos pkg/cache/inmemory.go has them. */
import type { Counter, Gauge, MetricsRegistry } from '../lib/metrics.ts';

/** What one cache counts. */
export interface InMemoryMetrics {
  readonly requests: Counter;
  readonly hits: Counter;
  readonly hitsOnExpired: Counter;
  readonly added: Counter;
  readonly evicted: Counter;
  readonly overflowed: Counter;
  readonly items: Gauge;
  /** Bytes of values. */
  readonly itemsSize: Gauge;
  /** Bytes of values and keys. */
  readonly totalSize: Gauge;
  readonly maxSize: Gauge;
  readonly maxItemSize: Gauge;
}

/** Registers the families and returns what makes the metrics of each cache by its name. */
export function registerInMemoryMetrics(
  registry: MetricsRegistry,
): (cacheName: string) => InMemoryMetrics {
  const counter = (suffix: string, help: string) =>
    registry.counterFamily(`thanos_cache_inmemory_${suffix}`, help, ['name']);
  const gauge = (suffix: string, help: string) =>
    registry.gaugeFamily(`thanos_cache_inmemory_${suffix}`, help, ['name']);
  const requests = counter('requests_total', 'Keys that the cache was asked for.');
  const hits = counter('hits_total', 'Keys that were there.');
  const expired = counter(
    'hits_on_expired_data_total',
    'Keys that were there, but whose time to live was over.',
  );
  const added = counter('items_added_total', 'Items that were put into the cache.');
  const evicted = counter('items_evicted_total', 'Items that left the cache.');
  const overflowed = counter('items_overflowed_total', 'Items that were too large for the cache.');
  const items = gauge('items', 'Items in the cache.');
  const itemsSize = gauge('items_size_bytes', 'Bytes of the values in the cache.');
  const totalSize = gauge('total_size_bytes', 'Bytes of the values and keys in the cache.');
  const maxSize = gauge('max_size_bytes', 'Bytes of memory that the cache may take.');
  const maxItemSize = gauge('max_item_size_bytes', 'Bytes that the value of one item may have.');
  return (name) => ({
    requests: requests.with(name),
    hits: hits.with(name),
    hitsOnExpired: expired.with(name),
    added: added.with(name),
    evicted: evicted.with(name),
    overflowed: overflowed.with(name),
    items: items.with(name),
    itemsSize: itemsSize.with(name),
    totalSize: totalSize.with(name),
    maxSize: maxSize.with(name),
    maxItemSize: maxItemSize.with(name),
  });
}
