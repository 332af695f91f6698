import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { tinyMeta, tinyUlid, writeTinyBlock } from '../../test/support/tiny-block.ts';
import { FakeClock } from '../lib/clock.ts';
import { nopLogger } from '../lib/log.ts';
import { MemoryBucket } from '../objstore/memory.ts';
import { readObject } from '../objstore/read-object.ts';
import { encodeBlockMeta } from '../tsdb/block/meta.ts';
import { readThanos, withThanos } from './meta.ts';
import { uploadBlock } from './upload-block.ts';

const clock = new FakeClock(Date.UTC(2026, 10, 21, 7));
const options = { clock, log: nopLogger };
const ulid = tinyUlid(1);

/** A block as a compactor leaves it, with labels in its meta.json. */
function blockWithLabels(parent: string, labels = { a: 'b' }): string {
  const directory = writeTinyBlock(parent, { ulid });
  const part = { labels, downsample: { resolution: 0 }, source: 'compactor' };
  const text = encodeBlockMeta(withThanos(tinyMeta({ ulid }), part));
  writeFileSync(join(directory, 'meta.json'), text);
  return directory;
}

test('upload block: segments, index, meta.json, and a look whether they arrived', async () => {
  using parent = temporaryDirectory();
  const directory = blockWithLabels(parent.path);
  writeFileSync(join(directory, 'tombstones'), 'not uploaded');
  const bucket = new FaultyBucket(new MemoryBucket());
  const meta = await uploadBlock(bucket, directory, options);
  deepEqual(
    bucket.calls.map(({ operation, name }) => `${operation} ${name}`),
    [
      `iter ${ulid}`,
      `upload ${ulid}/chunks/000001`,
      `upload ${ulid}/chunks/000002`,
      `upload ${ulid}/index`,
      `iter ${ulid}`,
      `upload ${ulid}/meta.json`,
      `attributes ${ulid}/meta.json`,
    ],
  );
  deepEqual(readThanos(meta, 'x'), {
    labels: { a: 'b' },
    downsample: { resolution: 0 },
    source: 'compactor',
    files: [
      { rel_path: 'chunks/000001', size_bytes: 28 },
      { rel_path: 'chunks/000002', size_bytes: 17 },
      { rel_path: 'index', size_bytes: 13 },
      { rel_path: 'meta.json' },
    ],
    index_stats: {},
    upload_time: '2026-11-21T07:00:00Z',
  });
  const text = Buffer.from(await readObject(bucket, `${ulid}/meta.json`)).toString();
  equal(text, encodeBlockMeta(meta));
});

test('upload block: hashes', async () => {
  using parent = temporaryDirectory();
  const directory = blockWithLabels(parent.path);
  const large = Buffer.alloc(1_000_003, 'large');
  writeFileSync(join(directory, 'index'), large);
  const bucket = new MemoryBucket();
  const meta = await uploadBlock(bucket, directory, { ...options, hash: 'SHA256' });
  const hashes = readThanos(meta, 'x').files?.map(({ rel_path: path, hash }) => [path, hash]);
  const value = (content: Buffer | string): string =>
    createHash('sha256').update(content).digest('hex');
  deepEqual(hashes, [
    ['chunks/000001', { hashFunc: 'SHA256', value: value('content of the first segment') }],
    ['chunks/000002', { hashFunc: 'SHA256', value: value('and of the second') }],
    ['index', { hashFunc: 'SHA256', value: value(large) }],
    ['meta.json', undefined],
  ]);
});

