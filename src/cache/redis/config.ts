/** The configuration of redis clients. Behaviour and texts: thanos pkg/cacheutil/redis_client.go. */
import type { StrictYaml, YamlPath } from '../../lib/strict-yaml.ts';
import type { CircuitBreakerConfig } from '../circuit-breaker.ts';
import { cacheFields, checkCircuitBreaker } from '../config-fields.ts';

/** `tls_config`: paths of PEM files, '' for none. */
export interface RedisTlsConfig {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly insecureSkipVerify: boolean;
  /** `1.0` to `1.3`, or ''. */
  readonly minVersion: string;
}

/** `config` of type REDIS. */
export interface RedisConfig {
  /** `host:port` or `/path/of.socket`; several are nodes of a cluster, or the sentinels of `masterName`. */
  readonly addresses: readonly string[];
  /** Put before each key. */
  readonly prefix: string;
  readonly username: string;
  readonly password: string;
  readonly db: number;
  /** 0 is without limit, here and below. */
  readonly dialTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxGetMultiConcurrency: number;
  readonly getMultiBatchSize: number;
  readonly maxSetMultiConcurrency: number;
  readonly setMultiBatchSize: number;
  /** Undefined when TLS is off. */
  readonly tls: RedisTlsConfig | undefined;
  /** Bytes of a cache on this side; 0 for none. */
  readonly cacheBytes: number;
  /** The master that sentinels watch; '' when addresses are not sentinels. */
  readonly masterName: string;
  readonly maxAsyncBufferSize: number;
  readonly maxAsyncConcurrency: number;
  readonly circuitBreaker: CircuitBreakerConfig;
}

const TLS_VERSIONS: readonly string[] = ['', '1.0', '1.1', '1.2', '1.3'];

/** Reads it. @throws CodedError bad_data with file, line and field. */
export function readRedisConfig(yaml: StrictYaml, path: YamlPath): RedisConfig {
  const given = yaml.read(path, (z) => {
    const field = cacheFields(z);
    return z.strictObject({
      addr: field.text(),
      prefix: field.text(),
      username: field.text(),
      password: field.text(),
      db: field.count(0),
      dial_timeout: field.duration(5000),
      read_timeout: field.duration(3000),
      write_timeout: field.duration(3000),
      max_get_multi_concurrency: field.count(100),
      get_multi_batch_size: field.count(100),
      max_set_multi_concurrency: field.count(100),
      set_multi_batch_size: field.count(100),
      tls_enabled: field.flag(),
      tls_config: z
        .strictObject({
          ca_file: field.text(),
          cert_file: field.text(),
          key_file: field.text(),
          server_name: field.text(),
          insecure_skip_verify: field.flag(),
          min_version: field.text(),
        })
        .optional(),
      cache_size: field.size(0),
      master_name: field.text(),
      max_async_buffer_size: field.count(10_000),
      max_async_concurrency: field.integer(20),
      set_async_circuit_breaker_config: field.circuitBreaker(),
    });
  });
  const addresses = given.addr.split(',').map((address) => address.trim());
  if (given.addr === '') throw yaml.errorAt([...path, 'addr'], 'no redis addr provided');
  for (const address of addresses) {
    if (address.includes('/') || /^(?:\[[^\]]*\]|[^:]+):\d{1,5}$/.test(address)) continue;
    const what = `expected host:port, is ${JSON.stringify(address)}`;
    throw yaml.errorAt([...path, 'addr'], what);
  }
  if (given.max_async_concurrency <= 0) {
    // Go would take all writes and make none of them.
    const at = [...path, 'max_async_concurrency'];
    throw yaml.errorAt(at, 'max async concurrency must be positive');
  }
  const tls = {
    caFile: given.tls_config?.ca_file ?? '',
    certFile: given.tls_config?.cert_file ?? '',
    keyFile: given.tls_config?.key_file ?? '',
    serverName: given.tls_config?.server_name ?? '',
    insecureSkipVerify: given.tls_config?.insecure_skip_verify ?? false,
    minVersion: given.tls_config?.min_version ?? '',
  };
  if (given.tls_enabled) checkTls(yaml, [...path, 'tls_config'], tls);
  checkCircuitBreaker(yaml, path, given.set_async_circuit_breaker_config);
  return {
    addresses,
    prefix: given.prefix,
    username: given.username,
    password: given.password,
    db: given.db,
    dialTimeoutMs: given.dial_timeout,
    readTimeoutMs: given.read_timeout,
    writeTimeoutMs: given.write_timeout,
    maxGetMultiConcurrency: given.max_get_multi_concurrency,
    getMultiBatchSize: given.get_multi_batch_size,
    maxSetMultiConcurrency: given.max_set_multi_concurrency,
    setMultiBatchSize: given.set_multi_batch_size,
    tls: given.tls_enabled ? tls : undefined,
    cacheBytes: given.cache_size,
    masterName: given.master_name,
    maxAsyncBufferSize: given.max_async_buffer_size,
    maxAsyncConcurrency: given.max_async_concurrency,
    circuitBreaker: given.set_async_circuit_breaker_config,
  };
}

function checkTls(yaml: StrictYaml, path: YamlPath, tls: RedisTlsConfig): void {
  if ((tls.certFile !== '') !== (tls.keyFile !== '')) {
    const missing = tls.certFile === '' ? 'cert_file' : 'key_file';
    throw yaml.errorAt([...path, missing], 'both client key and certificate must be provided');
  }
  if (TLS_VERSIONS.includes(tls.minVersion)) return;
  const what = `expected 1.0, 1.1, 1.2 or 1.3, is ${JSON.stringify(tls.minVersion)}`;
  throw yaml.errorAt([...path, 'min_version'], what);
}
