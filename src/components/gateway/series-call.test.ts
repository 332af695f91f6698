/** Store.Series over blocks of a bucket that fails, is damaged, or loses blocks: the right answer or an error, never another answer. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CachingBucket } from '../../bucket/caching-bucket/caching-bucket.ts';
import { registerCachingBucketMetrics } from '../../bucket/caching-bucket/metrics.ts';
import { isBlocksRoot, isChunkSegment, isMetaFile } from '../../bucket/caching-bucket/policy.ts';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { InMemoryCache } from '../../cache/in-memory.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Random } from '../../lib/prng.ts';
import { Matcher } from '../../model/matcher.ts';
import { FilesystemBucket } from '../../objstore/filesystem.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { xorChunk } from '../../../test/support/block-builder.ts';
import { GatewayFixture, plainSeries, seriesOf } from '../../../test/support/gateway-fixture.ts';
import type { GatewaySettings, TestGateway } from '../../../test/support/gateway-fixture.ts';
import { until } from '../../../test/support/grpc-peers.ts';

/** So many series of a metric m, whose chunks begin at a time. */
function someSeries(random: Random, count: number, start: number, chunks = 3): TestSeries[] {
  return Array.from({ length: count }, (_, i) => ({
    labels: { __name__: 'm', i: String(i), even: String(i % 2) },
    chunks: Array.from({ length: chunks }, (_c, c) =>
      xorChunk(
        Array.from({ length: 60 }, (_s, s) => [start + c * 1000 + s * 10, random.float()] as const),
      ),
    ),
  }));
}

interface Filled {
  readonly fixture: GatewayFixture;
  readonly blocks: {
    readonly ulid: string;
    readonly directory: string;
    readonly labels: Record<string, string>;
  }[];
}

/** Three blocks: two of one cluster one after the other, one of another cluster. */
async function filled(seed: number, count = 120): Promise<Filled & Disposable> {
  const fixture = new GatewayFixture();
  const random = new Random(seed);
  const blocks = [];
  for (const [start, labels] of [
    [0, { cluster: 'eu' }],
    [10_000, { cluster: 'eu' }],
    [0, { cluster: 'us' }],
  ] as const) {
    blocks.push({ ...(await fixture.addBlock(someSeries(random, count, start), labels)), labels });
  }
  return { fixture, blocks, [Symbol.dispose]: () => fixture[Symbol.dispose]() };
}

async function synced(fixture: GatewayFixture, settings?: GatewaySettings): Promise<TestGateway> {
  const gateway = fixture.gateway(settings);
  await gateway.store.initialSync();
  return gateway;
}

/** Nothing is held any more. */
async function isIdle(gateway: TestGateway): Promise<void> {
  await until(() => gateway.budget.used === 0);
}

test('several blocks, in every way to run', async (t) => {
  using data = await filled(1);
  const want = plainSeries(data.blocks);
  equal(want.length, 240);
  const ways: Record<string, GatewaySettings> = {
    'as it is': {},
    'in memory': { inMemory: true },
    lazily: { lazyHeaders: true, lazyDownload: true, lazyPostings: true },
    'small reads': { batchSize: 7, estimates: { seriesBytes: 10, chunkBytes: 20 } },
  };
  for (const [name, settings] of Object.entries(ways)) {
    await t.test(name, async () => {
      const gateway = await synced(data.fixture, settings);
      deepEqual(await gateway.series(), want);
      const batched = await gateway.call({ responseBatchSize: 17 });
      equal(batched.length, Math.ceil(240 / 17));
      deepEqual(seriesOf(batched), want);
      deepEqual(await gateway.series({ limit: 10 }), want.slice(0, 10));
      const eu = [new Matcher('=', '__name__', 'm'), new Matcher('=', 'cluster', 'eu')];
      deepEqual(await gateway.series({ matchers: eu }), plainSeries(data.blocks.slice(0, 2)));
      await isIdle(gateway);
      await gateway.close();
    });
  }
});

