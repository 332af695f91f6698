import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBucket } from '../../src/objstore/memory.ts';
import { readObject } from '../../src/objstore/read-object.ts';
import { testBucket } from './bucket-acceptance.ts';
import { FaultyBucket } from './faulty-bucket.ts';

testBucket('faulty without faults', async () => ({
  bucket: new FaultyBucket(new MemoryBucket()),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}));

test('faulty: what each fault does', async () => {
  const below = new MemoryBucket();
  const bucket = new FaultyBucket(below, () => ({ kind: 'fail' }));
  await rejects(bucket.upload('a', new Uint8Array(1)), /injected/);
  equal(await below.exists('a'), false);
  bucket.plan = () => ({ kind: 'lose answer' });
  await rejects(bucket.upload('a', new Uint8Array(9)), /injected/);
  equal((await below.attributes('a')).size, 9);
  await rejects(bucket.get('a'), /injected/);
  await rejects(bucket.get('none'), /injected/);
  await rejects(Array.fromAsync(bucket.iter('')), /injected/);
  bucket.plan = () => ({ kind: 'cut', bytes: 3 });
  await rejects(readObject(bucket, 'a'), /injected/);
  await rejects(bucket.upload('b', new Uint8Array(9)), /injected/);
  equal(await below.exists('b'), false);
  const { promise, resolve } = Promise.withResolvers<void>();
  bucket.plan = (_, n) => (n === 7 ? { kind: 'hold', until: promise } : undefined);
  const held = bucket.delete('a');
  equal(await below.exists('a'), true);
  resolve();
  await held;
  equal(await below.exists('a'), false);
  deepEqual(
    bucket.calls.map(({ operation, name }) => `${operation} ${name}`),
    ['upload a', 'upload a', 'get a', 'get none', 'iter ', 'get a', 'upload b', 'delete a'],
  );
  deepEqual(bucket.names('upload'), ['a', 'a', 'b']);
});
