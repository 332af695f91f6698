import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { MetricValues } from '../../../test/support/metric-values.ts';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { openCachingBucket, parseCachingBucketConfig } from './config.ts';

const parse = (text: string) => parseCachingBucketConfig({ text, name: 'cache.yaml' }, '');
const HOUR = 3600_000;

test('caching bucket config: defaults, and what falls under which policy', async () => {
  const { cache, policy } = await parse('type: in-memory');
  equal(cache.type, 'IN-MEMORY');
  const { matches: isChunks, ...ranges } = policy.ranges;
  deepEqual(ranges, {
    subrangeSize: 16_000,
    requestsMax: 3,
    attributesTtlMs: 24 * HOUR,
    subrangeTtlMs: 24 * HOUR,
  });
  const { matches: isMeta, ...content } = policy.content;
  deepEqual(content, {
    bytesMax: 1024 * 1024,
    contentTtlMs: 24 * HOUR,
    existsTtlMs: 2 * HOUR,
    absentTtlMs: HOUR / 4,
  });
  equal(policy.listings.ttlMs, HOUR / 12);
  const f = (name: string, chunks: boolean, meta: boolean): void => {
    equal(isChunks(name), chunks, name);
    equal(isMeta(name), meta, name);
  };
  f('x/chunks/000001', true, false);
  f('tenant/x/chunks/12', true, false);
  f('x/chunks/000001.tmp', false, false);
  f('x/chunks/', false, false);
  f('chunks/000001', false, false);
  f('x/index', false, false);
  f('x/meta.json', false, true);
  f('x/deletion-mark.json', false, true);
  f('meta.json', false, false);
  f('x/no-compact-mark.json', false, false);
  deepEqual(['', 'x', 'x/'].map(policy.listings.matches), [true, false, false]);
});

test('caching bucket config: what is given', async () => {
  const { cache, policy } = await parse(
    [
      'type: MEMCACHED',
      'config: {addresses: [a:1]}',
      'chunk_subrange_size: 1000',
      'max_chunks_get_range_requests: -1',
      'metafile_max_size: 2MiB',
      'chunk_object_attrs_ttl: 1h',
      'chunk_subrange_ttl: 2h',
      'blocks_iter_ttl: 3h',
      'metafile_exists_ttl: 4h',
      'metafile_doesnt_exist_ttl: 5h',
      'metafile_content_ttl: 6h',
    ].join('\n'),
  );
  equal(cache.type, 'MEMCACHED');
  const { ranges, content, listings } = policy;
  equal(ranges.subrangeSize, 1000);
  equal(ranges.requestsMax, -1);
  equal(content.bytesMax, 2 * 1024 * 1024);
  deepEqual(
    [
      ranges.attributesTtlMs,
      ranges.subrangeTtlMs,
      listings.ttlMs,
      content.existsTtlMs,
      content.absentTtlMs,
      content.contentTtlMs,
    ],
    [1, 2, 3, 4, 5, 6].map((hours) => hours * HOUR),
  );
});

test('caching bucket config: what is refused', async () => {
  const f = async (text: string, message: string, code = 'bad_data'): Promise<void> => {
    await rejects(parse(text), { code, message: `cache.yaml:${message}` }, text);
  };
  const types = 'expected IN-MEMORY, MEMCACHED, REDIS';
  await f('config: {}', `1: type: missing, ${types}`);
  await f('type: DISK', `1: type: unsupported cache type: DISK, ${types}`);
  await f(
    'type: IN-MEMORY\nchunk_subrange_sizes: 1',
    '2: chunk_subrange_sizes: unknown field, expected chunk_subrange_size',
  );
  await f(
    'type: IN-MEMORY\nchunk_subrange_size: 0',
    '2: chunk_subrange_size: is 0, expected the bytes of a part',
  );
  await f(
    'type: IN-MEMORY\nchunk_subrange_size: 16KB',
    '2: chunk_subrange_size: expected a whole number, is "16KB"',
  );
  const group = 'type: GROUPCACHE\nconfig:\n  self_url: http://a:1\n';
  await f(
    `${group}  peers: [http://a:1]`,
    `1: type: caches of type GROUPCACHE are not implemented yet, ${types}`,
    'not_implemented',
  );
  await f(
    `${group}  peers: [http://a:1, http://b:1/]`,
    '4: config.peers[1]: peer 1 must not have a trailing slash (http://b:1/)',
  );
  await f(
    `${group}  dns_intervall: 1s`,
    '4: config.dns_intervall: unknown field, expected dns_interval',
  );
});

test('caching bucket config: the bucket that it opens', async () => {
  const values = new MetricValues();
  const bucket = await openCachingBucket(new MemoryBucket(), await parse('type: IN-MEMORY'), {
    log: nopLogger,
    metrics: new CacheMetrics(values.registry),
    registry: values.registry,
    clock: new FakeClock(0),
    loadTls: () => Promise.reject(new Error('no TLS here')),
  });
  equal(bucket.name, 'inmem');
  for (let i = 0; i < 2; i++) equal(await bucket.exists('x/meta.json'), false);
  const labels = { operation: 'exists', config: 'meta.jsons' };
  equal(await values.get('thanos_store_bucket_cache_operation_requests_total', labels), 2);
  equal(await values.get('thanos_store_bucket_cache_operation_hits_total', labels), 1);
  equal(await values.get('thanos_cache_inmemory_items', { name: 'caching-bucket' }), 1);
  await bucket.close();
});
