import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { FaultyBucket } from '../../../test/support/faulty-bucket.ts';
import { goldenJson } from '../../../test/support/golden-json.ts';
import { MetricValues } from '../../../test/support/metric-values.ts';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { loadHashes } from '../../cache/load-hashes.ts';
import { InMemoryCache } from '../../cache/in-memory.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { Random } from '../../lib/prng.ts';
import { isNotFound } from '../../objstore/bucket.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { readObject } from '../../objstore/read-object.ts';
import {
  attributesKey,
  configHash,
  contentKey,
  existsKey,
  iterKey,
  subrangeKey,
} from './cache-keys.ts';
import { CachingBucket } from './caching-bucket.ts';
import { registerCachingBucketMetrics } from './metrics.ts';
import { type CachePolicy, isBlocksRoot, isChunkSegment, isMetaFile } from './policy.ts';

const HOUR = 3600_000;
const BLOCK = '01HZX3V4C2YJ6S8M0K5QWERTY0';
const SEGMENT = `${BLOCK}/chunks/000001`;
const META = `${BLOCK}/meta.json`;

const POLICY: CachePolicy = {
  ranges: {
    matches: isChunkSegment,
    subrangeSize: 16_000,
    requestsMax: 3,
    attributesTtlMs: 24 * HOUR,
    subrangeTtlMs: 24 * HOUR,
  },
  content: {
    matches: isMetaFile,
    bytesMax: 1024 * 1024,
    contentTtlMs: 24 * HOUR,
    existsTtlMs: 2 * HOUR,
    absentTtlMs: HOUR / 4,
  },
  listings: { matches: isBlocksRoot, ttlMs: 300_000, configHash: '123' },
};

const always = (): boolean => true;

/** Everything falls under a policy, with small parts, so that tests of any bucket see the cache. */
const EVERYTHING: CachePolicy = {
  ranges: { ...POLICY.ranges, matches: always, subrangeSize: 4 },
  content: { ...POLICY.content, matches: always, bytesMax: 100_000 },
  listings: { ...POLICY.listings, matches: always },
};

function make(policy: CachePolicy = POLICY) {
  const clock = new FakeClock(1_700_000_000_000);
  const values = new MetricValues();
  const below = new FaultyBucket(new MemoryBucket(clock));
  const config = { bytesMax: 100_000_000, itemBytesMax: 50_000_000 };
  const inMemory = new CacheMetrics(values.registry).inMemory('caching-bucket');
  const cache = new InMemoryCache('caching-bucket', config, inMemory, clock);
  const metrics = registerCachingBucketMetrics(values.registry);
  const bucket = new CachingBucket(below, { cache, policy, metrics, log: nopLogger, clock });
  const value = (name: string, labels: Record<string, string>): Promise<number | undefined> =>
    values.get(`thanos_store_bucket_cache_${name}`, labels);
  const calls = (): string[] =>
    below.calls.splice(0).map(({ operation, name }) => `${operation} ${name}`);
  return { clock, below, cache, bucket, value, calls };
}

/**
 * A cache may answer what was true until its times to live are over. The suite expects that what has been written is
 * seen at once, so all of them end with each write here; everything else must be as without a cache.
 */
class PassingTime extends CachingBucket {
  clock: FakeClock | undefined;

  override async upload(...args: Parameters<CachingBucket['upload']>): Promise<void> {
    try {
      await super.upload(...args);
    } finally {
      this.clock?.advance(100 * HOUR);
    }
  }

  override async delete(...args: Parameters<CachingBucket['delete']>): Promise<void> {
    await super.delete(...args);
    this.clock?.advance(100 * HOUR);
  }
}

for (const [name, policy] of Object.entries({ everything: EVERYTHING, blocks: POLICY })) {
  testBucket(`caching bucket, ${name}`, async () => {
    const { below, cache, clock } = make();
    const metrics = registerCachingBucketMetrics(new MetricValues().registry);
    const bucket = new PassingTime(below, { cache, policy, metrics, log: nopLogger, clock });
    bucket.clock = clock;
    return { bucket, [Symbol.asyncDispose]: () => Promise.resolve() };
  });
}

test('caching bucket: keys are those of Go', async () => {
  interface Golden {
    keys: { verb: string; name: string; start: number; end: number; hash: string; key: string }[];
    configHashes: { text: string; path: string; hash: string }[];
  }
  const golden = goldenJson('index-cache/bucket-keys.json') as Golden;
  for (const { verb, name, start, end, hash, key } of golden.keys) {
    // A part without bytes is never asked for.
    if (verb === 'subrange' && end === 0) continue;
    const ours: Record<string, string> = {
      exists: existsKey(name),
      content: contentKey(name),
      attrs: attributesKey(name),
      iter: iterKey(name, false, hash),
      'iter-recursive': iterKey(name, true, hash),
      subrange: subrangeKey(name, start, end),
    };
    equal(ours[verb], key);
  }
  const hashes = await loadHashes();
  for (const { text, path, hash } of golden.configHashes)
    equal(configHash(hashes, text, path), hash);
});

