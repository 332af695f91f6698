import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { testCache } from '../../../test/support/cache-acceptance.ts';
import type { ServerMood } from '../../../test/support/fake-server.ts';
import { MemcachedTestServer } from '../../../test/support/memcached-server.ts';
import { MetricValues } from '../../../test/support/metric-values.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { CacheMetrics } from '../cache-metrics.ts';
import { QuietLog } from '../quiet-log.ts';
import { RemoteCache } from '../remote-cache.ts';
import type { ResolveAddresses } from '../resolve-addresses.ts';
import { MemcachedClient } from './client.ts';
import type { MemcachedConfig } from './config.ts';

const HOUR = 3600_000;

const CONFIG: MemcachedConfig = {
  addresses: [],
  timeoutMs: 10_000,
  maxIdleConnections: 100,
  maxAsyncConcurrency: 20,
  maxAsyncBufferSize: 10_000,
  maxGetMultiConcurrency: 100,
  itemBytesMax: 1024 * 1024,
  maxGetMultiBatchSize: 0,
  dnsUpdateIntervalMs: 3600_000,
  autoDiscovery: false,
  circuitBreaker: {
    enabled: false,
    halfOpenMaxRequests: 10,
    openDurationMs: 5000,
    minRequests: 50,
    consecutiveFailures: 5,
    failurePercent: 0.05,
  },
};

/** A client with its metrics and the servers that it was told of. */
class Fixture implements AsyncDisposable {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly values = new MetricValues();
  readonly metrics = new CacheMetrics(this.values.registry);
  readonly servers: MemcachedTestServer[] = [];
  readonly lines: string[] = [];
  #client: MemcachedClient | undefined;

  static async make(
    count: number,
    config: Partial<MemcachedConfig> = {},
    resolve?: ResolveAddresses,
  ): Promise<Fixture> {
    const made = new Fixture();
    for (let i = 0; i < count; i++) {
      const server = new MemcachedTestServer(made.clock);
      await server.start();
      made.servers.push(server);
    }
    const addresses = made.servers.map(({ address }) => address);
    await made.open({ ...CONFIG, addresses, ...config }, resolve);
    return made;
  }

  async open(config: MemcachedConfig, resolve?: ResolveAddresses): Promise<void> {
    const log = { ...nopLogger, warn: (msg: string) => void this.lines.push(msg) };
    this.#client = await MemcachedClient.open(config, {
      log: new QuietLog(log, this.clock),
      metrics: this.metrics.memcached('test', config),
      clock: this.clock,
      resolve,
    });
  }

  get client(): MemcachedClient {
    ok(this.#client !== undefined);
    return this.#client;
  }

  async put(...keys: readonly string[]): Promise<void> {
    this.client.setMany(new Map(keys.map((key) => [key, Buffer.from(key)])), HOUR);
    await this.client.settled();
  }

  async found(...keys: readonly string[]): Promise<string[]> {
    return [...(await this.client.getMulti(keys)).keys()].toSorted(compareUtf8);
  }

  value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
    return this.values.get(`thanos_memcached_${name}`, { name: 'test', ...labels });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
    for (const server of this.servers) await server.stop();
  }
}

for (const count of [1, 3]) {
  testCache(`memcached cache, ${count} servers`, async () => {
    const made = await Fixture.make(count, { maxGetMultiBatchSize: count === 3 ? 100 : 0 });
    return {
      cache: new RemoteCache('test', made.client, made.metrics.memcachedCache('test')),
      pass: async (ms) => made.clock.advance(ms),
      [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
    };
  });
}

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);

test('memcached: keys are spread over servers, and one that is gone costs its own keys only', async () => {
  await using made = await Fixture.make(3);
  await made.put(...KEYS);
  const counts = made.servers.map(({ items }) => items.size);
  equal(
    counts.reduce((a, b) => a + b),
    KEYS.length,
  );
  ok(counts.every((count) => count > 0));
  deepEqual(await made.found(...KEYS), KEYS.toSorted(compareUtf8));
  await made.servers[1]?.stop();
  equal((await made.found(...KEYS)).length, KEYS.length - (counts[1] ?? 0));
  equal(
    await made.value('operation_failures_total', {
      operation: 'getmulti',
      reason: 'network-error',
    }),
    1,
  );
  deepEqual(made.lines, ['failed to fetch items from memcached']);
});

