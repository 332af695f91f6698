import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { testCache } from '../../../test/support/cache-acceptance.ts';
import type { ServerMood } from '../../../test/support/fake-server.ts';
import { MetricValues } from '../../../test/support/metric-values.ts';
import { RedisTestServer } from '../../../test/support/redis-server.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { CacheMetrics } from '../cache-metrics.ts';
import { QuietLog } from '../quiet-log.ts';
import { RemoteCache } from '../remote-cache.ts';
import { RedisClient } from './client.ts';
import type { RedisConfig } from './config.ts';

const HOUR = 3600_000;

const CONFIG: RedisConfig = {
  addresses: [],
  prefix: '',
  username: '',
  password: '',
  db: 0,
  dialTimeoutMs: 5000,
  readTimeoutMs: 10_000,
  writeTimeoutMs: 10_000,
  maxGetMultiConcurrency: 100,
  getMultiBatchSize: 100,
  maxSetMultiConcurrency: 100,
  setMultiBatchSize: 100,
  tls: undefined,
  cacheBytes: 0,
  masterName: '',
  maxAsyncBufferSize: 10_000,
  maxAsyncConcurrency: 20,
  circuitBreaker: {
    enabled: false,
    halfOpenMaxRequests: 10,
    openDurationMs: 5000,
    minRequests: 50,
    consecutiveFailures: 5,
    failurePercent: 0.05,
  },
};

/** A client with its metrics and server. */
class Fixture implements AsyncDisposable {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly values = new MetricValues();
  readonly metrics = new CacheMetrics(this.values.registry);
  readonly server = new RedisTestServer(this.clock);
  readonly lines: string[] = [];
  #client: RedisClient | undefined;

  static async make(
    config: Partial<RedisConfig> = {},
    prepare: (server: RedisTestServer) => void | Promise<void> = () => undefined,
  ): Promise<Fixture> {
    const made = new Fixture();
    await made.server.start();
    await prepare(made.server);
    const log = { ...nopLogger, warn: (msg: string) => void made.lines.push(msg) };
    made.#client = await RedisClient.open(
      { ...CONFIG, addresses: [made.server.address], ...config },
      {
        log: new QuietLog(log, made.clock),
        metrics: made.metrics.redis('test'),
        clock: made.clock,
        loadTls: () => Promise.reject(new Error('no TLS here')),
      },
    );
    return made;
  }

  get client(): RedisClient {
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

  /** Asks until a connection is there again: it is opened in the background. */
  async foundAgain(...keys: readonly string[]): Promise<string[]> {
    for (;;) {
      this.clock.advance(2000);
      const found = await this.found(...keys);
      if (found.length > 0) return found;
      await setTimeout(1);
    }
  }

  value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
    return this.values.get(`thanos_redis_${name}`, { name: 'test', ...labels });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
    await this.server.stop();
  }
}