test('series that take more than a run, in batches and one by one', async () => {
  using fixture = new GatewayFixture();
  const random = new Random(2);
  // More than runs of 4 MiB, and series of more than 16 KiB: memory of runs is used again while answers are made.
  const series = Array.from({ length: 40 }, (_, i) => ({
    labels: { __name__: 'm', i: String(i).padStart(3, '0') },
    chunks: Array.from({ length: 10 }, (_c, c) => ({
      mint: c,
      maxt: c,
      encoding: 1,
      count: 1,
      data: Buffer.alloc(1000 + random.below(60_000), i * 10 + c),
    })),
  }));
  const block = await fixture.addBlock(series);
  const want = plainSeries([{ ...block, labels: { cluster: 'eu' } }]);
  const gateway = await synced(fixture);
  for (const responseBatchSize of [0, 2, 25, 100]) {
    deepEqual(await gateway.series({ responseBatchSize }), want, String(responseBatchSize));
  }
  const slow = async (parts: readonly Uint8Array[], out: Buffer[]): Promise<void> => {
    const copies = parts.map((part) => (part.length <= 16_384 ? Buffer.from(part) : part));
    await new Promise((resolve) => setImmediate(resolve));
    out.push(Buffer.concat(copies));
  };
  const out: Buffer[] = [];
  await gateway.call({}, { write: (parts) => slow(parts, out) });
  await until(() => out.length === want.length);
  deepEqual(seriesOf(out), want);
  await isIdle(gateway);
  await gateway.close();
});

test('a bucket that fails at any request of a call', async () => {
  using data = await filled(3, 30);
  const { bucket } = data.fixture;
  const settings = { lazyHeaders: true, lazyDownload: true, inMemory: true };
  const first = await synced(data.fixture, settings);
  bucket.calls.splice(0);
  const want = await first.series();
  const requests = bucket.calls.length;
  await first.close();
  deepEqual(want, plainSeries(data.blocks));
  ok(requests > 8);
  for (let n = 0; n < requests; n++) {
    const gateway = await synced(data.fixture, settings);
    bucket.calls.splice(0);
    bucket.plan = (_call, i) => (i === n ? { kind: 'fail' } : undefined);
    await rejects(gateway.series(), (thrown) => {
      ok(thrown instanceof GrpcError);
      ok(['Aborted', 'Unknown'].includes(thrown.grpcCode), thrown.grpcCode);
      ok(
        data.blocks.some(({ ulid }) => thrown.message.includes(ulid)),
        thrown.message,
      );
      ok(thrown.message.includes('injected fault'), thrown.message);
      return true;
    });
    await isIdle(gateway);
    bucket.plan = undefined;
    deepEqual(await gateway.series(), want, `after request ${n} had failed`);
    await gateway.close();
  }
});

test('damaged objects', async (t) => {
  using data = await filled(4, 30);
  const { memory } = data.fixture;
  const want = plainSeries(data.blocks);
  const { ulid } = data.blocks[1] as { ulid: string };
  const gateway = await synced(data.fixture);
  const f = (
    name: string,
    object: string,
    change: (bytes: Buffer) => Uint8Array | undefined,
  ): Promise<void> =>
    t.test(name, async () => {
      const path = `${ulid}/${object}`;
      const bytes = await memory.getRange(path, { offset: 0, length: 1 << 30 });
      const changed = change(Buffer.from(bytes));
      if (changed === undefined) await memory.delete(path);
      else await memory.upload(path, changed);
      await rejects(gateway.series(), (thrown) => {
        ok(thrown instanceof GrpcError);
        ok(thrown.message.includes(path), thrown.message);
        return true;
      });
      await isIdle(gateway);
      await memory.upload(path, bytes);
      deepEqual(await gateway.series(), want);
    });
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at] = (bytes[at] as number) ^ 8;
    return bytes;
  };
  await f('a byte of a chunk', 'chunks/000001', flip(100));
  await f('half a segment', 'chunks/000001', (bytes) => bytes.subarray(0, bytes.length / 2));
  await f('no segment', 'chunks/000001', () => undefined);
  await f('an empty segment', 'chunks/000001', () => new Uint8Array(0));
  await f('half an index', 'index', (bytes) => bytes.subarray(0, bytes.length / 2));
  await f('no index', 'index', () => undefined);
  await f('zeros for an index', 'index', (bytes) => bytes.fill(0));
  await gateway.close();
});

test('an index that is damaged and not yet known', async () => {
  using data = await filled(5, 30);
  const { memory } = data.fixture;
  const { ulid } = data.blocks[0] as { ulid: string };
  const bytes = await memory.getRange(`${ulid}/index`, { offset: 0, length: 1 << 30 });
  const changed = Buffer.from(bytes);
  changed[20] = (changed[20] as number) ^ 1;
  await memory.upload(`${ulid}/index`, changed);
  const gateway = await synced(data.fixture, { lazyHeaders: true, lazyDownload: true });
  await rejects(gateway.series(), (thrown) => {
    ok(thrown instanceof GrpcError);
    equal(thrown.grpcCode, 'Aborted');
    ok(thrown.message.includes(`object ${ulid}/index is damaged`), thrown.message);
    return true;
  });
  await memory.upload(`${ulid}/index`, bytes);
  deepEqual(await gateway.series(), plainSeries(data.blocks));
  await gateway.close();
});