test('memcached: what an operation counts', async () => {
  await using made = await Fixture.make(1);
  await made.put('a', 'bcd');
  deepEqual(await made.found('a', 'bcd', 'none'), ['a', 'bcd']);
  equal(await made.value('operations_total', { operation: 'set' }), 2);
  equal(await made.value('operations_total', { operation: 'getmulti' }), 1);
  equal(await made.value('operation_data_size_bytes_sum', { operation: 'set' }), 4);
  equal(await made.value('operation_data_size_bytes_sum', { operation: 'getmulti' }), 4);
  equal(await made.value('operation_duration_seconds_count', { operation: 'getmulti' }), 1);
  equal(await made.value('getmulti_gate_gets_max'), 100);
  equal(await made.value('getmulti_gate_gets_total'), 1);
  equal(await made.value('getmulti_gate_gets_in_flight'), 0);
  equal(await made.value('dns_lookups_total'), 0);
  equal(await made.value('dns_provider_results', { addr: made.servers[0]?.address ?? '' }), 1);
  equal(await made.value('operation_failures_total', { operation: 'set', reason: 'timeout' }), 0);
  made.client.setLater('large', new Uint8Array(1024 * 1024 + 1), HOUR);
  equal(
    await made.value('operation_skipped_total', { operation: 'set', reason: 'max-item-size' }),
    1,
  );
  await made.put('not a key');
  equal(
    await made.value('operation_failures_total', { operation: 'set', reason: 'malformed-key' }),
    1,
  );
  deepEqual(await made.found('a', 'not a key'), ['a']);
  equal(
    await made.value('operation_failures_total', {
      operation: 'getmulti',
      reason: 'malformed-key',
    }),
    1,
  );
  // The server says no to this one and goes on.
  made.client.setLater('too large', Buffer.alloc(0), HOUR);
  made.client.setLater('refused', new Uint8Array(1024 * 1024), HOUR);
  await made.client.settled();
  equal(
    await made.value('operation_failures_total', { operation: 'set', reason: 'server-error' }),
    1,
  );
  deepEqual(await made.found('a'), ['a']);
});

test('memcached: what finds the queue full is dropped and counted', async () => {
  await using made = await Fixture.make(1, { maxAsyncBufferSize: 5, maxAsyncConcurrency: 2 });
  await made.put(...KEYS.slice(0, 10));
  equal(made.servers[0]?.items.size, 7);
  equal(
    await made.value('operation_skipped_total', { operation: 'set', reason: 'async-buffer-full' }),
    3,
  );
});

const BAD: readonly (readonly [ServerMood, string])[] = [
  ['hanging', 'timeout'],
  ['babbling', 'other'],
  ['cutting', 'network-error'],
];

for (const [mood, reason] of BAD) {
  test(`memcached: a server that is ${mood} is a miss, and of use again afterwards`, async () => {
    await using made = await Fixture.make(1, { timeoutMs: 50 });
    const [server] = made.servers;
    ok(server !== undefined);
    await made.put('a');
    server.mood = mood;
    for (let i = 0; i < 5; i++) deepEqual(await made.found('a'), []);
    await made.put('b');
    const failures = await made.value('operation_failures_total', {
      operation: 'getmulti',
      reason,
    });
    ok((failures ?? 0) > 0, `${failures} failures of ${reason}`);
    ok(made.lines.length < 5, 'the log is quiet');
    server.mood = 'well';
    made.clock.advance(2000);
    await made.put('c');
    deepEqual(await made.found('a', 'c'), ['a', 'c']);
  });
}

test('memcached: a server that restarts', async () => {
  await using made = await Fixture.make(1);
  const [server] = made.servers;
  await made.put('a');
  deepEqual(await made.found('a'), ['a']);
  await server?.stop();
  for (let i = 0; i < 5; i++) deepEqual(await made.found('a'), []);
  const before = await made.value('operation_failures_total', {
    operation: 'getmulti',
    reason: 'network-error',
  });
  equal(before, 5);
  await server?.start();
  made.clock.advance(2000);
  deepEqual(await made.found('a'), ['a']);
});

test('memcached: a server that does not answer is left alone for a moment', async () => {
  await using made = await Fixture.make(1, { timeoutMs: 30 });
  const [server] = made.servers;
  ok(server !== undefined);
  server.mood = 'hanging';
  for (let i = 0; i < 20; i++) await made.found('a');
  equal(server.connections, 3);
  made.clock.advance(1000);
  for (let i = 0; i < 20; i++) await made.found('a');
  equal(server.connections, 4);
});

