import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { indexCacheOfSize, parseIndexCacheConfig } from './config.ts';

const parse = (text: string) => parseIndexCacheConfig({ text, name: 'cache.yaml' });
const HOUR = 3600_000;
const MIB = 1024 * 1024;
const ALL = ['Postings', 'Series', 'ExpandedPostings'];
const BREAKER = {
  enabled: false,
  halfOpenMaxRequests: 10,
  openDurationMs: 5000,
  minRequests: 50,
  consecutiveFailures: 5,
  failurePercent: 0.05,
};

test('index cache config: defaults', async () => {
  deepEqual(await parse('type: in-memory'), {
    cache: { type: 'IN-MEMORY', config: { bytesMax: 250 * MIB, itemBytesMax: 125 * MIB } },
    enabledItems: ALL,
    ttlMs: 24 * HOUR,
  });
  const memcached = await parse(
    'type: MEMCACHED\nconfig: {addresses: ["dns+a:1", "b:2", "[::1]:3", /run/m.sock]}',
  );
  deepEqual(memcached.cache, {
    type: 'MEMCACHED',
    config: {
      addresses: ['dns+a:1', 'b:2', '[::1]:3', '/run/m.sock'],
      timeoutMs: 500,
      maxIdleConnections: 100,
      maxAsyncConcurrency: 20,
      maxAsyncBufferSize: 10_000,
      maxGetMultiConcurrency: 100,
      itemBytesMax: MIB,
      maxGetMultiBatchSize: 0,
      dnsUpdateIntervalMs: 10_000,
      autoDiscovery: false,
      circuitBreaker: BREAKER,
    },
  });
  const redis = await parse('type: Redis\nconfig: {addr: "a:1,b:2"}');
  deepEqual(redis.cache, {
    type: 'REDIS',
    config: {
      addresses: ['a:1', 'b:2'],
      prefix: '',
      username: '',
      password: '',
      db: 0,
      dialTimeoutMs: 5000,
      readTimeoutMs: 3000,
      writeTimeoutMs: 3000,
      maxGetMultiConcurrency: 100,
      getMultiBatchSize: 100,
      maxSetMultiConcurrency: 100,
      setMultiBatchSize: 100,
      tls: undefined,
      cacheBytes: 0,
      masterName: '',
      maxAsyncBufferSize: 10_000,
      maxAsyncConcurrency: 20,
      circuitBreaker: BREAKER,
    },
  });
});

test('index cache config: what is given', async () => {
  const got = await parse(
    [
      'type: MEMCACHED',
      'ttl: 1h30m',
      'enabled_items: [Series, Postings]',
      'config:',
      '  addresses: [a:1]',
      '  timeout: 1.5s',
      '  max_item_size: 1GiB512MiB',
      '  auto_discovery: yes',
      '  set_async_circuit_breaker_config: {enabled: true, failure_percent: 1, open_duration: 0}',
    ].join('\n'),
  );
  equal(got.ttlMs, 1.5 * HOUR);
  deepEqual(got.enabledItems, ['Series', 'Postings']);
  deepEqual(got.cache.type === 'MEMCACHED' && got.cache.config.circuitBreaker, {
    ...BREAKER,
    enabled: true,
    failurePercent: 1,
    openDurationMs: 0,
  });
  equal(got.cache.type === 'MEMCACHED' && got.cache.config.itemBytesMax, 1536 * MIB);
  equal(got.cache.type === 'MEMCACHED' && got.cache.config.timeoutMs, 1500);
  const sizes: Record<string, number> = {
    '0': 0,
    '7B': 7,
    '1KB': 1024,
    '1KiB': 1024,
    '1.5MB': 1.5 * MIB,
  };
  for (const [text, bytes] of Object.entries(sizes)) {
    const { cache } = await parse(`type: IN-MEMORY\nconfig: {max_item_size: ${text}}`);
    equal(cache.type === 'IN-MEMORY' && cache.config.itemBytesMax, bytes, text);
  }
  const tls = await parse(
    'type: REDIS\nconfig: {addr: a:1, tls_enabled: true, tls_config: {ca_file: /ca, min_version: "1.2"}}',
  );
  deepEqual(tls.cache.type === 'REDIS' && tls.cache.config.tls, {
    caFile: '/ca',
    certFile: '',
    keyFile: '',
    serverName: '',
    insecureSkipVerify: false,
    minVersion: '1.2',
  });
});