test('upload block: segments side by side, and only segments', async () => {
  using parent = temporaryDirectory();
  const directory = blockWithLabels(parent.path);
  for (let i = 3; i <= 6; i++) writeFileSync(join(directory, `chunks/00000${i}`), 'x');
  const gate = Promise.withResolvers<void>();
  const bucket = new FaultyBucket(new MemoryBucket());
  const begun: string[] = [];
  bucket.plan = ({ operation, name }) => {
    if (operation !== 'upload') return undefined;
    begun.push(name);
    // With the third under way all may go on; a fourth would be there by then if it were let in.
    if (begun.length === 3) setImmediate(() => (equal(begun.length, 3), gate.resolve()));
    return { kind: 'hold', until: gate.promise };
  };
  await uploadBlock(bucket, directory, { ...options, concurrency: 3 });
  deepEqual(begun.slice(-2), [`${ulid}/index`, `${ulid}/meta.json`]);
  equal(begun.length, 8);
});

test('upload block: what the bucket has from an earlier attempt is not sent again', async () => {
  using parent = temporaryDirectory();
  const directory = blockWithLabels(parent.path);
  const memory = new MemoryBucket();
  await memory.upload(`${ulid}/chunks/000001`, Buffer.from('content of the first segment'));
  await memory.upload(`${ulid}/index`, Buffer.from('half'));
  const bucket = new FaultyBucket(memory);
  await uploadBlock(bucket, directory, options);
  deepEqual(bucket.names('upload'), [
    `${ulid}/chunks/000002`,
    `${ulid}/index`,
    `${ulid}/meta.json`,
  ]);
  equal(Buffer.from(await readObject(bucket, `${ulid}/index`)).toString(), 'index of both');
});

test('upload block: what did not arrive is no block', async () => {
  using parent = temporaryDirectory();
  const directory = blockWithLabels(parent.path);
  const bucket = new FaultyBucket(new MemoryBucket());
  let damaged = false;
  bucket.plan = ({ operation, name }) => {
    // Another hand shortens the index before it is looked for.
    if (operation === 'iter' && bucket.names('upload').length > 0 && !damaged) {
      damaged = true;
      return { kind: 'hold', until: bucket.upload(`${ulid}/index`, Buffer.from('ind')) };
    }
    ok(!name.endsWith('meta.json'));
    return undefined;
  };
  await rejects(uploadBlock(bucket, directory, options), {
    code: 'unavailable',
    message: `after its upload, ${ulid}/index has 3 of 13 bytes in the bucket`,
  });
});

test('upload block: what is no block is not uploaded', async () => {
  using parent = temporaryDirectory();
  const bucket = new FaultyBucket(new MemoryBucket());
  const f = async (change: (directory: string) => void, want: object): Promise<void> => {
    const directory = blockWithLabels(parent.path);
    change(directory);
    await rejects(uploadBlock(bucket, directory, options), want);
    rmSync(directory, { recursive: true, force: true });
  };
  const corrupt = (message: RegExp): object => ({ code: 'corrupt', message });
  await f((d) => rmSync(join(d, 'meta.json')), corrupt(/^meta\.json of block .*ENOENT/));
  await f((d) => rmSync(join(d, 'index')), corrupt(/^index of block .*ENOENT/));
  await f(
    (d) => rmSync(join(d, 'chunks'), { recursive: true }),
    corrupt(/^chunks of block .*ENOENT/),
  );
  await f((d) => writeFileSync(join(d, 'meta.json'), '{'), corrupt(/not JSON/));
  await f(
    (d) => {
      rmSync(join(d, 'index'));
      mkdirSync(join(d, 'index'));
    },
    corrupt(/^index is no file/),
  );
  const other = encodeBlockMeta(tinyMeta({ ulid: tinyUlid(2) }));
  await f((d) => writeFileSync(join(d, 'meta.json'), other), corrupt(/want that of the directory/));
  await f((d) => rmSync(d, { recursive: true }), { code: 'not_found' });
  await f((d) => writeFileSync(join(d, 'meta.json'), encodeBlockMeta(tinyMeta({ ulid }))), {
    code: 'bad_data',
    message: 'empty external labels are not allowed for Thanos block.',
  });
  deepEqual(bucket.names('upload'), []);
});