test('memcached: answers of a value that nobody asked for are garbage', async () => {
  await using made = await Fixture.make(1);
  await made.put('a', 'b');
  const [server] = made.servers;
  const item = server?.items.get('a');
  ok(server !== undefined && item !== undefined);
  server.items.get = (): typeof item => ({ ...item, flags: '0 1\r\nx\r\nVALUE b 0' });
  deepEqual(await made.found('a'), []);
  equal(
    await made.value('operation_failures_total', { operation: 'getmulti', reason: 'other' }),
    1,
  );
});

test('memcached: servers by lookup, when they change and when the lookup fails', async () => {
  const asked: string[] = [];
  let answer: () => string[] = () => [];
  const resolve: ResolveAddresses = async (addresses) => {
    asked.push(...addresses);
    return answer();
  };
  await using made = await Fixture.make(2, { addresses: ['dns+cache.example:11211'] }, resolve);
  deepEqual(asked, ['dns+cache.example:11211']);
  await made.put('a');
  deepEqual(await made.found('a'), []);
  equal(
    await made.value('operation_failures_total', { operation: 'getmulti', reason: 'other' }),
    1,
  );
  answer = () => [made.servers[0]?.address ?? ''];
  await made.client.refresh();
  await made.put('a');
  deepEqual(await made.found('a'), ['a']);
  answer = () => {
    throw new Error('no answer');
  };
  await made.client.refresh();
  deepEqual(await made.found('a'), ['a']);
  equal(await made.value('dns_failures_total'), 1);
  equal(await made.value('dns_lookups_total'), 3);
  answer = () => [made.servers[1]?.address ?? ''];
  await made.client.refresh();
  deepEqual(await made.found('a'), []);
  await made.put('a');
  equal(made.servers[1]?.items.size, 1);
  // None at all: those that were found before stay.
  answer = () => [];
  await made.client.refresh();
  deepEqual(await made.found('a'), ['a']);
});

test('memcached: auto-discovery', async () => {
  await using made = await Fixture.make(2, { addresses: [] });
  const [endpoint, server] = made.servers;
  ok(endpoint !== undefined && server !== undefined);
  const [host, port] = server.address.split(':');
  endpoint.cluster = `12\n${host}|10.0.0.1|${port}\n`;
  await made.client.close();
  const values = new MetricValues();
  const config = { ...CONFIG, addresses: [endpoint.address], autoDiscovery: true };
  const client = await MemcachedClient.open(config, {
    log: new QuietLog(nopLogger, made.clock),
    metrics: new CacheMetrics(values.registry).memcached('auto', config),
    clock: made.clock,
  });
  client.setLater('a', Buffer.from('1'), HOUR);
  await client.settled();
  equal(server.items.size, 1);
  const labels = { name: 'auto', addr: endpoint.address };
  equal(await values.get('thanos_memcached_auto_discovery_config_version', labels), 12);
  equal(await values.get('thanos_memcached_auto_discovery_resolved_addresses', labels), 1);
  for (const bad of ['', '12', 'x\na|b|1\n', '1\na|b\n', '1\na|b|c\n', '1\na|b|1|2\n']) {
    endpoint.cluster = bad;
    await client.refresh();
  }
  equal(await values.get('thanos_memcached_auto_discovery_failures_total', { name: 'auto' }), 5);
  await client.close();
});

test('memcached: the circuit breaker keeps writes from a server that fails', async () => {
  const circuitBreaker = {
    ...CONFIG.circuitBreaker,
    enabled: true,
    minRequests: 3,
    consecutiveFailures: 3,
  };
  await using made = await Fixture.make(1, { circuitBreaker, maxAsyncConcurrency: 1 });
  const [server] = made.servers;
  await server?.stop();
  await made.put(...KEYS.slice(0, 6));
  equal(
    await made.value('operation_failures_total', { operation: 'set', reason: 'network-error' }),
    3,
  );
  equal(await made.value('operation_failures_total', { operation: 'set', reason: 'other' }), 3);
  await server?.start();
  made.clock.advance(5001);
  await made.put('a');
  equal(server?.items.size, 1);
});

test('memcached: a cancel ends the fetch, not the connection', async () => {
  await using made = await Fixture.make(1);
  const [server] = made.servers;
  ok(server !== undefined);
  await made.put('a');
  server.mood = 'hanging';
  const controller = new AbortController();
  const fetching = made.client.getMulti(['a'], { signal: controller.signal });
  controller.abort();
  equal((await fetching).size, 0);
  match(
    String(
      await made.value('operation_failures_total', { operation: 'getmulti', reason: 'timeout' }),
    ),
    /^0$/,
  );
});