test('index cache config: a size alone', async () => {
  deepEqual(indexCacheOfSize(250 * MIB), await parse('type: IN-MEMORY'));
  const small = indexCacheOfSize(MIB);
  deepEqual(small.cache.config, { bytesMax: MIB, itemBytesMax: MIB });
  deepEqual(small, await parse('type: IN-MEMORY\nconfig: {max_size: 1MB}'));
});

test('index cache config: what is refused', async () => {
  const f = async (text: string, message: string): Promise<void> => {
    await rejects(parse(text), { code: 'bad_data', message: `cache.yaml:${message}` }, text);
  };
  const types = 'expected IN-MEMORY, MEMCACHED, REDIS';
  await f('config: {}', `1: type: missing, ${types}`);
  await f(
    'type: GROUPCACHE',
    `1: type: index cache with type GROUPCACHE is not supported, ${types}`,
  );
  await f('type: REDIS\nttll: 1h', '2: ttll: unknown field, expected ttl');
  await f('type: IN-MEMORY\nttl: -1h', '2: ttl: is negative, expected 0 or more');
  await f(
    'type: IN-MEMORY\nenabled_items: [Series, postings]',
    '2: enabled_items[1]: unsupported item type postings, expected Postings, Series, ExpandedPostings',
  );
  const memory = (field: string, message: string): Promise<void> =>
    f(`type: IN-MEMORY\nconfig:\n  ${field}`, `3: config.${message}`);
  await memory('max_sizes: 1MB', 'max_sizes: unknown field, expected max_size');
  for (const bad of ['1', '1kB', '1 MB', '-1MB', 'MB', '1iB', '1MBx', '99999999EB']) {
    await memory(
      `max_size: ${bad}`,
      `max_size: expected a size such as 250MB or 1GiB, is "${bad}"`,
    );
  }
  await f(
    'type: IN-MEMORY\nconfig:\n  max_size: 1MB\n  max_item_size: 2MB',
    '4: config.max_item_size: max item size (2097152) cannot be bigger than overall cache size (1048576)',
  );
  const memcached = (fields: string, message: string): Promise<void> =>
    f(`type: MEMCACHED\nconfig:\n  ${fields}`, message);
  await f('type: MEMCACHED', '1: config: missing, expected a mapping');
  await memcached('timeout: 1s', '2: config.addresses: no memcached addresses provided');
  await memcached('addresses: [a]', '3: config.addresses[0]: expected host:port, is "a"');
  await memcached(
    'addresses: [a:1]\n  dns_provider_update_interval: 0s',
    '4: config.dns_provider_update_interval: DNS provider update interval must be positive',
  );
  await memcached(
    'addresses: [a:1]\n  max_async_concurrency: 0',
    '4: config.max_async_concurrency: max async concurrency must be positive',
  );
  await memcached(
    'addresses: [a:1]\n  set_async_circuit_breaker_config:\n    enabled: true\n    failure_percent: 1.1',
    '6: config.set_async_circuit_breaker_config.failure_percent: circuit breaker: failure percent must be in range (0,1]',
  );
  await memcached(
    'addresses: [a:1]\n  set_async_circuit_breaker_config:\n    enabled: true\n    consecutive_failures: 0',
    '6: config.set_async_circuit_breaker_config.consecutive_failures: circuit breaker: consecutive failures must be greater than 0',
  );
  await memcached(
    'addresses: [a:1]\n  max_item_size: 1MB\n  timeout: -1s',
    '5: config.timeout: is negative, expected 0 or more',
  );
  const redis = (fields: string, message: string): Promise<void> =>
    f(`type: REDIS\nconfig:\n  ${fields}`, message);
  await redis('db: 1', '2: config.addr: no redis addr provided');
  await redis('addr: a:1, b', '3: config.addr: expected host:port, is "b"');
  await redis('addr: a:1\n  db: x', '4: config.db: expected a whole number, is "x"');
  await redis(
    'addr: a:1\n  tls_enabled: true\n  tls_config:\n    cert_file: /c',
    '5: config.tls_config.key_file: both client key and certificate must be provided',
  );
  await redis(
    'addr: a:1\n  tls_enabled: true\n  tls_config:\n    min_version: "1.4"',
    '6: config.tls_config.min_version: expected 1.0, 1.1, 1.2 or 1.3, is "1.4"',
  );
});