test('caching bucket: parts of chunk segments', async () => {
  const { bucket, below, value, calls } = make();
  const random = new Random(5);
  const content = Buffer.from(Uint8Array.from({ length: 100_000 }, () => random.below(256)));
  await below.upload(SEGMENT, content);
  calls();
  const read = async (offset: number, length: number): Promise<void> => {
    const got = await bucket.getRange(SEGMENT, { offset, length });
    equal(
      Buffer.compare(got, content.subarray(offset, offset + length)),
      0,
      `${offset}, ${length}`,
    );
  };
  await read(20_000, 100);
  deepEqual(calls(), [`attributes ${SEGMENT}`, `get_range ${SEGMENT}`]);
  await read(16_000, 16_000);
  deepEqual(calls(), []);
  await read(10_000, 90_000);
  // 0 and 32,000 to the end; the part between was there.
  deepEqual(calls(), [`get_range ${SEGMENT}`, `get_range ${SEGMENT}`]);
  await read(0, 100_000);
  await read(99_999, 10);
  await read(100_000, 10);
  deepEqual(calls(), []);
  for (let i = 0; i < 200; i++) await read(random.below(100_000), random.below(30_000));
  deepEqual(calls(), []);
  equal(
    await value('getrange_fetched_bytes_total', { origin: 'bucket', config: 'chunks' }),
    100_000,
  );
  equal(await value('getrange_refetched_bytes_total', { origin: 'cache', config: 'chunks' }), 0);
  equal(await value('operation_hits_total', { operation: 'attributes', config: 'chunks' }), 205);
  equal(
    await value('operation_requests_total', { operation: 'attributes', config: 'chunks' }),
    206,
  );
});

test('caching bucket: requests for far parts are merged, and what they bring twice is counted', async () => {
  const { bucket, below, value, calls } = make({
    ...POLICY,
    ranges: { ...POLICY.ranges, subrangeSize: 10, requestsMax: 2 },
  });
  await below.upload(
    SEGMENT,
    new Uint8Array(100).map((_, i) => i),
  );
  for (const at of [10, 30, 60]) await bucket.getRange(SEGMENT, { offset: at, length: 10 });
  calls();
  const all = await bucket.getRange(SEGMENT, { offset: 0, length: 100 });
  deepEqual(
    [...all],
    Array.from({ length: 100 }, (_, i) => i),
  );
  // Missing are 0, 20, 40-50 and 70-90: all of them lie a part apart.
  equal(calls().length, 1);
  equal(await value('getrange_refetched_bytes_total', { origin: 'cache', config: 'chunks' }), 30);
  equal(await value('getrange_fetched_bytes_total', { origin: 'bucket', config: 'chunks' }), 100);
  equal(await value('getrange_fetched_bytes_total', { origin: 'cache', config: 'chunks' }), 30);
  equal(await value('getrange_requested_bytes_total', { config: 'chunks' }), 130);
  equal(await value('operation_hits_total', { operation: 'get_range', config: 'chunks' }), 0.3);
});

test('caching bucket: values of other programs that are none are misses', async () => {
  const { bucket, below, cache, calls } = make();
  await below.upload(SEGMENT, Buffer.from('0123456789'));
  await below.upload(META, Buffer.from('{}'));
  calls();
  const plant = (key: string, text: string): void =>
    cache.store(new Map([[key, Buffer.from(text)]]), HOUR);
  for (const bad of [
    '',
    '{',
    '[]',
    '{"size":-1,"last_modified":"2020-01-01T00:00:00Z"}',
    '{"size":10}',
    '{"size":10,"last_modified":"soon"}',
    '7',
    'null',
  ]) {
    plant(attributesKey(SEGMENT), bad);
    equal((await bucket.attributes(SEGMENT)).size, 10, bad);
  }
  // As Go writes it.
  plant(
    attributesKey(SEGMENT),
    '{"size":10,"last_modified":"2026-01-02T03:04:05.123456789+02:00"}',
  );
  calls();
  deepEqual(await bucket.attributes(SEGMENT), {
    size: 10,
    lastModified: Date.UTC(2026, 0, 2, 1, 4, 5, 123),
  });
  deepEqual(calls(), []);
  plant(subrangeKey(SEGMENT, 0, 10), 'short');
  equal(String(Buffer.from(await bucket.getRange(SEGMENT, { offset: 2, length: 3 }))), '234');
  plant(existsKey(META), 'perhaps');
  equal(await bucket.exists(META), true);
  for (const bad of ['', '{}', '[1]', '[""]', '["a"']) {
    plant(iterKey('', false, '123'), bad);
    deepEqual(await Array.fromAsync(bucket.iter('')), [`${BLOCK}/`], bad);
  }
  plant(iterKey('', false, '123'), 'null');
  deepEqual(await Array.fromAsync(bucket.iter('')), []);
  plant(iterKey('', false, '123'), '["b/","a/"]');
  deepEqual(await Array.fromAsync(bucket.iter('')), ['a/', 'b/']);
});

