import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyBucket } from '../../../test/support/faulty-bucket.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { tinyUlid } from '../../../test/support/tiny-block.ts';
import { FakeClock } from '../../lib/clock.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { FilesystemBucket } from '../../objstore/filesystem.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import type { BlockLister, ListedBlock } from './block-lister.ts';
import { ConcurrentLister } from './concurrent-lister.ts';
import { RecursiveLister } from './recursive-lister.ts';

const [WHOLE, MARKED, PARTIAL] = [1, 2, 3].map(tinyUlid) as [string, string, string];

/** Names and sizes. */
const OBJECTS: Readonly<Record<string, number>> = {
  [`${WHOLE}/chunks/000001`]: 30,
  [`${WHOLE}/chunks/000002`]: 20,
  [`${WHOLE}/index`]: 10,
  [`${WHOLE}/meta.json`]: 5,
  [`${WHOLE}/no-compact-mark.json`]: 1,
  [`${WHOLE}/no-downsample-mark.json`]: 1,
  [`${MARKED}/deletion-mark.json`]: 1,
  [`${PARTIAL}/chunks/000001`]: 7,
  [`${PARTIAL}/chunks/meta.json`]: 7,
  // No blocks.
  [tinyUlid(4)]: 1,
  'debug/metas/x.json': 1,
  [`${tinyUlid(5).toLowerCase()}x/meta.json`]: 1,
  [`deeper/${tinyUlid(6)}/meta.json`]: 1,
};

async function fill(bucket: Bucket): Promise<void> {
  for (const [name, size] of Object.entries(OBJECTS)) {
    await bucket.upload(name, new Uint8Array(size));
  }
}

async function listed(lister: BlockLister, signal?: AbortSignal): Promise<ListedBlock[]> {
  const blocks: ListedBlock[] = [];
  const observer = {
    onBlock: (block: ListedBlock) => void blocks.push(block),
    onFailure: (ulid: string, error: unknown) => {
      throw new Error(`${ulid} failed`, { cause: error });
    },
  };
  await lister.list(observer, signal);
  return blocks.toSorted((a, b) => (a.ulid < b.ulid ? -1 : 1));
}

test('listers: the same facts by both ways', async () => {
  const clock = new FakeClock(5000);
  const bucket = new FaultyBucket(new MemoryBucket(clock));
  await fill(bucket);
  const want = [
    {
      ulid: WHOLE,
      meta: { size: 5, lastModified: 5000 },
      index: { size: 10, lastModified: 5000 },
      marks: new Set(['no-compact', 'no-downsample']),
      lastModified: 5000,
    },
    { ulid: MARKED, marks: new Set(['deletion']), lastModified: 5000 },
  ];
  bucket.calls.length = 0;
  const flat = await listed(new ConcurrentLister(bucket));
  deepEqual(flat, [...want, { ulid: PARTIAL, marks: new Set(), lastModified: undefined }]);
  deepEqual(bucket.names('iter'), ['', `${WHOLE}/`, `${MARKED}/`, `${PARTIAL}/`]);
  equal(bucket.calls.length, 4);

  bucket.calls.length = 0;
  const segments = (ulid: string, ...sizes: number[]) =>
    sizes
      .map((size, i) => ({ path: `chunks/00000${i + 1}`, size, ulid }))
      .map(({ path, size }) => ({ path, size }));
  deepEqual(await listed(new RecursiveLister(bucket)), [
    { ...want[0], segments: segments(WHOLE, 30, 20) },
    { ...want[1], segments: [] },
    {
      ulid: PARTIAL,
      marks: new Set(),
      lastModified: 5000,
      segments: [...segments(PARTIAL, 7), { path: 'chunks/meta.json', size: 7 }],
    },
  ]);
  deepEqual(bucket.calls, [{ operation: 'iter', name: '' }]);
});

test('listers: a directory, and an empty bucket', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  for (const lister of [new ConcurrentLister(bucket), new RecursiveLister(bucket)]) {
    deepEqual(await listed(lister), []);
  }
  await fill(bucket);
  for (const lister of [new ConcurrentLister(bucket), new RecursiveLister(bucket)]) {
    const blocks = await listed(lister);
    deepEqual(
      blocks.map(({ ulid, meta, index, marks }) => [ulid, meta?.size, index?.size, marks.size]),
      [
        [WHOLE, 5, 10, 2],
        [MARKED, undefined, undefined, 1],
        [PARTIAL, undefined, undefined, 0],
      ],
    );
    ok((blocks[0]?.meta?.lastModified ?? 0) > 0);
  }
  await bucket.close();
});

test('listers: failures and cancellation', async () => {
  const bucket = new FaultyBucket(new MemoryBucket());
  for (let i = 1; i <= 200; i++) await bucket.upload(`${tinyUlid(i)}/meta.json`, encodeUtf8('x'));
  const seen: string[] = [];
  const observer = {
    onBlock: ({ ulid }: ListedBlock) => void seen.push(ulid),
    onFailure: (ulid: string, error: unknown) => void seen.push(`${ulid} ${String(error)}`),
  };
  // One block cannot be looked at: the others are.
  bucket.plan = ({ name }) => (name.startsWith(tinyUlid(7)) ? { kind: 'fail' } : undefined);
  await new ConcurrentLister(bucket).list(observer);
  equal(seen.length, 200);
  deepEqual(
    seen.filter((one) => one.includes(' ')),
    [`${tinyUlid(7)} CodedError: injected fault`],
  );
  // The root breaks off at its end.
  bucket.plan = ({ name }) => (name === '' ? { kind: 'lose answer' } : undefined);
  for (const lister of [new ConcurrentLister(bucket), new RecursiveLister(bucket)]) {
    await rejects(lister.list(observer), { code: 'unavailable', message: 'injected fault' });
  }
  // Canceled in the middle: no request begins after that.
  const controller = new AbortController();
  bucket.calls.length = 0;
  bucket.plan = (_, n) => {
    if (n === 100) controller.abort();
    return undefined;
  };
  await rejects(new ConcurrentLister(bucket).list(observer, controller.signal), {
    code: 'canceled',
  });
  ok(bucket.calls.length <= 100 + 64, `${bucket.calls.length} requests`);
  for (const lister of [new ConcurrentLister(bucket), new RecursiveLister(bucket)]) {
    await rejects(lister.list(observer, AbortSignal.abort()), { code: 'canceled' });
  }
});
