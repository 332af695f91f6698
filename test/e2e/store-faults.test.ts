/**
 * `thanos store` over an S3 server that fails in every way: whatever it does, an answer is whole and right or the call ends with an error
 * that says why, and when the server is well again so is the gateway, without a restart.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeToc } from '../../src/bucket/index-header/format.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { TOC_BYTES } from '../../src/tsdb/index/index-format.ts';
import { openBucket, parseBucketConfig } from '../../src/objstore/config.ts';
import { addThanosMetas, writeSmallBlocks } from '../support/bucket-blocks.ts';
import { MemcachedTestServer } from '../support/memcached-server.ts';
import { RedisTestServer } from '../support/redis-server.ts';
import { s3ConfigText } from '../support/latency-bucket.ts';
import { RawGrpcClient } from '../support/raw-grpc-client.ts';
import type { RawOutcome } from '../support/raw-grpc-client.ts';
import { GOOD_CONDITIONS, startS3Server } from '../support/s3-server.ts';
import type { S3Conditions, S3Server } from '../support/s3-server.ts';
import { startStore } from '../support/server-process.ts';
import type { ThanosStore } from '../support/server-process.ts';
import { MountedDisk, mountSmallDisk } from '../support/small-disk.ts';
import { ANYTHING, SERIES_PATH, seriesRequest } from '../support/store-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BLOCKS = 5;
const REQUEST = seriesRequest(ANYTHING);
const DISK_BYTES = 1 << 20;
/** No caches: each call goes to the bucket. */
const NO_CACHE = ['--index-cache-size=1KB'];

test('whatever the bucket does, answers are right or errors', async (t) => {
  using directory = temporaryDirectory();
  await using s3 = await startS3Server();
  await fill(s3, directory.path);
  await using store = await running(s3, directory.path);
  using client = new RawGrpcClient(store.grpc);
  const good = await client.call(SERIES_PATH, REQUEST);
  equal(good.code, 0);
  equal(good.messages.length, 100);

  const faults: Readonly<Record<string, Partial<S3Conditions>>> = {
    'one request in ten answered 503': { failureRate: 0.1 },
    'every request answered 500': { failureRate: 1, failureStatus: 500 },
    'one body in five cut short': { truncateRate: 0.2 },
    'every body cut short': { truncateRate: 1 },
    'connections that are cut': { cutRate: 0.2 },
    'slow answers': { firstByteMs: 300 },
  };
  for (const [title, conditions] of Object.entries(faults)) {
    await t.test(title, async () => {
      Object.assign(s3.conditions, conditions);
      const outcomes = await Promise.all(
        Array.from({ length: 5 }, () => client.call(SERIES_PATH, REQUEST, deadline(20_000))),
      );
      Object.assign(s3.conditions, GOOD_CONDITIONS);
      for (const outcome of outcomes) checkRightOrError(outcome, good);
      deepEqual(await client.call(SERIES_PATH, REQUEST), good);
    });
  }

  await t.test('a bucket that is gone, and comes back', async () => {
    const port = Number(s3.host.split(':')[1]);
    await s3[Symbol.asyncDispose]();
    const gone = await client.call(SERIES_PATH, REQUEST, deadline(60_000));
    ok(gone.code !== 0, 'a call without a bucket failed');
    await s3.listen(port);
    deepEqual(await client.call(SERIES_PATH, REQUEST), good);
  });

  await t.test('a call that is cancelled stops reading', async () => {
    s3.conditions.firstByteMs = 1000;
    const outcome = await client.call(SERIES_PATH, REQUEST, deadline(100));
    equal(outcome.code, 4);
    await sleep(300);
    const seen = s3.seen.length;
    await sleep(1500);
    equal(s3.seen.length, seen, 'nothing was asked for after the call had ended');
    Object.assign(s3.conditions, GOOD_CONDITIONS);
    deepEqual(await client.call(SERIES_PATH, REQUEST), good);
  });

  await t.test('an index whose bytes are wrong', async () => {
    const [name = ''] = s3.objects.names().filter((one) => one.endsWith('/index'));
    const bytes = s3.objects.get(name)?.bytes ?? Buffer.alloc(0);
    const wrong = Buffer.from(bytes);
    const { series } = decodeToc(wrong.subarray(-TOC_BYTES), { path: name, at: 0 });
    wrong[series + 10] = (wrong[series + 10] ?? 0) ^ 0xff;
    s3.objects.put(name, wrong);
    const outcome = await client.call(SERIES_PATH, REQUEST);
    equal(outcome.code, 2);
    match(
      outcome.details,
      /^receive series from [0-9A-Z]{26}: .*checksum mismatch.*\/index, offset \d+/,
    );
    s3.objects.put(name, bytes);
    deepEqual(await client.call(SERIES_PATH, REQUEST), good);
  });

  await t.test('chunks whose bytes are wrong', async () => {
    const [name = ''] = s3.objects.names().filter((one) => one.includes('/chunks/'));
    const bytes = s3.objects.get(name)?.bytes ?? Buffer.alloc(0);
    const wrong = Buffer.from(bytes);
    wrong[wrong.length - 10] = (wrong[wrong.length - 10] ?? 0) ^ 1;
    s3.objects.put(name, wrong);
    const outcome = await client.call(SERIES_PATH, REQUEST);
    equal(outcome.code, 2);
    match(outcome.details, /chunk: checksum mismatch \([0-9A-Z]{26}\/chunks\/000001, offset \d+\)/);
    s3.objects.put(name, bytes);
    deepEqual(await client.call(SERIES_PATH, REQUEST), good);
  });

  await t.test('a block that is deleted under a query', async () => {
    const [index = ''] = s3.objects.names().filter((one) => one.endsWith('/index'));
    const ulid = index.slice(0, 26);
    for (const name of s3.objects.names()) if (name.startsWith(ulid)) s3.objects.delete(name);
    const outcome = await client.call(SERIES_PATH, REQUEST);
    ok(outcome.code !== 0);
    match(outcome.details, new RegExp(ulid));
    match(outcome.details, /does not exist/);
  });
});