test('caching bucket: an object that got shorter is read as it is now', async () => {
  const { bucket, below } = make();
  await below.upload(SEGMENT, Buffer.from('0123456789'));
  equal((await bucket.attributes(SEGMENT)).size, 10);
  await below.upload(SEGMENT, Buffer.from('01234'));
  equal(String(Buffer.from(await bucket.getRange(SEGMENT, { offset: 3, length: 5 }))), '34');
});

test('caching bucket: meta files and deletion marks, there and not there', async () => {
  const { bucket, below, clock, calls, value } = make();
  const mark = `${BLOCK}/deletion-mark.json`;
  await below.upload(META, Buffer.from('{"version":1}'));
  calls();
  await rejects(bucket.get(mark), isNotFound);
  await rejects(bucket.get(mark), isNotFound);
  equal(await bucket.exists(mark), false);
  equal(String(Buffer.from(await readObject(bucket, META))), '{"version":1}');
  equal(String(Buffer.from(await readObject(bucket, META))), '{"version":1}');
  equal(await bucket.exists(META), true);
  deepEqual(calls(), [`get ${mark}`, `get ${META}`]);
  equal(await value('operation_hits_total', { operation: 'get', config: 'meta.jsons' }), 2);
  equal(await value('operation_hits_total', { operation: 'exists', config: 'meta.jsons' }), 2);
  await below.upload(mark, Buffer.from('{}'));
  calls();
  clock.advance(HOUR / 4 + 1);
  equal(await bucket.exists(mark), true);
  await rejects(bucket.get(`${BLOCK}/index`), isNotFound);
  await rejects(bucket.get(`${BLOCK}/index`), isNotFound);
  deepEqual(calls(), [`exists ${mark}`, `get ${BLOCK}/index`, `get ${BLOCK}/index`]);
});

test('caching bucket: content that was not read to its end, or is too large, is not kept', async () => {
  const { bucket, below, calls } = make({
    ...POLICY,
    content: { ...POLICY.content, bytesMax: 200_000 },
  });
  const large = `${BLOCK}X/meta.json`;
  await below.upload(META, new Uint8Array(150_000));
  await below.upload(large, new Uint8Array(200_001));
  calls();
  for (let i = 0; i < 2; i++) {
    const stream = await bucket.get(META);
    for await (const _ of stream) break;
    await stream[Symbol.asyncDispose]();
    equal((await readObject(bucket, large)).length, 200_001);
  }
  deepEqual(calls(), [`get ${META}`, `get ${large}`, `get ${META}`, `get ${large}`]);
  below.plan = ({ name }) => (name === META ? { kind: 'cut', bytes: 100_000 } : undefined);
  await rejects(readObject(bucket, META));
  below.plan = undefined;
  equal((await readObject(bucket, META)).length, 150_000);
  equal((await readObject(bucket, META)).length, 150_000);
  equal(calls().filter((call) => call === `get ${META}`).length, 2);
});

test('caching bucket: listings of the root, and a bucket that fails', async () => {
  const { bucket, below, clock, calls } = make();
  await below.upload(META, Buffer.from('{}'));
  calls();
  below.plan = () => ({ kind: 'fail' });
  await rejects(Array.fromAsync(bucket.iter('')));
  await rejects(bucket.getRange(SEGMENT, { offset: 0, length: 1 }));
  await rejects(bucket.exists(META));
  below.plan = undefined;
  calls();
  for (let i = 0; i < 2; i++) deepEqual(await Array.fromAsync(bucket.iter('')), [`${BLOCK}/`]);
  for (let i = 0; i < 2; i++)
    deepEqual(await Array.fromAsync(bucket.iter('', { recursive: true })), [META]);
  for (let i = 0; i < 2; i++) deepEqual(await Array.fromAsync(bucket.iter(BLOCK)), [META]);
  deepEqual(calls(), ['iter ', 'iter ', `iter ${BLOCK}`, `iter ${BLOCK}`]);
  clock.advance(300_001);
  await Array.fromAsync(bucket.iter(''));
  deepEqual(calls(), ['iter ']);
  // A listing that was given up is not kept.
  clock.advance(300_001);
  for await (const _ of bucket.iter('')) break;
  await Array.fromAsync(bucket.iter(''));
  equal(calls().length, 2);
});
