/** The blocks of a gateway in step with a bucket that fails, loses and marks blocks. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { markBlock } from '../../bucket/mark-block.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { isUlid } from '../../model/ulid.ts';
import { xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { GatewayFixture, plainSeries } from '../../../test/support/gateway-fixture.ts';
import { until } from '../../../test/support/grpc-peers.ts';

const HOUR = 3_600_000;

const series = (i: number, start = 0): TestSeries[] => [
  { labels: { __name__: 'm', i: String(i) }, chunks: [xorChunk([[start, i]])] },
];

/** Directories of blocks below the data directory. */
function files({ dataDir }: GatewayFixture): string[] {
  return readdirSync(dataDir)
    .filter((name) => isUlid(name))
    .toSorted(compareUtf8);
}

test('a block that fails to load is tried again, and the others serve', async () => {
  using fixture = new GatewayFixture();
  const blocks = [];
  for (let i = 0; i < 3; i++) blocks.push(await fixture.addBlock(series(i)));
  const ulids = blocks.map(({ ulid }) => ulid).toSorted(compareUtf8);
  const bad = ulids[1] as string;
  for (const operation of ['get_range', 'iter'] as const) {
    const gateway = fixture.gateway({ inMemory: true });
    fixture.bucket.plan = (call) =>
      call.operation === operation && call.name.startsWith(bad) && call.name !== `${bad}/meta.json`
        ? { kind: 'fail' }
        : undefined;
    await gateway.store.initialSync().catch(() => undefined);
    ok(gateway.ulids.length >= 2 && !gateway.ulids.includes(bad), operation);
    ok(
      gateway.warnings().some((line) => line.startsWith('loading block failed: ')),
      operation,
    );
    await gateway.store.sync().catch(() => undefined);
    ok(!gateway.ulids.includes(bad));
    fixture.bucket.plan = undefined;
    await gateway.store.sync();
    deepEqual(gateway.ulids, ulids);
    await gateway.close();
  }
});

test('what a failed block left on the disk goes when the block leaves', async () => {
  using fixture = new GatewayFixture();
  const good = await fixture.addBlock(series(1));
  // Its header is made, and then nobody knows its resolution.
  const bad = await fixture.addBlock(series(2), { cluster: 'eu' }, 1234);
  const gateway = fixture.gateway();
  await gateway.store.initialSync();
  deepEqual(gateway.ulids, [good.ulid]);
  deepEqual(gateway.warnings(), ['loading block failed: unsupported downsampling resolution 1234']);
  deepEqual(files(fixture), [good.ulid, bad.ulid].toSorted(compareUtf8));
  await fixture.memory.delete(`${bad.ulid}/meta.json`);
  await gateway.store.sync();
  deepEqual(files(fixture), [good.ulid]);
  await gateway.close();
});

test('an incomplete view drops nothing, and adds what it has', async () => {
  using fixture = new GatewayFixture();
  const first = await fixture.addBlock(series(1));
  const gateway = fixture.gateway();
  await gateway.store.initialSync();
  const second = await fixture.addBlock(series(2));
  await gateway.store.sync();
  const third = await fixture.addBlock(series(3));
  await fixture.memory.delete(`${second.ulid}/meta.json`);
  // The metas of one block cannot be read.
  const meta = `${first.ulid}/meta.json`;
  fixture.bucket.plan = ({ name }) => (name === meta ? { kind: 'fail' } : undefined);
  const other = fixture.gateway({ inMemory: true });
  await rejects(other.store.sync());
  deepEqual(other.ulids, [third.ulid]);
  await other.close();
  // The bucket cannot be listed at all.
  fixture.bucket.plan = ({ operation }) => (operation === 'iter' ? { kind: 'fail' } : undefined);
  await rejects(gateway.store.sync());
  deepEqual(gateway.ulids, [first.ulid, second.ulid].toSorted(compareUtf8));
  fixture.bucket.plan = undefined;
  await gateway.store.sync();
  deepEqual(gateway.ulids, [first.ulid, third.ulid].toSorted(compareUtf8));
  await until(() => !existsSync(join(fixture.dataDir, second.ulid)));
  await gateway.close();
});

test('a marked block leaves after the delay, with its files', async () => {
  using fixture = new GatewayFixture();
  const first = await fixture.addBlock(series(1));
  const second = await fixture.addBlock(series(2));
  const gateway = fixture.gateway({ deletionDelayMs: 24 * HOUR });
  await gateway.store.initialSync();
  const time = fixture.clock.now();
  await markBlock(
    fixture.memory,
    { kind: 'deletion', id: first.ulid, time, details: '', reason: '' },
    { log: fixture.log },
  );
  await gateway.store.sync();
  deepEqual(gateway.ulids, [first.ulid, second.ulid].toSorted(compareUtf8));
  fixture.clock.advance(24 * HOUR + 1000);
  await gateway.store.sync();
  deepEqual(gateway.ulids, [second.ulid]);
  await until(() => files(fixture).length === 1);
  const want = plainSeries([{ ...second, labels: { cluster: 'eu' } }]);
  deepEqual(await gateway.series(), want);
  // The mark goes, the block comes back.
  await fixture.memory.delete(`${first.ulid}/deletion-mark.json`);
  await gateway.store.sync();
  deepEqual(gateway.ulids, [first.ulid, second.ulid].toSorted(compareUtf8));
  deepEqual(files(fixture), gateway.ulids);
  equal((await gateway.series()).length, 2);
  await gateway.close();
});

