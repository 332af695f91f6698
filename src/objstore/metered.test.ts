import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import type { Fault } from '../../test/support/faulty-bucket.ts';
import { FakeClock } from '../lib/clock.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { isNotFound } from './bucket.ts';
import { registerBucketMetrics } from './bucket-metrics.ts';
import { MemoryBucket } from './memory.ts';
import { MeteredBucket } from './metered.ts';
import { readObject } from './read-object.ts';

function setUp() {
  const registry = new ProcessMetrics();
  const clock = new FakeClock(1_700_000_000_000);
  const faulty = new FaultyBucket(new MemoryBucket(clock));
  const metrics = registerBucketMetrics(registry)('inmem');
  const bucket = new MeteredBucket(faulty, metrics, clock);
  /** Values of a family by operation, without zeros. */
  const values = async (suffix: string): Promise<Record<string, number>> => {
    const samples = await registry.snapshot();
    const mine = samples.filter(
      ({ name, value }) => name === `thanos_objstore_bucket_${suffix}` && value !== 0,
    );
    return Object.fromEntries(
      mine.map(({ labels, value }) => [new Map(labels).get('operation') ?? '', value]),
    );
  };
  return { registry, clock, faulty, bucket, values };
}

testBucket('metered', async () => ({
  bucket: setUp().bucket,
  [Symbol.asyncDispose]: () => Promise.resolve(),
}));

test('metered: what is counted, with its bytes and seconds', async () => {
  const { clock, bucket, values } = setUp();
  await bucket.upload('a', new Uint8Array(100_000));
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    clock.advance(2000);
  }
  await bucket.upload('b', { stream: slow() });
  await readObject(bucket, 'a');
  await bucket.getRange('a', { offset: 99_000, length: 5000 });
  await bucket.exists('a');
  await bucket.attributes('a');
  await Array.fromAsync(bucket.iter(''));
  await bucket.delete('a');
  deepEqual(await values('operations_total'), {
    upload: 2,
    get: 1,
    get_range: 1,
    exists: 1,
    attributes: 1,
    iter: 1,
    delete: 1,
  });
  deepEqual(await values('operation_failures_total'), {});
  deepEqual(await values('operation_fetched_bytes_total'), { get: 100_000, get_range: 1000 });
  deepEqual(await values('operation_transferred_bytes_sum'), {
    get: 100_000,
    get_range: 1000,
    upload: 100_010,
  });
  deepEqual(await values('operation_duration_seconds_sum'), { upload: 2 });
  deepEqual(await values('operation_duration_seconds_count'), await values('operations_total'));
  deepEqual(await values('last_successful_upload_time'), { '': 1_700_000_002 });
});

test('metered: a stream counts once, when it has ended', async () => {
  const { clock, bucket, values } = setUp();
  await bucket.upload('a', new Uint8Array(200_000));
  const stream = await bucket.get('a');
  deepEqual(await values('operation_duration_seconds_count'), { upload: 1 });
  for await (const chunk of stream) {
    equal(chunk.length, 65_536);
    clock.advance(500);
    break;
  }
  await stream[Symbol.asyncDispose]();
  const unread = await bucket.get('a');
  await unread[Symbol.asyncDispose]();
  await unread[Symbol.asyncDispose]();
  deepEqual(await values('operation_duration_seconds_count'), { upload: 1, get: 2 });
  deepEqual(await values('operation_duration_seconds_sum'), { get: 0.5 });
  deepEqual(await values('operation_transferred_bytes_count'), { upload: 1, get: 2 });
  deepEqual(await values('operation_fetched_bytes_total'), { get: 65_536 });
});

test('metered: which failures count', async () => {
  const { faulty, bucket, values } = setUp();
  await bucket.upload('a', new Uint8Array(100_000));
  const failures = () => values('operation_failures_total');
  const isExpected = isNotFound;
  await rejects(bucket.get('none', { isExpected }));
  await rejects(bucket.attributes('none', { isExpected }));
  await rejects(bucket.getRange('none', { offset: 0, length: 1 }, { isExpected }));
  deepEqual(await failures(), {});
  await rejects(bucket.get('none'));
  await rejects(bucket.attributes('none'));
  deepEqual(await failures(), { get: 1, attributes: 1 });

  const canceled = { signal: AbortSignal.abort(), isExpected };
  await rejects(bucket.get('a', canceled));
  await rejects(bucket.upload('a', new Uint8Array(1), canceled));
  await rejects(Array.fromAsync(bucket.iter('', canceled)));
  deepEqual(await failures(), { get: 1, attributes: 1 });
  const late = { signal: AbortSignal.abort(new DOMException('late', 'TimeoutError')) };
  await rejects(bucket.exists('a', late), { code: 'timeout' });
  deepEqual(await failures(), { get: 1, attributes: 1, exists: 1 });

  const fail: Fault = { kind: 'fail' };
  faulty.plan = () => fail;
  await rejects(bucket.upload('a', new Uint8Array(1), { isExpected }));
  await rejects(bucket.delete('a', { isExpected }));
  await rejects(Array.fromAsync(bucket.iter('')));
  faulty.plan = () => ({ kind: 'cut', bytes: 70_000 });
  await rejects(readObject(bucket, 'a'), /injected/);
  const want = { get: 2, attributes: 1, exists: 1, upload: 1, delete: 1, iter: 1 };
  deepEqual(await failures(), want);
  deepEqual(await values('operation_transferred_bytes_count'), { upload: 1 });
  deepEqual(await values('operation_fetched_bytes_total'), { get: 70_000 });
});

test('metered: the bounds of the histograms', async () => {
  const { registry } = setUp();
  const bounds = async (name: string): Promise<string[]> => {
    const samples = await registry.snapshot();
    const mine = samples.filter(
      (sample) => sample.name === `thanos_objstore_bucket_${name}_bucket`,
    );
    return [...new Set(mine.map(({ labels }) => new Map(labels).get('le') ?? ''))];
  };
  deepEqual(
    await bounds('operation_duration_seconds'),
    '0.001 0.01 0.1 0.3 0.6 1 3 6 9 20 30 60 90 120 +Inf'.split(' '),
  );
  const sizes = await bounds('operation_transferred_bytes');
  deepEqual([sizes.length, sizes[0], sizes.at(-2)], [17, '32768', '1.073741824e+09']);
});

test('metered: every operation is there from the start', async () => {
  const { registry } = setUp();
  const all = ['attributes', 'delete', 'exists', 'get', 'get_range', 'iter', 'upload'];
  const families = await registry.collect();
  equal(families.length, 6);
  for (const { name, samples } of families) {
    const seen = new Set(samples.map(({ labels }) => new Map(labels).get('operation') ?? ''));
    const want = /bytes/.test(name) ? ['get', 'get_range', 'upload'] : all;
    deepEqual([...seen].toSorted(compareUtf8), name.endsWith('_time') ? [''] : want, name);
  }
});