test('a bucket that is not there at the start', async (t) => {
  await t.test('and comes later', async () => {
    using directory = temporaryDirectory();
    await using s3 = await startS3Server();
    await fill(s3, directory.path);
    const port = Number(s3.host.split(':')[1]);
    s3.conditions.failureRate = 1;
    const store = await startStore({
      dataDir: join(directory.path, 'data'),
      bucket: s3ConfigText(`127.0.0.1:${port}`),
      wait: false,
    });
    await store.process.ready(`${store.http}/-/healthy`);
    const early = await fetch(`${store.http}/-/ready`);
    equal(early.status, 503);
    s3.conditions.failureRate = 0;
    await store.process.ready(`${store.http}/-/ready`);
    equal(await store.process.stop(), 0);
  });

  await t.test('and does not come', async () => {
    using directory = temporaryDirectory();
    const store = await startStore({
      dataDir: join(directory.path, 'data'),
      bucket: s3ConfigText('127.0.0.1:9'),
      wait: false,
    });
    equal(await store.process.ended, 1);
    const last = store.process.output.trimEnd().split('\n').at(-1) ?? '';
    match(last, /^thanos: error: bucket store initial sync: sync block: .*ECONNREFUSED/);
  });
});

for (const [type, make, field] of [
  ['MEMCACHED', () => new MemcachedTestServer(systemClock), 'addresses: [ADDRESS]'],
  ['REDIS', () => new RedisTestServer(systemClock), 'addr: ADDRESS'],
] as const) {
  test(`an index cache of type ${type} that fails and comes back`, async () => {
    using directory = temporaryDirectory();
    await using s3 = await startS3Server();
    await fill(s3, directory.path);
    await using cache = make();
    await cache.start();
    const config = field.replace('ADDRESS', cache.address);
    const store = await startStore({
      dataDir: join(directory.path, 'data'),
      bucket: s3ConfigText(s3.host),
      args: [`--index-cache.config={type: ${type}, config: {${config}}}`],
    });
    using client = new RawGrpcClient(store.grpc);
    const good = await client.call(SERIES_PATH, REQUEST);
    equal(good.code, 0);
    equal(good.messages.length, 100);
    await hitsGrow(store, client);
    for (const mood of ['hanging', 'babbling', 'cutting'] as const) {
      cache.mood = mood;
      for (let i = 0; i < 3; i++) deepEqual(await client.call(SERIES_PATH, REQUEST), good);
    }
    cache.mood = 'well';
    await cache.stop();
    for (let i = 0; i < 5; i++) deepEqual(await client.call(SERIES_PATH, REQUEST), good);
    await cache.start();
    await hitsGrow(store, client);
    deepEqual(await client.call(SERIES_PATH, REQUEST), good);
    equal(await store.process.stop(), 0);
  });
}

