/** A caller that offers a buffer for a range gets its bytes, and the cache keeps others. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { InMemoryCache } from '../../cache/in-memory.ts';
import { systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { FilesystemBucket } from '../../objstore/filesystem.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CachingBucket } from './caching-bucket.ts';
import { registerCachingBucketMetrics } from './metrics.ts';

test('a buffer that is offered is not what the cache keeps', async () => {
  using directory = temporaryDirectory();
  const files = new FilesystemBucket(directory.path);
  const content = Buffer.from(Uint8Array.from({ length: 10_000 }, (_, i) => i * 7 + (i >> 8)));
  await files.upload('object', content);
  const metrics = new ProcessMetrics();
  const never = (): boolean => false;
  const bucket: Bucket = new CachingBucket(files, {
    cache: new InMemoryCache(
      'cache',
      { bytesMax: 1e8, itemBytesMax: 1e8 },
      new CacheMetrics(metrics).inMemory('cache'),
      systemClock,
    ),
    policy: {
      ranges: {
        matches: () => true,
        subrangeSize: 500,
        requestsMax: 3,
        attributesTtlMs: 1e6,
        subrangeTtlMs: 1e6,
      },
      content: { matches: never, bytesMax: 1, contentTtlMs: 1, existsTtlMs: 1, absentTtlMs: 1 },
      listings: { matches: never, ttlMs: 1, configHash: '' },
    },
    metrics: registerCachingBucketMetrics(metrics),
    log: nopLogger,
    clock: systemClock,
  });
  // What is there already parts the rest into two requests.
  await bucket.getRange('object', { offset: 5000, length: 100 });
  const range = { offset: 1000, length: 8000 };
  const want = content.subarray(1000, 9000);
  const into = Buffer.alloc(16_384);
  deepEqual(Buffer.from(await bucket.getRange('object', range, { into })), want);
  into.fill(0);
  deepEqual(Buffer.from(await bucket.getRange('object', range)), want);
});
