import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { testCache } from '../../test/support/cache-acceptance.ts';
import { MetricValues } from '../../test/support/metric-values.ts';
import { FakeClock } from '../lib/clock.ts';
import { InMemoryCache } from './in-memory.ts';
import type { InMemoryConfig } from './in-memory-config.ts';
import { registerInMemoryMetrics } from './in-memory-metrics.ts';

const MIB = 1024 * 1024;

function make(config: InMemoryConfig) {
  const values = new MetricValues();
  const clock = new FakeClock(1_700_000_000_000);
  const metrics = registerInMemoryMetrics(values.registry)('test');
  const cache = new InMemoryCache('test', config, metrics, clock);
  const value = (name: string): Promise<number | undefined> =>
    values.get(`thanos_cache_inmemory_${name}`, { name: 'test' });
  return { cache, clock, value };
}

testCache('in-memory cache', async () => {
  const { cache, clock } = make({ bytesMax: 10 * MIB, itemBytesMax: 5 * MIB });
  return {
    cache,
    pass: async (ms) => clock.advance(ms),
    [Symbol.asyncDispose]: () => cache.close(),
  };
});

const bytes = (size: number): Uint8Array => new Uint8Array(size);

test('in-memory cache: values leave when there is no room, those that are used last', async () => {
  const { cache, value } = make({ bytesMax: 20_000, itemBytesMax: 20_000 });
  cache.store(new Map([['a', bytes(1000)]]), 60_000);
  for (let i = 0; i < 100; i++) {
    cache.store(new Map([[`b${i}`, bytes(1000)]]), 60_000);
    equal((await cache.fetch(['a'])).size, 1);
  }
  const items = (await value('items')) ?? 0;
  ok(items > 5 && items < 20, `${items} items`);
  equal(await value('items_evicted_total'), 101 - items);
  equal(await value('items_added_total'), 101);
  equal(await value('items_size_bytes'), items * 1000);
  const keys = ['a', ...Array.from({ length: 100 }, (_, i) => `b${i}`)];
  const there = [...(await cache.fetch(keys)).keys()];
  equal(there.length, items);
  equal(
    await value('total_size_bytes'),
    there.reduce((sum, key) => sum + key.length, items * 1000),
  );
  equal(await value('requests_total'), 201);
  equal(await value('hits_total'), 100 + items);
  equal(await value('max_size_bytes'), 20_000);
});

test('in-memory cache: what is too large is left out, what has expired is counted', async () => {
  const { cache, clock, value } = make({ bytesMax: 5000, itemBytesMax: 100 });
  cache.store(
    new Map([
      ['large', bytes(101)],
      ['fits', bytes(100)],
    ]),
    1000,
  );
  equal(await value('items_overflowed_total'), 1);
  clock.advance(1000);
  equal((await cache.fetch(['fits'])).size, 1);
  clock.advance(1);
  equal((await cache.fetch(['fits'])).size, 0);
  equal(await value('hits_on_expired_data_total'), 1);
  equal(await value('items'), 0);
  equal(await value('items_size_bytes'), 0);
  const none = make({ bytesMax: 0, itemBytesMax: 0 });
  none.cache.store(new Map([['a', bytes(0)]]), 1000);
  equal(await none.value('items_overflowed_total'), 1);
});

test('in-memory cache: it keeps a copy', async () => {
  const { cache } = make({ bytesMax: 5000, itemBytesMax: 100 });
  const value = Uint8Array.of(1, 2, 3);
  cache.store(new Map([['a', value]]), 1000);
  value.fill(9);
  deepEqual([...((await cache.fetch(['a'])).get('a') ?? [])], [1, 2, 3]);
});