/** Asks until something came from the cache: what is read is stored a moment later. */
async function hitsGrow(store: ThanosStore, client: RawGrpcClient): Promise<void> {
  const before = await cacheHits(store);
  for (let tries = 0; tries < 100; tries++) {
    equal((await client.call(SERIES_PATH, REQUEST)).code, 0);
    if ((await cacheHits(store)) > before) return;
    await sleep(100);
  }
  throw new Error('nothing comes from the index cache');
}

async function cacheHits(store: ThanosStore): Promise<number> {
  const text = await (await fetch(`${store.http}/metrics`)).text();
  const hits = text.matchAll(/^thanos_store_index_cache_hits_total\{[^}]*\} (\d+)$/gm);
  return [...hits].reduce((sum, [, value]) => sum + Number(value), 0);
}

test('a data directory that is full', async (t) => {
  using directory = temporaryDirectory();
  const mount = join(directory.path, 'disk');
  mkdirSync(mount);
  const problem = mountSmallDisk(mount, DISK_BYTES);
  if (problem !== undefined) {
    t.skip(problem);
    return;
  }
  using disk = new MountedDisk(mount);
  await using s3 = await startS3Server();
  await fill(s3, directory.path);
  disk.fill();
  const store = await startStore({
    dataDir: join(disk.path, 'data'),
    bucket: s3ConfigText(s3.host),
  });
  using client = new RawGrpcClient(store.grpc);
  const { code, messages } = await client.call(SERIES_PATH, REQUEST);
  equal(code, 0);
  equal(messages.length, 100);
  match(store.process.output, /index-header cannot be written, it is kept in memory/);
  equal(await store.process.stop(), 0);
});

test('a data directory that is not a directory', async () => {
  using directory = temporaryDirectory();
  await using s3 = await startS3Server();
  await fill(s3, directory.path);
  const blocked = join(directory.path, 'data');
  writeFileSync(blocked, 'a file');
  const store = await startStore({
    dataDir: blocked,
    bucket: s3ConfigText(s3.host),
    wait: false,
  });
  equal(await store.process.ended, 1);
  match(store.process.output, /thanos: error: .*data/);
  rmSync(blocked);
});

function checkRightOrError(outcome: RawOutcome, good: RawOutcome): void {
  if (outcome.code === 0) deepEqual(outcome, good);
  else match(outcome.details, /[0-9A-Z]{26}|Deadline/);
}

function deadline(ms: number): { readonly deadline: number } {
  return { deadline: Date.now() + ms };
}

async function fill(s3: S3Server, directory: string): Promise<void> {
  const blocks = join(directory, 'blocks');
  writeSmallBlocks(blocks, BLOCKS);
  addThanosMetas(blocks, { cluster: 'eu1', replica: 'a' });
  const config = await parseBucketConfig({ text: s3ConfigText(s3.host), name: 'test' });
  const bucket = await openBucket(config);
  for (const entry of readdirSync(blocks, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'tombstones') continue;
    const file = join(entry.parentPath, entry.name);
    await bucket.upload(file.slice(blocks.length + 1), readFileSync(file));
  }
  await bucket.close();
}

async function running(s3: S3Server, directory: string): Promise<ThanosStore & AsyncDisposable> {
  const store = await startStore({
    dataDir: join(directory, 'data'),
    bucket: s3ConfigText(s3.host, ['max_retries: 2']),
    args: NO_CACHE,
  });
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      equal(await store.process.stop(), 0);
    },
  };
}
