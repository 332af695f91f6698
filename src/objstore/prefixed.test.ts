import { deepEqual, equal, rejects, strictEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import { FilesystemBucket } from './filesystem.ts';
import { MemoryBucket } from './memory.ts';
import { prefixedBucket } from './prefixed.ts';

testBucket('prefixed memory', async () => {
  const whole = new MemoryBucket();
  await whole.upload('someprefix2/x', encodeUtf8('not ours'));
  await whole.upload('a', encodeUtf8('not ours'));
  return {
    bucket: prefixedBucket(whole, '/some/prefix/'),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});

testBucket('prefixed filesystem', async () => {
  const directory = temporaryDirectory();
  return {
    bucket: prefixedBucket(new FilesystemBucket(directory.path), 'p'),
    [Symbol.asyncDispose]: async () => directory[Symbol.dispose](),
  };
});

test('prefixed: names of the bucket below', async () => {
  const whole = new MemoryBucket();
  const bucket = prefixedBucket(whole, '//a/b/');
  await bucket.upload('c', encodeUtf8('x'));
  deepEqual(await Array.fromAsync(whole.iter('', { recursive: true })), ['a/b/c']);
  equal(await bucket.exists('c'), true);
  equal(await bucket.exists('a/b/c'), false);
  await rejects(bucket.get('../b/c'), { code: 'bad_data' });
  equal(bucket.name, whole.name);
});

test('prefixed: a prefix of slashes is none, one that climbs is refused', () => {
  const whole = new MemoryBucket();
  for (const prefix of ['', '/', '///']) strictEqual(prefixedBucket(whole, prefix), whole);
  for (const prefix of ['..', 'a/../b', 'a//b', '/./']) {
    throws(() => prefixedBucket(whole, prefix), { code: 'bad_data' });
  }
});
