/** The metrics of memcached clients: names as thanos pkg/cacheutil/memcached_client.go and its providers have them. */
import { formatGoDuration } from '../../lib/go-duration.ts';
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import type { CacheFailure } from '../cache.ts';
import { type GateMetrics, registerGateMetrics } from '../metered-gate.ts';
import type { MemcachedConfig } from './config.ts';

/** Values of the label `operation`. */
export type MemcachedOperation = 'getmulti' | 'set';

const OPERATIONS: readonly MemcachedOperation[] = ['getmulti', 'set'];
const FAILURES: readonly CacheFailure[] = [
  'timeout',
  'malformed-key',
  'server-error',
  'network-error',
  'other',
];
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 6, 10];
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
  32 * MIB,
  256 * MIB,
  512 * MIB,
];

/** What one client counts. */
export interface MemcachedMetrics {
  operations(operation: MemcachedOperation): Counter;
  failures(operation: MemcachedOperation, reason: CacheFailure): Counter;
  skipped(reason: 'max-item-size' | 'async-buffer-full'): Counter;
  /** Seconds. */
  duration(operation: MemcachedOperation): Histogram;
  dataSize(operation: MemcachedOperation): Histogram;
  readonly gate: GateMetrics;
  readonly lookups: Counter;
  readonly lookupFailures: Counter;
  /** How many servers an address stands for. */
  found(address: string): Gauge;
  /** The version of the configuration that an endpoint gave; only with auto-discovery. */
  configVersion(address: string): Gauge;
}

type MakeMetrics = (clientName: string, config: MemcachedConfig) => MemcachedMetrics;

/** Registers the families and returns what makes the metrics of each client by its name. */
export function registerMemcachedMetrics(registry: MetricsRegistry): MakeMetrics {
  const name = (suffix: string): string => `thanos_memcached_${suffix}`;
  const operations = registry.counterFamily(
    name('operations_total'),
    'Operations that were started on memcached.',
    ['name', 'operation'],
  );
  const failures = registry.counterFamily(
    name('operation_failures_total'),
    'Operations on memcached that failed.',
    ['name', 'operation', 'reason'],
  );
  const skipped = registry.counterFamily(
    name('operation_skipped_total'),
    'Operations that were not sent to memcached.',
    ['name', 'operation', 'reason'],
  );
  const duration = registry.histogramFamily(
    name('operation_duration_seconds'),
    'How long operations on memcached took that went well.',
    DURATION_BUCKETS,
    ['name', 'operation'],
  );
  const dataSize = registry.histogramFamily(
    name('operation_data_size_bytes'),
    'Bytes of values that an operation stored in memcached or fetched from it.',
    SIZE_BUCKETS,
    ['name', 'operation'],
  );
  const gate = registerGateMetrics(registry, name('getmulti_'), 'gets');
  const info = registerInfo(registry);
  const providers = registerProviders(registry);
  return (client, config) => {
    for (const operation of OPERATIONS) {
      for (const family of [operations, duration, dataSize]) family.with(client, operation);
      for (const reason of FAILURES) failures.with(client, operation, reason);
      skipped.with(client, operation, 'max-item-size');
    }
    skipped.with(client, 'set', 'async-buffer-full');
    info(client, config);
    return {
      operations: (operation) => operations.with(client, operation),
      failures: (operation, reason) => failures.with(client, operation, reason),
      skipped: (reason) => skipped.with(client, 'set', reason),
      duration: (operation) => duration.with(client, operation),
      dataSize: (operation) => dataSize.with(client, operation),
      gate: gate(client),
      ...providers(client, config.autoDiscovery),
    };
  };
}

function registerInfo(
  registry: MetricsRegistry,
): (clientName: string, config: MemcachedConfig) => void {
  const family = registry.gaugeFamily(
    'thanos_memcached_client_info',
    'Always 1; the labels are how the client is configured.',
    [
      'name',
      'timeout',
      'max_idle_connections',
      'max_async_concurrency',
      'max_async_buffer_size',
      'max_item_size',
      'max_get_multi_concurrency',
      'max_get_multi_batch_size',
      'dns_provider_update_interval',
    ],
  );
  return (client, config) =>
    family
      .with(
        client,
        formatGoDuration(config.timeoutMs),
        String(config.maxIdleConnections),
        String(config.maxAsyncConcurrency),
        String(config.maxAsyncBufferSize),
        String(config.itemBytesMax),
        String(config.maxGetMultiConcurrency),
        String(config.maxGetMultiBatchSize),
        formatGoDuration(config.dnsUpdateIntervalMs),
      )
      .set(1);
}

type ProviderMetrics = Pick<
  MemcachedMetrics,
  'lookups' | 'lookupFailures' | 'found' | 'configVersion'
>;

/** Families of the two ways to find servers, each at its first use. */
function registerProviders(
  registry: MetricsRegistry,
): (clientName: string, autoDiscovery: boolean) => ProviderMetrics {
  const families = new Map<boolean, ProviderFamilies>();
  return (client, autoDiscovery) => {
    const made = families.get(autoDiscovery) ?? providerFamilies(registry, autoDiscovery);
    families.set(autoDiscovery, made);
    return {
      lookups: made.lookups.with(client),
      lookupFailures: made.failures.with(client),
      found: (address) => made.found.with(client, address),
      configVersion: (address) => (made.version ?? made.found).with(client, address),
    };
  };
}

interface ProviderFamilies {
  readonly lookups: Family<Counter>;
  readonly failures: Family<Counter>;
  readonly found: Family<Gauge>;
  readonly version: Family<Gauge> | undefined;
}

function providerFamilies(registry: MetricsRegistry, autoDiscovery: boolean): ProviderFamilies {
  const name = (suffix: string): string => `thanos_memcached_${suffix}`;
  const perAddress = ['name', 'addr'];
  if (!autoDiscovery) {
    return {
      lookups: registry.counterFamily(name('dns_lookups_total'), 'DNS lookups.', ['name']),
      failures: registry.counterFamily(name('dns_failures_total'), 'DNS lookups that failed.', [
        'name',
      ]),
      found: registry.gaugeFamily(
        name('dns_provider_results'),
        'How many servers a configured address stands for.',
        perAddress,
      ),
      version: undefined,
    };
  }
  return {
    lookups: registry.counterFamily(
      name('auto_discovery_total'),
      'How often configuration endpoints were asked.',
      ['name'],
    ),
    failures: registry.counterFamily(
      name('auto_discovery_failures_total'),
      'How often asking a configuration endpoint failed.',
      ['name'],
    ),
    found: registry.gaugeFamily(
      name('auto_discovery_resolved_addresses'),
      'How many servers a configuration endpoint names.',
      perAddress,
    ),
    version: registry.gaugeFamily(
      name('auto_discovery_config_version'),
      'The version of the configuration that an endpoint gave.',
      perAddress,
    ),
  };
}