test('a restart takes headers from the disk, and removes those of blocks that have left', async () => {
  using fixture = new GatewayFixture();
  const blocks = [];
  for (let i = 0; i < 3; i++) blocks.push(await fixture.addBlock(series(i)));
  const before = fixture.gateway();
  await before.store.initialSync();
  await before.close();
  const gone = blocks[0] as { ulid: string };
  await fixture.memory.delete(`${gone.ulid}/meta.json`);
  mkdirSync(join(fixture.dataDir, 'not-a-block'));
  writeFileSync(join(fixture.dataDir, 'a-file'), '');
  fixture.bucket.calls.splice(0);
  const after = fixture.gateway();
  await after.store.initialSync();
  deepEqual(fixture.bucket.names('get_range'), []);
  deepEqual(files(fixture), after.ulids);
  equal(after.ulids.length, 2);
  ok(
    existsSync(join(fixture.dataDir, 'not-a-block')) && existsSync(join(fixture.dataDir, 'a-file')),
  );
  await after.close();
});

test('a header that cannot be read for now is not thrown away with its block', async () => {
  using fixture = new GatewayFixture();
  const { ulid } = await fixture.addBlock(series(1));
  const before = fixture.gateway();
  await before.store.initialSync();
  await before.close();
  // The segments of the block cannot be listed at the start.
  fixture.bucket.plan = ({ operation, name }) =>
    operation === 'iter' && name.startsWith(ulid) && name.includes('chunks')
      ? { kind: 'fail' }
      : undefined;
  const after = fixture.gateway();
  await after.store.initialSync();
  fixture.bucket.plan = undefined;
  fixture.bucket.calls.splice(0);
  await after.store.sync();
  deepEqual(after.ulids, [ulid]);
  deepEqual(fixture.bucket.names('get_range'), []);
  await after.close();
});

test('a sync that is given up', async () => {
  using fixture = new GatewayFixture();
  for (let i = 0; i < 5; i++) await fixture.addBlock(series(i));
  const gateway = fixture.gateway();
  const controller = new AbortController();
  fixture.bucket.plan = ({ operation }) => {
    if (operation === 'get_range') controller.abort();
    return undefined;
  };
  await gateway.store.initialSync(controller.signal).catch(() => undefined);
  ok(gateway.ulids.length < 5);
  fixture.bucket.plan = undefined;
  await gateway.store.sync();
  equal(gateway.ulids.length, 5);
  await gateway.close();
});

test('lazy headers are closed when nobody asks, and opened again', async () => {
  using fixture = new GatewayFixture();
  const block = await fixture.addBlock(series(1));
  const gateway = fixture.gateway({ lazyHeaders: true });
  await gateway.store.initialSync();
  const [loaded] = [...gateway.store.blocks];
  equal(loaded?.header.isOpen, false);
  const want = plainSeries([{ ...block, labels: { cluster: 'eu' } }]);
  deepEqual(await gateway.series(), want);
  equal(loaded?.header.isOpen, true);
  fixture.clock.advance(59_999);
  await gateway.store.closeIdleHeaders();
  equal(loaded?.header.isOpen, true);
  fixture.clock.advance(1);
  await gateway.store.closeIdleHeaders();
  equal(loaded?.header.isOpen, false);
  deepEqual(await gateway.series(), want);
  await gateway.close();
});

test('times and labels of all blocks', async () => {
  using fixture = new GatewayFixture();
  const gateway = fixture.gateway({ inMemory: true });
  await gateway.store.initialSync();
  const { timeRange, tsdbInfos } = gateway.store;
  deepEqual({ timeRange, tsdbInfos }, { timeRange: undefined, tsdbInfos: [] });
  const block = (labels: Record<string, string>, ...times: number[]) =>
    fixture.addBlock(
      [{ labels: { __name__: 'm' }, chunks: times.map((t) => xorChunk([[t, 1]])) }],
      labels,
    );
  await block({ cluster: 'eu' }, 0, 9);
  await block({ cluster: 'eu' }, 10, 19);
  await block({ cluster: 'eu' }, 50, 59);
  await block({ cluster: 'us' }, -5, 4);
  await gateway.store.sync();
  deepEqual(gateway.store.timeRange, { mint: -5, maxt: 60 });
  // Thanos pkg/store/bucket.go TSDBInfos: what follows without a gap is one.
  const infos = gateway.store.tsdbInfos.map(
    ({ labels, mint, maxt }) => `${labels.get('cluster')} ${mint} ${maxt}`,
  );
  deepEqual(infos.toSorted(compareUtf8), ['eu 0 20', 'eu 50 60', 'us -5 5']);
  deepEqual(
    gateway.store.labelSets.map((labels) => labels.toObject()),
    [{ cluster: 'eu' }, { cluster: 'us' }],
  );
  await gateway.close();
});