for (const config of [
  {},
  { prefix: 'größe:', db: 3, getMultiBatchSize: 7, setMultiBatchSize: 7 },
]) {
  testCache(`redis cache, ${JSON.stringify(config)}`, async () => {
    const made = await Fixture.make(config);
    return {
      cache: new RemoteCache('test', made.client, made.metrics.redisCache('test')),
      pass: async (ms) => made.clock.advance(ms),
      [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
    };
  });
}

test('redis: prefix, database, batches and what operations count', async () => {
  await using made = await Fixture.make({
    prefix: 'p:',
    db: 2,
    getMultiBatchSize: 2,
    setMultiBatchSize: 2,
  });
  await made.put('a', 'b', 'c');
  deepEqual([...made.server.items.keys()], ['2 p:a', '2 p:b', '2 p:c']);
  deepEqual(await made.found('a', 'b', 'c', 'd'), ['a', 'b', 'c']);
  equal(made.server.commands.filter((name) => name === 'MGET').length, 2);
  made.client.setLater('one', Buffer.from('1'), 100);
  await made.client.settled();
  deepEqual(await made.found('one'), ['one']);
  equal(await made.value('operation_duration_seconds_count', { operation: 'setmulti' }), 2);
  equal(await made.value('operation_duration_seconds_count', { operation: 'set' }), 1);
  equal(await made.value('operation_duration_seconds_count', { operation: 'getmulti' }), 3);
  equal(await made.value('getmulti_gate_gets_max'), 100);
  equal(await made.value('setmulti_gate_sets_total'), 2);
});

const BAD: readonly (readonly [ServerMood, string])[] = [
  ['hanging', 'timeout'],
  ['babbling', 'network-error'],
  ['cutting', 'network-error'],
];

for (const [mood, reason] of BAD) {
  test(`redis: a server that is ${mood} is a miss, and of use again afterwards`, async () => {
    await using made = await Fixture.make({
      readTimeoutMs: 50,
      writeTimeoutMs: 50,
      dialTimeoutMs: 50,
    });
    await made.put('a');
    made.server.mood = mood;
    for (let i = 0; i < 5; i++) deepEqual(await made.found('a'), []);
    await made.put('b');
    const failures = await made.value('operation_failures_total', {
      operation: 'getmulti',
      reason,
    });
    ok((failures ?? 0) > 0, `${failures} failures of ${reason}`);
    ok(made.lines.length < 5, 'the log is quiet');
    made.server.mood = 'well';
    deepEqual(await made.foundAgain('a'), ['a']);
  });
}

test('redis: a server that restarts', async () => {
  await using made = await Fixture.make();
  await made.put('a');
  await made.server.stop();
  for (let i = 0; i < 5; i++) deepEqual(await made.found('a'), []);
  await made.server.start();
  deepEqual(await made.foundAgain('a'), ['a']);
});

test('redis: a server that comes after us', async () => {
  await using made = await Fixture.make({}, (server) => server.stop());
  deepEqual(made.lines, ['failed to connect to redis']);
  deepEqual(await made.found('a'), []);
  await made.put('a');
  await made.server.start();
  const labels = { operation: 'setmulti', reason: 'network-error' };
  equal(await made.value('operation_failures_total', labels), 1);
  while (made.server.items.size === 0) {
    await setTimeout(1);
    made.clock.advance(2000);
    await made.put('a');
  }
  deepEqual(await made.found('a'), ['a']);
});

test('redis: a password, the right one and a wrong one', async () => {
  const prepare = (server: RedisTestServer): void => void (server.password = 'secret');
  await using right = await Fixture.make({ password: 'secret', username: 'me' }, prepare);
  await right.put('a');
  deepEqual(await right.found('a'), ['a']);
  await using wrong = await Fixture.make({ password: 'other' }, prepare);
  deepEqual(wrong.lines, ['failed to connect to redis']);
  await wrong.put('a');
  deepEqual(await wrong.found('a'), []);
});

test('redis: TLS without files that can be read', async () => {
  const tls = {
    caFile: '/nowhere',
    certFile: '',
    keyFile: '',
    serverName: '',
    insecureSkipVerify: false,
    minVersion: '',
  };
  const clock = new FakeClock(0);
  const opening = RedisClient.open(
    { ...CONFIG, addresses: ['127.0.0.1:1'], tls },
    {
      log: new QuietLog(nopLogger, clock),
      metrics: new CacheMetrics(new MetricValues().registry).redis('test'),
      clock,
      loadTls: () => Promise.reject(new Error('no such file')),
    },
  );
  await rejects(opening, /no such file/);
});

test('redis: what finds the queue full is dropped and counted', async () => {
  await using made = await Fixture.make({
    maxAsyncBufferSize: 5,
    maxAsyncConcurrency: 2,
    setMultiBatchSize: 1,
  });
  await made.put(...Array.from({ length: 10 }, (_, i) => `k${i}`));
  equal(made.server.items.size, 7);
  const labels = { operation: 'setmulti', reason: 'async-buffer-full' };
  equal(await made.value('operation_skipped_total', labels), 3);
});