test('limits end a call with the codes and texts of Thanos', async (t) => {
  using data = await filled(6);
  const f = (name: string, settings: GatewaySettings, message: RegExp): Promise<void> =>
    t.test(name, async () => {
      const gateway = await synced(data.fixture, settings);
      await rejects(gateway.series(), (thrown) => {
        ok(thrown instanceof GrpcError);
        equal(thrown.grpcCode, 'ResourceExhausted');
        ok(message.test(thrown.message), thrown.message);
        return true;
      });
      await isIdle(gateway);
      // One that asks for less goes well.
      if (settings.limits?.bytes === 1000) return gateway.close();
      const matchers = [
        new Matcher('=', '__name__', 'm'),
        new Matcher('=', 'i', '7'),
        new Matcher('=', 'cluster', 'us'),
      ];
      equal((await gateway.series({ matchers, skipChunks: true })).length, 1);
      await gateway.close();
    });
  const none = { series: 0, chunks: 0, bytes: 0 };
  await f(
    'series',
    { limits: { ...none, series: 300 } },
    /^fetch postings for block \w{26}: rpc error: code = ResourceExhausted desc = exceeded series limit: limit 300 violated \(got 360\)$/,
  );
  await f(
    'chunks',
    { limits: { ...none, chunks: 500 } },
    /^receive series from \w{26}: rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 500 violated \(got \d+\)$/,
  );
  await f(
    'bytes, of postings',
    { limits: { ...none, bytes: 1000 } },
    /^fetch postings for block \w{26}: expanded matching posting: fetch and expand postings: get postings: rpc error: code = ResourceExhausted desc = exceeded bytes limit while fetching postings: limit 1000 violated \(got \d+\)$/,
  );
  await f(
    'bytes, of series or chunks',
    { limits: { ...none, bytes: 20_000 } },
    /^receive series from \w{26}: rpc error: code = ResourceExhausted desc = exceeded bytes limit while fetching (series|chunks): limit 20000 violated \(got \d+\)$/,
  );
  await f(
    'memory',
    { budgetBytes: 100_000 },
    /^receive series from \w{26}: rpc error: code = ResourceExhausted desc = chunk pool exhausted: \d+ of 100000 bytes would be in use$/,
  );
});

test('a client that goes away, at any message', async () => {
  using data = await filled(7);
  const gateway = await synced(data.fixture, { batchSize: 20 });
  const want = plainSeries(data.blocks);
  for (const at of [0, 1, 50, 239]) {
    const controller = new AbortController();
    let n = 0;
    const reason = new GrpcError('Canceled', 'context canceled');
    const call = gateway.series(
      {},
      {
        signal: controller.signal,
        write: () => {
          if (n++ === at) controller.abort(reason);
          return controller.signal.aborted ? Promise.reject(reason) : Promise.resolve();
        },
      },
    );
    // The last message may be on its way already.
    if (at === 239) await call.catch(() => undefined);
    else await rejects(call, reason);
    await isIdle(gateway);
  }
  const early = gateway.series({}, { signal: AbortSignal.abort() });
  await rejects(early);
  deepEqual(await gateway.series(), want);
  await gateway.close();
});

test('a client that reads nothing holds no more than some runs, and ends when it leaves', async () => {
  using data = await filled(8);
  const gateway = await synced(data.fixture, { batchSize: 20 });
  const controller = new AbortController();
  const stuck = Promise.withResolvers<void>();
  const call = gateway.series({}, { signal: controller.signal, write: () => stuck.promise });
  await until(() => gateway.budget.used > 0);
  const reason = new GrpcError('Canceled', 'context canceled');
  controller.abort(reason);
  stuck.reject(reason);
  await rejects(call, reason);
  await isIdle(gateway);
  await gateway.close();
});

