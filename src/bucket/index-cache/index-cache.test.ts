import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MemcachedTestServer } from '../../../test/support/memcached-server.ts';
import { MetricValues } from '../../../test/support/metric-values.ts';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { Matcher } from '../../model/matcher.ts';
import { openIndexCache, parseIndexCacheConfig } from './config.ts';
import type { Found, IndexCache, IndexScope } from './index-cache.ts';
import { registerPostingsCodecMetrics } from './metrics.ts';
import { PostingsCache } from './postings-cache.ts';

const A: IndexScope = { block: '01HZX3V4C2YJ6S8M0K5QWERTY0', tenant: 'default-tenant' };
const B: IndexScope = { block: '01HZX3V4C2YJ6S8M0K5QWERTY1', tenant: 'team-b' };

interface Fixture extends AsyncDisposable {
  readonly cache: IndexCache;
  readonly values: MetricValues;
  readonly clock: FakeClock;
  readonly server: MemcachedTestServer;
}

/** Opens a cache as a configuration says; MEMCACHED means the server of the test. */
async function open(text: string): Promise<Fixture> {
  const clock = new FakeClock(1_700_000_000_000);
  const server = new MemcachedTestServer(clock);
  await server.start();
  const values = new MetricValues();
  const config = await parseIndexCacheConfig({
    name: 'index-cache.yaml',
    text: text.replace('SERVER', server.address),
  });
  const cache = await openIndexCache(config, {
    log: nopLogger,
    metrics: new CacheMetrics(values.registry),
    registry: values.registry,
    clock,
    loadTls: () => Promise.reject(new Error('no TLS here')),
  });
  return {
    cache,
    values,
    clock,
    server,
    [Symbol.asyncDispose]: async () => {
      await cache.close();
      await server.stop();
    },
  };
}

const KINDS: Readonly<Record<string, string>> = {
  memory: 'type: IN-MEMORY\n',
  memcached: 'type: memcached\nconfig:\n  addresses: [SERVER]\n',
};

const bytes = (text: string): Buffer => Buffer.from(text);
const texts = (found: Found): (string | undefined)[] =>
  found.map((value) => (value === undefined ? undefined : Buffer.from(value).toString()));

