import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import { FakeClock } from '../lib/clock.ts';
import { MemoryBucket } from './memory.ts';

testBucket('memory', async () => ({
  bucket: new MemoryBucket(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}));

test('memory: the time of modification is the clock’s', async () => {
  const clock = new FakeClock(1000);
  const bucket = new MemoryBucket(clock);
  await bucket.upload('a', new Uint8Array(3));
  clock.advance(5);
  equal((await bucket.attributes('a')).lastModified, 1000);
  await bucket.upload('a', new Uint8Array(3));
  equal((await bucket.attributes('a')).lastModified, 1005);
});
