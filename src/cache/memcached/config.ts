/** The configuration of memcached clients. Behaviour and texts: thanos pkg/cacheutil/memcached_client.go. */
import type { StrictYaml, YamlPath } from '../../lib/strict-yaml.ts';
import type { CircuitBreakerConfig } from '../circuit-breaker.ts';
import { cacheFields, checkCircuitBreaker } from '../config-fields.ts';
import { isLookup } from '../resolve-addresses.ts';

/** `config` of type MEMCACHED. */
export interface MemcachedConfig {
  /** `host:port`, `/path/of.socket`, or a name behind `dns+`, `dnssrv+`, `dnssrvnoa+`, `dnsdualstack+`. */
  readonly addresses: readonly string[];
  /** Of one request, from its start to its last byte. */
  readonly timeoutMs: number;
  readonly maxIdleConnections: number;
  readonly maxAsyncConcurrency: number;
  readonly maxAsyncBufferSize: number;
  /** 0 is without limit. */
  readonly maxGetMultiConcurrency: number;
  /** Bytes; larger values are not stored. 0 is without limit. */
  readonly itemBytesMax: number;
  /** Keys of one request; 0 is without limit. */
  readonly maxGetMultiBatchSize: number;
  readonly dnsUpdateIntervalMs: number;
  /** The addresses are configuration endpoints, which name the servers. */
  readonly autoDiscovery: boolean;
  readonly circuitBreaker: CircuitBreakerConfig;
}

/** Reads it. @throws CodedError bad_data with file, line and field. */
export function readMemcachedConfig(yaml: StrictYaml, path: YamlPath): MemcachedConfig {
  const given = yaml.read(path, (z) => {
    const field = cacheFields(z);
    return z.strictObject({
      addresses: z.array(z.string()).optional(),
      timeout: field.duration(500),
      max_idle_connections: field.count(100),
      max_async_concurrency: field.integer(20),
      max_async_buffer_size: field.count(10_000),
      max_get_multi_concurrency: field.count(100),
      max_item_size: field.size(1024 * 1024),
      max_get_multi_batch_size: field.count(0),
      dns_provider_update_interval: field.duration(10_000),
      auto_discovery: field.flag(),
      set_async_circuit_breaker_config: field.circuitBreaker(),
    });
  });
  const { addresses = [] } = given;
  if (addresses.length === 0) {
    throw yaml.errorAt([...path, 'addresses'], 'no memcached addresses provided');
  }
  addresses.forEach((address, i) => {
    const what = addressProblem(address);
    if (what !== undefined) throw yaml.errorAt([...path, 'addresses', i], what);
  });
  if (given.dns_provider_update_interval === 0) {
    const at = [...path, 'dns_provider_update_interval'];
    throw yaml.errorAt(at, 'DNS provider update interval must be positive');
  }
  if (given.max_async_concurrency <= 0) {
    const at = [...path, 'max_async_concurrency'];
    throw yaml.errorAt(at, 'max async concurrency must be positive');
  }
  checkCircuitBreaker(yaml, path, given.set_async_circuit_breaker_config);
  return {
    addresses,
    timeoutMs: given.timeout,
    maxIdleConnections: given.max_idle_connections,
    maxAsyncConcurrency: given.max_async_concurrency,
    maxAsyncBufferSize: given.max_async_buffer_size,
    maxGetMultiConcurrency: given.max_get_multi_concurrency,
    itemBytesMax: given.max_item_size,
    maxGetMultiBatchSize: given.max_get_multi_batch_size,
    dnsUpdateIntervalMs: given.dns_provider_update_interval,
    autoDiscovery: given.auto_discovery,
    circuitBreaker: given.set_async_circuit_breaker_config,
  };
}

/** What is wrong with an address, as far as it can be seen without asking anybody. */
function addressProblem(address: string): string | undefined {
  if (isLookup(address)) return undefined;
  if (address.includes('/') || /^(?:\[[^\]]*\]|[^:]+):\d{1,5}$/.test(address)) return undefined;
  return `expected host:port, is ${JSON.stringify(address)}`;
}
