import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLine } from '../../../test/support/fetch-fixture.ts';
import { FetchFixture, putMeta, thanosMeta } from '../../../test/support/fetch-fixture.ts';
import { tinyUlid } from '../../../test/support/tiny-block.ts';
import { compareUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { parseRelabelConfig, SELECTOR_ACTIONS } from '../../model/relabel-config.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import type { BlockMark } from '../markers.ts';
import { writeMark } from '../markers.ts';
import { formatUploadTime } from '../meta.ts';
import { FetchMetrics, registerConsistencyDelay } from './fetch-metrics.ts';
import {
  dropReplicaLabels,
  gatherNoCompactMarks,
  gatherNoDownsampleMarks,
  storeFilters,
} from './filters.ts';
import type { MetaFilter } from './meta-filter.ts';
import { MetaFetcher } from './meta-fetcher.ts';

type Change = readonly [metas: readonly string[], error: string | undefined];

function fetcherOf(
  fixture: FetchFixture,
  filters: readonly MetaFilter[],
  changes: Change[] = [],
): MetaFetcher {
  return new MetaFetcher({
    base: fixture.base(),
    filters,
    metrics: new FetchMetrics(fixture.registry),
    clock: fixture.clock,
    log: fixture.log,
    onChange: (metas: readonly BlockMeta[], error) =>
      void changes.push([metas.map(({ ulid }) => ulid), error?.message]),
  });
}

/** The states of the last sync that are not 0. */
async function states(fixture: FetchFixture): Promise<Record<string, number>> {
  const samples = await fixture.registry.snapshot();
  const synced = samples.filter(({ name }) => name === 'thanos_blocks_meta_synced');
  return Object.fromEntries(
    synced.flatMap(({ labels: [label], value }) =>
      label === undefined || value === 0 ? [] : [[label[1], value]],
    ),
  );
}

function mark(id: string, time: number, kind: BlockMark['kind'] = 'deletion'): BlockMark {
  return { kind, id, time, details: '', reason: 'manual' };
}

const HOUR = 3600_000;

async function storeFixture(): Promise<{ fixture: FetchFixture; filters: readonly MetaFilter[] }> {
  const fixture = new FetchFixture();
  const { bucket } = fixture;
  const text = '[{source_labels: [cluster], regex: eu, action: keep}]';
  const filters = storeFilters({
    bucket,
    concurrency: 32,
    minTime: { time: 1000 },
    // Two hours after the fixture's now.
    maxTime: { fromNow: 2 * HOUR },
    selectorRules: await parseRelabelConfig({ name: 'selector', text }, SELECTOR_ACTIONS),
    consistencyDelayMs: 600_000,
    ignoreDeletionMarksDelayMs: HOUR,
  });
  return { fixture, filters };
}

test('meta fetcher: the filters of a store gateway and their figures', async () => {
  const { fixture, filters } = await storeFixture();
  const { memory, clock } = fixture;
  const now = clock.now();
  const ids = Array.from({ length: 12 }, (_, i) => tinyUlid(i + 1));
  const put = (i: number, block = {}, thanos = {}) =>
    putMeta(memory, thanosMeta({ ulid: ids[i] ?? '', ...block }, thanos));
  await put(0);
  await put(1, { maxTime: 999 });
  await put(2, { minTime: now + 3 * HOUR, maxTime: now + 4 * HOUR });
  await put(3, {}, { labels: { cluster: 'us' } });
  await put(4, {}, { upload_time: formatUploadTime(now - 599_000) });
  await put(5, {}, { upload_time: formatUploadTime(now - 599_000), source: 'compactor' });
  await put(6);
  await put(7);
  await put(8, { sources: [ids[10] ?? '', ids[11] ?? ''], level: 2 });
  await put(10);
  await memory.upload(`${ids[9]}/meta.json`, encodeUtf8('{'));
  await memory.upload(`${ids[11]}/index`, encodeUtf8('x'));
  await writeMark(memory, mark(ids[6] ?? '', now - HOUR - 1000));
  await writeMark(memory, mark(ids[7] ?? '', now - HOUR));
  // Nobody reads this one: its block is dropped before.
  await writeMark(memory, mark(ids[1] ?? '', now - 5 * HOUR));
  const changes: Change[] = [];
  const fetcher = fetcherOf(fixture, filters, changes);
  deepEqual(await states(fixture), {});
  fixture.requests();
  const result = await fetcher.fetch();
  const left = [ids[0], ids[5], ids[7], ids[8]];
  deepEqual([...result.metas.keys()], left);
  deepEqual([...result.marks.deletion.keys()], [ids[6], ids[7]]);
  deepEqual(result.duplicates, [ids[10]]);
  deepEqual([...result.partial.keys()], [ids[9], ids[11]]);
  deepEqual([result.listed.size, result.error], [12, undefined]);
  // 11 metas and 2 marks.
  deepEqual(fixture.requests(), { iter: 13, get: 13 });
  deepEqual(changes, [[left, undefined]]);
  deepEqual(await states(fixture), {
    'corrupted-meta-json': 1,
    'no-meta-json': 1,
    loaded: 4,
    'too-fresh': 1,
    'label-excluded': 1,
    'time-excluded': 2,
    duplicate: 1,
    'marked-for-deletion': 1,
  });
  const info = fixture.lines.find(({ level }) => level === 'info');
  deepEqual(info, {
    level: 'info',
    msg: 'successfully synchronized block metadata',
    fields: { duration: '0s', duration_ms: 0, cached: 10, returned: 4, partial: 2 },
  });
  // Time passes: the mark gets old enough, and so does the block; the range grows.
  clock.advance(2 * HOUR);
  deepEqual([...(await fetcher.fetch()).metas.keys()], [ids[0], ids[2], ids[4], ids[5], ids[8]]);
  equal(await fixture.value('thanos_blocks_meta_syncs_total'), 2);
  equal(await fixture.value('thanos_blocks_meta_sync_failures_total'), 0);
  equal(await fixture.value('thanos_blocks_meta_sync_duration_seconds_count'), 2);
});

test('meta fetcher: 1,000 blocks without marks cost no request for marks', async () => {
  const { fixture, filters } = await storeFixture();
  for (let i = 1; i <= 1000; i++) {
    await putMeta(fixture.memory, thanosMeta({ ulid: tinyUlid(i) }));
  }
  const fetcher = fetcherOf(fixture, filters);
  fixture.clock.advance(10_000 * HOUR);
  fixture.requests();
  equal((await fetcher.fetch()).metas.size, 1000);
  deepEqual(fixture.requests(), { iter: 1001, get: 1000 });
  equal((await fetcher.fetch()).metas.size, 1000);
  deepEqual(fixture.requests(), { iter: 1001 });
});

test('meta fetcher: values at the start, and prefixes', async () => {
  const fixture = new FetchFixture();
  fetcherOf(fixture, []);
  void new FetchMetrics(fixture.registry, 'thanos_bucket_ui');
  void new FetchMetrics(fixture.registry, '');
  registerConsistencyDelay(fixture.registry, 90_000);
  const names = (await fixture.registry.collect()).map(({ name, type }) => `${name} ${type}`);
  const own = (prefix: string) =>
    [
      'modified gauge',
      'sync_duration_seconds histogram',
      'sync_failures_total counter',
      'synced gauge',
      'syncs_total counter',
    ].map((name) => `${prefix}blocks_meta_${name}`);
  deepEqual(names, [
    ...own(''),
    'thanos_blocks_meta_base_cache_busts_total counter',
    'thanos_blocks_meta_base_syncs_total counter',
    ...own('thanos_'),
    ...own('thanos_bucket_ui'),
    'thanos_consistency_delay_seconds gauge',
  ]);
  equal(await fixture.value('thanos_consistency_delay_seconds'), 90);
  const samples = await fixture.registry.snapshot();
  const first = samples.filter(({ name }) => name === 'thanos_blocks_meta_synced');
  // thanos pkg/block/fetcher.go, DefaultSyncedStateLabelValues.
  deepEqual(first.map(({ labels, value }) => `${labels[0]?.[1]} ${value}`).toSorted(compareUtf8), [
    'corrupted-meta-json 0',
    'duplicate 0',
    'failed 0',
    'label-excluded 0',
    'loaded 0',
    'marked-for-deletion 0',
    'marked-for-no-compact 0',
    'no-meta-json 0',
    'parquet-migrated 0',
    'time-excluded 0',
    'too-fresh 0',
  ]);
  equal(await fixture.value('thanos_blocks_meta_modified', 'replica-label-removed'), 0);
});

test('meta fetcher: figures show when a sync has ended, and failures are counted', async () => {
  const fixture = new FetchFixture();
  const [a, b] = [tinyUlid(1), tinyUlid(2)];
  for (const ulid of [a, b]) await putMeta(fixture.memory, thanosMeta({ ulid }));
  const changes: Change[] = [];
  const seen: Record<string, number>[] = [];
  const watching: MetaFilter = async (metas) => {
    seen.push(await states(fixture));
    return metas;
  };
  const fetcher = fetcherOf(fixture, [watching], changes);
  await fetcher.fetch();
  fixture.bucket.plan = ({ operation, name }) =>
    operation === 'get' || name.startsWith(b) ? { kind: 'fail' } : undefined;
  const result = await fetcher.fetch();
  deepEqual([...result.metas.keys()], [a]);
  equal(result.error?.message, `incomplete view: list ${b}: injected fault`);
  deepEqual(seen, [{}, { loaded: 2 }]);
  deepEqual(await states(fixture), { loaded: 1, failed: 1 });
  const failures = () => fixture.value('thanos_blocks_meta_sync_failures_total');
  equal(await failures(), 1);
  fixture.bucket.plan = () => ({ kind: 'fail' });
  await rejects(fetcher.fetch(), { code: 'unavailable' });
  deepEqual(await states(fixture), {});
  await rejects(fetcher.fetch(AbortSignal.abort()), { code: 'canceled' });
  equal(await failures(), 3);
  deepEqual(changes, [
    [[a, b], undefined],
    [[a], `incomplete view: list ${b}: injected fault`],
    [[], 'BaseFetcher: iter bucket: injected fault'],
    [[], 'the operation was canceled'],
  ]);
});

test('meta fetcher: marks that cannot be read', async () => {
  const { fixture, filters } = await storeFixture();
  const [a, b] = [tinyUlid(1), tinyUlid(2)];
  for (const ulid of [a, b]) await putMeta(fixture.memory, thanosMeta({ ulid, sources: [ulid] }));
  fixture.clock.advance(HOUR);
  await fixture.memory.upload(`${a}/deletion-mark.json`, encodeUtf8('{"half'));
  await writeMark(fixture.memory, mark(b, 0));
  const fetcher = fetcherOf(fixture, filters);
  deepEqual([...(await fetcher.fetch()).metas.keys()], [a]);
  const file = 'deletion-mark.json';
  deepEqual(
    fixture.lines.flatMap(({ level, msg, fields }: LogLine) =>
      level === 'warn' ? [[msg, fields['block']]] : [],
    ),
    [
      [
        `found partial ${file}; if we will see it happening often for the same block, consider manually deleting ${file} from the object storage`,
        a,
      ],
    ],
  );
  fixture.bucket.plan = ({ name }) => (name.endsWith(file) ? { kind: 'fail' } : undefined);
  await rejects(fetcher.fetch(), {
    code: 'unavailable',
    message: 'filter metas: filter blocks marked for deletion: injected fault',
  });
  // Listed, and taken off before it was read.
  fixture.bucket.plan = ({ operation, name }) =>
    operation === 'get' && name === `${b}/${file}`
      ? { kind: 'hold', until: fixture.memory.delete(name) }
      : undefined;
  deepEqual([...(await fetcher.fetch()).metas.keys()], [a, b]);
});

test('meta fetcher: the filters of a compactor', async () => {
  const fixture = new FetchFixture();
  const { bucket, memory } = fixture;
  const [a, b, c] = [tinyUlid(1), tinyUlid(2), tinyUlid(3)];
  await putMeta(memory, thanosMeta({ ulid: a }, { labels: { cluster: 'eu', replica: 'a' } }));
  await putMeta(memory, thanosMeta({ ulid: b }, { labels: { replica: 'b' } }));
  await putMeta(memory, thanosMeta({ ulid: c }, { labels: { cluster: 'eu' } }));
  await writeMark(memory, mark(a, 5000, 'no-compact'));
  await writeMark(memory, mark(b, 5000, 'no-downsample'));
  const marks = { bucket, concurrency: 2 };
  const fetcher = fetcherOf(fixture, [
    dropReplicaLabels(['replica', 'rule_replica']),
    gatherNoCompactMarks(marks),
    gatherNoDownsampleMarks(marks),
  ]);
  const result = await fetcher.fetch();
  deepEqual(
    [...result.metas.values()].map(({ extra }) => (extra['thanos'] as { labels: object }).labels),
    [{ cluster: 'eu' }, { replica: 'deduped' }, { cluster: 'eu' }],
  );
  deepEqual([...result.marks['no-compact'].values()], [mark(a, 5000, 'no-compact')]);
  deepEqual([...result.marks['no-downsample'].keys()], [b]);
  deepEqual(await states(fixture), {
    loaded: 3,
    'marked-for-no-compact': 1,
    'marked-for-no-downsample': 1,
  });
  equal(await fixture.value('thanos_blocks_meta_modified', 'replica-label-removed'), 2);
  deepEqual(fixture.warnings(), ['block has no labels left, creating one']);
});