/** Asks until what was stored is there: remote caches are written later. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
  }
}

for (const [kind, text] of Object.entries(KINDS)) {
  test(`index cache, ${kind}: postings, series and expanded postings, by block`, async () => {
    await using made = await open(text);
    const { cache } = made;
    const label = { name: 'a', value: 'b' };
    cache.storePostings(A, label, bytes('p'));
    cache.storePostings(A, { name: 'ab', value: '' }, bytes('other'));
    cache.storeSeries(A, 16, bytes('s16'));
    cache.storeSeries(A, 68_719_476_720, bytes('far'));
    const matchers = [new Matcher('=~', 'x', 'y.*'), new Matcher('=', 'a', 'b')];
    cache.storeExpandedPostings(A, matchers, bytes('e'));
    const expanded = await until(() => cache.fetchExpandedPostings(A, matchers.toReversed()));
    deepEqual(texts([expanded]), ['e']);
    deepEqual(texts(await cache.fetchPostings(A, [{ name: 'no', value: '' }, label])), [
      undefined,
      'p',
    ]);
    deepEqual(texts(await cache.fetchSeries(A, [1, 16, 68_719_476_720])), [
      undefined,
      's16',
      'far',
    ]);
    deepEqual(texts(await cache.fetchPostings(B, [label])), [undefined]);
    deepEqual(texts(await cache.fetchSeries(B, Float64Array.of(16))), [undefined]);
    equal(await cache.fetchExpandedPostings(B, matchers), undefined);
    equal(await cache.fetchExpandedPostings(A, matchers.slice(1)), undefined);
    deepEqual(await cache.fetchSeries(A, []), []);
    deepEqual(await cache.fetchPostings(A, []), []);
    const value = (name: string, type: string, tenant: string): Promise<number | undefined> =>
      made.values.get(`thanos_store_index_cache_${name}`, { item_type: type, tenant });
    equal(await value('requests_total', 'Series', 'default-tenant'), 3);
    equal(await value('hits_total', 'Series', 'default-tenant'), 2);
    equal(await value('requests_total', 'Postings', 'team-b'), 1);
    equal(await value('hits_total', 'ExpandedPostings', 'default-tenant'), 1);
    equal(await value('stored_data_size_bytes_sum', 'Series', 'default-tenant'), 6);
    equal(await value('fetch_duration_seconds_count', 'Postings', 'default-tenant'), 2);
  });

  test(`index cache, ${kind}: enabled_items`, async () => {
    await using made = await open(`${text}enabled_items: [Series]\n`);
    const { cache } = made;
    const label = { name: 'a', value: 'b' };
    cache.storePostings(A, label, bytes('p'));
    cache.storeExpandedPostings(A, [], bytes('e'));
    cache.storeSeries(A, 16, bytes('s'));
    await until(async () => (await cache.fetchSeries(A, [16]))[0]);
    deepEqual(await cache.fetchPostings(A, [label]), [undefined]);
    equal(await cache.fetchExpandedPostings(A, []), undefined);
  });

  test(`index cache, ${kind}: what is no postings is a miss`, async () => {
    await using made = await open(text);
    const { cache, values, clock } = made;
    const metrics = registerPostingsCodecMetrics(values.registry);
    const postings = new PostingsCache(cache, { metrics, log: nopLogger, clock });
    const [good, bad] = [
      { name: 'a', value: 'b' },
      { name: 'a', value: 'c' },
    ];
    cache.storePostings(A, bad, bytes('garbage'));
    const ids = Uint32Array.of(3, 5, 900);
    postings.store(A, good, ids);
    postings.storeExpanded(A, [new Matcher('=', 'a', 'b')], ids);
    const expanded = (): Promise<Uint32Array | undefined> =>
      postings.fetchExpanded(A, [new Matcher('=', 'a', 'b')]);
    deepEqual(await until(expanded), ids);
    deepEqual(await postings.fetch(A, [good, bad, { name: 'x', value: '' }]), [
      ids,
      undefined,
      undefined,
    ]);
    const value = (name: string, labels: Record<string, string>): Promise<number | undefined> =>
      values.get(`thanos_bucket_store_cached_postings_${name}`, { tenant: A.tenant, ...labels });
    equal(await value('compression_errors_total', { op: 'decode' }), 1);
    equal(await value('compressions_total', { op: 'decode' }), 3);
    equal(await value('compressions_total', { op: 'encode' }), 2);
    equal(await value('original_size_bytes_total', {}), 24);
  });
}

test('index cache, memory: sizes as Go counts them, no second value, and what is too large', async () => {
  await using made = await open('type: IN-MEMORY\nconfig: {max_size: 10KB, max_item_size: 1KB}\n');
  const { cache, values } = made;
  const value = (name: string, type: string): Promise<number | undefined> =>
    values.get(`thanos_store_index_cache_${name}`, { item_type: type });
  cache.storePostings(A, { name: 'na', value: 'val' }, bytes('12345'));
  cache.storePostings(A, { name: 'na', value: 'val' }, bytes('other'));
  cache.storeSeries(A, 16, bytes('123'));
  cache.storeExpandedPostings(A, [new Matcher('=', 'a', 'b')], bytes('1'));
  deepEqual(texts(await cache.fetchPostings(A, [{ name: 'na', value: 'val' }])), ['12345']);
  equal(await value('items_added_total', 'Postings'), 1);
  equal(await value('items_size_bytes', 'Postings'), 16 + 5);
  equal(await value('total_size_bytes', 'Postings'), 16 + 5 + 16 + 2 * 16 + 5);
  equal(await value('total_size_bytes', 'Series'), 16 + 3 + 16 + 8);
  equal(await value('total_size_bytes', 'ExpandedPostings'), 16 + 1 + 16 + 16 + 'a="b"'.length);
  cache.storeSeries(A, 32, new Uint8Array(1024 - 15));
  equal(await value('items_overflowed_total', 'Series'), 1);
  for (let i = 0; i < 20; i++) cache.storeSeries(A, 1000 + i, new Uint8Array(900));
  const [items, evicted] = [
    await value('items', 'Series'),
    await value('items_evicted_total', 'Series'),
  ];
  equal((items ?? 0) + (evicted ?? 0), 21);
  equal(await value('items', 'Postings'), 0);
  equal(await values.get('thanos_store_index_cache_max_size_bytes'), 10 * 1024);
  equal(await values.get('thanos_store_index_cache_max_item_size_bytes'), 1024);
});

test('index cache, memcached: the time to live', async () => {
  await using made = await open(`${KINDS['memcached']}ttl: 1h\n`);
  made.cache.storeSeries(A, 16, bytes('s'));
  const fetch = async (): Promise<Uint8Array | undefined> =>
    (await made.cache.fetchSeries(A, [16]))[0];
  await until(fetch);
  made.clock.advance(3599_000);
  deepEqual(texts([await fetch()]), ['s']);
  made.clock.advance(1000);
  equal(await fetch(), undefined);
});
