import { equal, notStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { MetricValues } from '../../test/support/metric-values.ts';
import { MatcherCache, registerMatcherCacheMetrics } from './matcher-cache.ts';

test('matcher cache: regular expressions are shared, the least recently used leave', async () => {
  const values = new MetricValues();
  const cache = new MatcherCache(2, registerMatcherCacheMetrics(values.registry));
  const value = (name: string): Promise<number | undefined> =>
    values.get(`thanos_matchers_cache_${name}`);
  const a = cache.get('=~', 'a', 'x.+y');
  strictEqual(cache.get('=~', 'a', 'x.+y'), a);
  equal(a.matches('xzy'), true);
  notStrictEqual(cache.get('!~', 'a', 'x.+y'), a);
  strictEqual(cache.get('=~', 'a', 'x.+y'), a);
  cache.get('=~', 'ax', '.+y');
  strictEqual(cache.get('=~', 'a', 'x.+y'), a);
  cache.get('!~', 'a', 'x.+y');
  notStrictEqual(cache.get('=', 'a', 'b'), cache.get('=', 'a', 'b'));
  throws(() => cache.get('=~', 'a', '('), { code: 'bad_data' });
  equal(await value('requests_total'), 8);
  equal(await value('hits_total'), 3);
  equal(await value('evicted_total'), 2);
  equal(await value('items'), 2);
  equal(await value('max_items'), 2);
});
