import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import { tinyMeta, tinyUlid } from '../../test/support/tiny-block.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { MemoryBucket } from '../objstore/memory.ts';
import { encodeBlockMeta } from '../tsdb/block/meta.ts';
import { blockState, isInBucket } from './bucket-state.ts';
import { writeMark } from './markers.ts';
import { type ThanosMeta, withThanos } from './meta.ts';

interface Put {
  readonly sources?: readonly string[];
  readonly thanos?: Partial<ThanosMeta>;
  readonly files?: Readonly<Record<string, number>>;
}

const FILES = { 'chunks/000001': 5, index: 7 };

/** Puts a block into a bucket; its meta.json promises {@link FILES}. */
async function put(bucket: Bucket, ulid: string, { sources, thanos, files }: Put = {}) {
  const meta = withThanos(tinyMeta({ ulid, ...(sources !== undefined && { sources }) }), {
    labels: { a: 'b' },
    downsample: { resolution: 0 },
    source: 'compactor',
    files: Object.entries(FILES).map(([rel_path, size_bytes]) => ({ rel_path, size_bytes })),
    ...thanos,
  });
  await bucket.upload(`${ulid}/meta.json`, encodeUtf8(encodeBlockMeta(meta)));
  for (const [name, size] of Object.entries(files ?? FILES)) {
    await bucket.upload(`${ulid}/${name}`, new Uint8Array(size));
  }
}

const [before, ulid, after, later] = [10, 20, 30, 31].map(tinyUlid) as [
  string,
  string,
  string,
  string,
];

test('block state: absent, complete, damaged', async () => {
  const f = async (given: Put, want: string, local?: Record<string, number>): Promise<void> => {
    const bucket = new MemoryBucket();
    await put(bucket, ulid, given);
    const files = local && Object.entries(local).map(([path, size]) => ({ path, size }));
    const state = await blockState(bucket, ulid, { files });
    equal(state.kind === 'damaged' ? state.reason : state.kind, want);
  };
  await f({}, 'complete');
  await f({}, 'complete', FILES);
  await f({ files: { index: 7 } }, 'chunks/000001 is missing');
  await f({ files: { 'chunks/000001': 5, index: 6 } }, 'index has 6 of 7 bytes');
  await f({}, 'index has 7 of 8 bytes', { index: 8 });
  await f({}, 'chunks/000002 is missing', { 'chunks/000002': 1 });
  const old = { files: [], segment_files: ['000001'] };
  await f({ thanos: old, files: { 'chunks/000001': 1, index: 2 } }, 'complete');
  await f({ thanos: old, files: { index: 2 } }, 'chunks/000001 is missing');
  await f({ thanos: { files: [] }, files: {} }, 'index is missing');
  const bucket = new MemoryBucket();
  deepEqual(await blockState(bucket, ulid, {}), { kind: 'absent' });
  await bucket.upload(`${ulid}/meta.json`, encodeUtf8('{'));
  equal((await blockState(bucket, ulid, {})).kind, 'damaged');
});

test('block state: a listing without sizes', async () => {
  const memory = new MemoryBucket();
  await put(memory, ulid);
  const bucket = Object.create(memory, {
    iterEntries: {
      value: async function* (directory: string) {
        for (const name of Object.keys(FILES)) yield { name: `${directory}/${name}` };
      },
    },
    get: { value: memory.get.bind(memory) },
    attributes: { value: memory.attributes.bind(memory) },
  }) as Bucket;
  equal((await blockState(bucket, ulid, {})).kind, 'complete');
  await memory.upload(`${ulid}/index`, new Uint8Array(6));
  deepEqual(await blockState(bucket, ulid, {}), {
    kind: 'damaged',
    reason: 'index has 6 of 7 bytes',
  });
  await memory.delete(`${ulid}/index`);
  deepEqual(await blockState(bucket, ulid, {}), { kind: 'damaged', reason: 'index is missing' });
});

test('in the bucket: the block itself', async () => {
  const bucket = new MemoryBucket();
  const wanted = { ulid, sources: [ulid] };
  equal(await isInBucket(bucket, wanted), false);
  await put(bucket, ulid);
  equal(await isInBucket(bucket, wanted), true);
  equal(await isInBucket(bucket, { ...wanted, files: [{ path: 'index', size: 8 }] }), false);
  await writeMark(bucket, { kind: 'deletion', id: ulid, time: 0, details: '', reason: '' });
  equal(await isInBucket(bucket, wanted), false);
  await bucket.upload(`${ulid}/deletion-mark.json`, encodeUtf8('{'));
  equal(await isInBucket(bucket, wanted), false);
});

test('in the bucket: what was compacted from it', async () => {
  const wanted = { ulid, sources: [ulid] };
  const f = async (want: boolean, fill: (bucket: Bucket) => Promise<unknown>): Promise<void> => {
    const bucket = new MemoryBucket();
    await put(bucket, before, { sources: [ulid] });
    await fill(bucket);
    equal(await isInBucket(bucket, wanted), want, fill.toString());
  };
  const sources = [before, ulid];
  // An older block cannot come from it, whatever it says.
  await f(false, async () => undefined);
  await f(true, (bucket) => put(bucket, after, { sources }));
  await f(false, (bucket) => put(bucket, after, { sources: [before] }));
  await f(false, (bucket) =>
    put(bucket, after, { sources, thanos: { downsample: { resolution: 300_000 } } }),
  );
  await f(false, (bucket) => put(bucket, after, { sources, files: { index: 7 } }));
  await f(false, async (bucket) => {
    await put(bucket, after, { sources });
    await writeMark(bucket, { kind: 'deletion', id: after, time: 0, details: '', reason: '' });
  });
  await f(true, async (bucket) => {
    await put(bucket, after, { sources, files: { index: 7 } });
    await put(bucket, later, { sources: [...sources, after] });
  });
});

test('in the bucket: each source of a compacted block', async () => {
  const bucket = new MemoryBucket();
  const wanted = { ulid, sources: [before, tinyUlid(15)] };
  await put(bucket, after, { sources: [before] });
  equal(await isInBucket(bucket, wanted), false);
  await put(bucket, later, { sources: [tinyUlid(15)] });
  equal(await isInBucket(bucket, wanted), true);
});

test('in the bucket: a bucket that fails says nothing', async () => {
  const bucket = new FaultyBucket(new MemoryBucket());
  await put(bucket, ulid);
  const calls = bucket.calls.length;
  equal(await isInBucket(bucket, { ulid, sources: [] }), true);
  const asked = bucket.calls.length - calls;
  for (let n = 0; n < asked; n++) {
    const from = bucket.calls.length;
    bucket.plan = (_, i) => (i === from + n ? { kind: 'fail' } : undefined);
    await rejects(isInBucket(bucket, { ulid, sources: [] }), { code: 'unavailable' }, `call ${n}`);
  }
});