test('a block that leaves the bucket while a call reads it', async (t) => {
  // The read of postings, behind which nobody has the header open, and the next one.
  for (const [lazyHeaders, held] of [
    [false, 0],
    [true, 0],
    [false, 1],
    [true, 1],
  ] as const) {
    await t.test(`${lazyHeaders ? 'lazily' : 'as it is'}, read ${held}`, async () => {
      using data = await filled(9);
      const { fixture } = data;
      const { memory, bucket } = fixture;
      const gateway = await synced(fixture, { lazyHeaders, batchSize: 20 });
      const want = plainSeries(data.blocks);
      const { ulid } = data.blocks[0] as { ulid: string };
      // The read waits until the block has left the store, not yet the bucket.
      const gone = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const copy = new Map<string, Uint8Array>();
      for await (const name of memory.iter(ulid, { recursive: true })) {
        copy.set(name, await memory.getRange(name, { offset: 0, length: 1 << 30 }));
      }
      let reads = 0;
      bucket.plan = ({ operation, name }) => {
        if (operation !== 'get_range' || !name.startsWith(ulid) || reads++ !== held)
          return undefined;
        reached.resolve();
        return { kind: 'hold', until: gone.promise };
      };
      const call = gateway.series();
      await reached.promise;
      await memory.delete(`${ulid}/meta.json`);
      await gateway.store.sync();
      deepEqual(
        gateway.ulids,
        data.blocks
          .slice(1)
          .map((block) => block.ulid)
          .toSorted(compareUtf8),
      );
      ok(existsSync(join(fixture.dataDir, ulid)), 'files stay while they are read');
      gone.resolve();
      deepEqual(await call, want);
      await until(() => !existsSync(join(fixture.dataDir, ulid)));
      bucket.plan = undefined;
      deepEqual(await gateway.series(), plainSeries(data.blocks.slice(1)));
      await isIdle(gateway);
      await gateway.close();
    });
  }
  await t.test('with all its objects', async () => {
    using data = await filled(10);
    const { memory, bucket } = data.fixture;
    const gateway = await synced(data.fixture, { batchSize: 20 });
    const { ulid } = data.blocks[0] as { ulid: string };
    let reads = 0;
    bucket.plan = ({ operation, name }) => {
      if (operation !== 'get_range' || !name.startsWith(ulid) || reads++ !== 1) return undefined;
      const removed = (async () => {
        for await (const object of memory.iter(ulid, { recursive: true }))
          await memory.delete(object);
      })();
      return { kind: 'hold', until: removed };
    };
    await rejects(gateway.series(), (thrown) => {
      ok(thrown instanceof GrpcError);
      ok(thrown.message.includes(`object "${ulid}/`), thrown.message);
      return true;
    });
    bucket.plan = undefined;
    await gateway.store.sync();
    deepEqual(await gateway.series(), plainSeries(data.blocks.slice(1)));
    await isIdle(gateway);
    await gateway.close();
  });
});

test('a label that is left out makes series of a block one', async () => {
  using fixture = new GatewayFixture();
  const chunk = (t: number) => xorChunk([[t, t]]);
  const series = (replica: string, t: number): TestSeries => ({
    labels: { __name__: 'm', a: '1', replica },
    chunks: [chunk(t)],
  });
  await fixture.addBlock([series('a', 1), series('b', 5), series('c', 3)]);
  const gateway = await synced(fixture);
  const found = await gateway.series({ withoutReplicaLabels: ['replica'] });
  equal(found.length, 1);
  const merged = await fixture.addBlock([
    { labels: { __name__: 'm', a: '1' }, chunks: [chunk(1), chunk(3), chunk(5)] },
  ]);
  deepEqual(found, plainSeries([{ ...merged, labels: { cluster: 'eu' } }]));
  await gateway.close();
  equal(readdirSync(fixture.dataDir).length > 0, true);
});

test('over a caching bucket over a filesystem', async () => {
  using data = await filled(11);
  const { fixture } = data;
  const metrics = new ProcessMetrics();
  const cacheMetrics = new CacheMetrics(metrics).inMemory('caching-bucket');
  const config = { bytesMax: 100_000_000, itemBytesMax: 50_000_000 };
  const ttl = { attributesTtlMs: 1e6, subrangeTtlMs: 1e6 };
  const bucket = new CachingBucket(new FilesystemBucket(fixture.directory.path), {
    cache: new InMemoryCache('caching-bucket', config, cacheMetrics, fixture.clock),
    policy: {
      ranges: { matches: isChunkSegment, subrangeSize: 500, requestsMax: 3, ...ttl },
      content: {
        matches: isMetaFile,
        bytesMax: 1e6,
        contentTtlMs: 1e6,
        existsTtlMs: 1e6,
        absentTtlMs: 1e6,
      },
      listings: { matches: isBlocksRoot, ttlMs: 1e6, configHash: '' },
    },
    metrics: registerCachingBucketMetrics(metrics),
    log: fixture.log,
    clock: fixture.clock,
  });
  const gateway = await synced(fixture, { bucket, batchSize: 30 });
  const want = plainSeries(data.blocks);
  for (const i of ['15', '50', '85']) {
    const one = [new Matcher('=', '__name__', 'm'), new Matcher('=', 'i', i)];
    equal((await gateway.series({ matchers: one })).length, 2);
  }
  // Parts are in the cache, others come from the files, all at once.
  deepEqual(await gateway.series(), want);
  deepEqual(await gateway.series(), want);
  await gateway.close();
});
