import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { contentsOf, fieldsOf, lastOf } from '../../../test/support/protobuf.ts';
import {
  BASE,
  EXTERNAL,
  HOUR,
  StoreFixture,
  seriesRequest,
} from '../../../test/support/store-fixture.ts';
import type {
  AnsweredSeries,
  SeriesAnswer,
  TextSample,
} from '../../../test/support/store-answers.ts';
import { encodeWriteRequest } from '../../../test/support/write-request.ts';
import type { TestSeries } from '../../../test/support/write-request.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { MatchType } from '../../model/matcher.ts';
import type { SeriesRequest } from '../../rpc/store/series-request.ts';
import { HeldBlocks } from './store-bucket.ts';

const STEP = 30_000;
const HOURS = 7;

const m = (name: string, type: MatchType, value: string): Matcher => new Matcher(type, name, value);

/** Labels that sort differently with external labels among them, or with a replica label left out. */
const FLOATS: readonly Record<string, string>[] = [
  { __name__: 'm' },
  { __name__: 'm', a: '1' },
  { __name__: 'm', a: '1', zone: 'x' },
  { __name__: 'm', zone: '日本' },
  { __name__: 'up', job: 'a', prometheus: 'p1', instance: 'i1' },
  { __name__: 'up', job: 'a', prometheus: 'p2', instance: 'i0' },
  { __name__: 'up', job: 'b', prometheus: 'p1', instance: 'i0' },
  { __name__: 'up', job: 'b', prometheus: 'p2', instance: 'i0' },
  { __name__: 'own', cluster: 'its-own', replica: '7' },
];

function histogram(series: number, t: number, isFloat: boolean): TestSeries {
  const n = (t - BASE) / STEP;
  const buckets = [n + 1, n + series + 2].map((count) => count + (isFloat ? 0.5 : 0));
  const one = { t, isFloat, schema: 1, sum: n * 2, zeroCount: n, spans: [0, 2], buckets };
  const labels = [['__name__', isFloat ? 'weights' : 'latency']] as const;
  return { labels, samples: [], histograms: [one] };
}

/** What is scraped at a time. */
function scrape(t: number): TestSeries[] {
  const floats = FLOATS.map((labels, i) => ({
    labels: Object.entries(labels),
    samples: [[t, (t / 1000) % (7919 + i)]] as const,
  }));
  return [...floats, histogram(1, t, false), histogram(2, t, true)];
}

/** Seven hours: two blocks and a head, samples that came late in both, and a series that ends early. */
async function fill(fixture: StoreFixture): Promise<void> {
  const held: TestSeries[] = [];
  const batch: TestSeries[] = [];
  for (let t = BASE; t < BASE + HOURS * HOUR; t += STEP) {
    const n = (t - BASE) / STEP;
    const all = scrape(t);
    if (t < BASE + HOUR) {
      all.push({ labels: [['__name__', 'early']], samples: [[t, n]] });
    }
    if (n % 5 === 1) held.push(...all.splice(0, 2), ...all.splice(-2, 1));
    batch.push(...all);
    if (n % 25 === 24) await fixture.write(batch.splice(0));
    if (n % 50 === 49) await fixture.write(held.splice(0));
  }
  await fixture.write(batch);
  await fixture.write(held);
  fixture.clock.advance(HOURS * HOUR);
  await fixture.tsdb.maintenance.run();
  // Late samples of the head are in blocks now; some more come.
  await fixture.write([{ labels: [['__name__', 'm']], samples: [[BASE + 6.5 * HOUR + 1, 0.25]] }]);
}

/** The samples in the chunks of a series, ordered by time; of several with one time all. */
function samplesOf({ chunks }: AnsweredSeries): TextSample[] {
  return chunks.flatMap(({ samples }) => samples).toSorted(bySample);
}

function bySample(x: TextSample, y: TextSample): number {
  return x[0] - y[0] || (x[1] < y[1] ? -1 : 1);
}

interface Want {
  readonly labels: Labels;
  readonly samples: TextSample[];
}

/** What a request is to be answered with, of what was written, samples beyond its range included. */
function wanted(fixture: StoreFixture, change: Partial<SeriesRequest>): Want[] {
  const { mint = -Infinity, maxt = Infinity, matchers = [], shard } = change;
  const without = new Set(change.withoutReplicaLabels);
  const found = new Map<string, Want>();
  for (const { labels, samples } of fixture.written.values()) {
    const external = EXTERNAL;
    const shown = Labels.fromPairs([...labels, ...external]).drop(without);
    const matches = matchers.every(({ name, ...matcher }) => {
      const value = external.get(name) === '' ? labels.get(name) : external.get(name);
      return new Matcher(matcher.type, name, matcher.value).matches(value);
    });
    if (!matches || ![...samples.keys()].some((t) => t >= mint && t <= maxt)) continue;
    if (shard !== undefined && !inShard(shown, shard)) continue;
    const one = found.get(shown.key) ?? { labels: shown, samples: [] };
    found.set(shown.key, one);
    one.samples.push(...samples);
  }
  const all = [...found.values()].toSorted((a, b) => compareLabels(a.labels, b.labels));
  for (const { samples } of all) samples.sort(bySample);
  return all;
}

/** By the definition in pkg/store/storepb/shard_info.go. */
function inShard(labels: Labels, shard: NonNullable<SeriesRequest['shard']>): boolean {
  if (shard.total < 1) return true;
  const hashed = [...labels].filter(([name]) => shard.labels.includes(name) === shard.by);
  const bytes = hashed.flatMap(([name, value]) => [
    ...Buffer.from(name),
    255,
    ...Buffer.from(value),
    255,
  ]);
  return xxhash64(Uint8Array.from(bytes)) % BigInt(shard.total) === BigInt(shard.index);
}

/** Compares an answer: labels and their order; every sample of the range is there once, and nothing else than was written. */
function check(got: SeriesAnswer, want: readonly Want[], change: Partial<SeriesRequest>): void {
  deepEqual(
    got.series.map(({ labels }) => labels),
    want.map(({ labels }) => labels.pairs),
  );
  deepEqual(got.warnings, []);
  for (const [i, series] of got.series.entries()) {
    const { samples } = want[i] as Want;
    if (change.skipChunks === true) {
      deepEqual(series.chunks, []);
      continue;
    }
    const { mint = -Infinity, maxt = Infinity } = change;
    const isInRange = ([t]: TextSample): boolean => t >= mint && t <= maxt;
    const all = samplesOf(series);
    deepEqual(all.filter(isInRange), samples.filter(isInRange), String(series.labels));
    // Chunks are sent whole: what lies beyond the range was written, too, and no sample comes twice.
    const written = new Set(samples.map(String));
    ok(all.every((sample) => written.has(String(sample))));
    equal(new Set(all.map(String)).size, all.length);
    for (const [k, chunk] of series.chunks.entries()) {
      const before = series.chunks[k - 1];
      ok(before === undefined || before.mint <= chunk.mint, 'chunks are in order');
    }
  }
}

/** Chunks of one series of a TSDB do not overlap, also where samples came late. */
function checkApart({ series }: SeriesAnswer): void {
  for (const { labels, chunks } of series) {
    for (const [k, { mint }] of chunks.entries())
      ok((chunks[k - 1]?.maxt ?? -Infinity) < mint, `${labels.join()}: chunks are apart`);
  }
}

test('series of head, blocks and late samples: every field of a request', async (t) => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.part.sync();
  const f = async (name: string, change: Partial<SeriesRequest>): Promise<void> => {
    await t.test(name, async () => {
      const want = wanted(fixture, change);
      const got = await fixture.series(change);
      const { limit = 0 } = change;
      check(got, limit > 0 ? want.slice(0, limit) : want, change);
      // Series whose labels have become the same stay apart for who merges replicas.
      if (change.withoutReplicaLabels === undefined) checkApart(got);
      if (want.length > 0 && limit === 0 && change.skipChunks !== true) ok(got.series.length > 0);
    });
  };
  ok(fixture.tsdb.catalog.blocks.length >= 3, 'blocks of late samples, too');
  const all = [m('__name__', '=~', '.+')];
  await f('everything', { matchers: all });
  await f('an instant', { matchers: all, mint: BASE + 3 * HOUR, maxt: BASE + 3 * HOUR });
  await f('a part of a block', { matchers: all, mint: BASE + 100_001, maxt: BASE + 200_000 });
  await f('a part of the head', {
    matchers: all,
    mint: BASE + 6.6 * HOUR,
    maxt: BASE + 6.7 * HOUR,
  });
  await f('over a boundary', { matchers: all, mint: BASE + 1.9 * HOUR, maxt: BASE + 2.1 * HOUR });
  await f('before everything', { matchers: all, mint: 0, maxt: BASE - 1 });
  await f('one series', {
    matchers: [m('__name__', '=', 'm'), m('a', '=', ''), m('zone', '=', '')],
  });
  await f('matchers', { matchers: [m('job', '=~', 'a|b'), m('instance', '!=', 'i1')] });
  await f('negated', { matchers: [m('__name__', '=~', '.+'), m('job', '!~', 'a.*')] });
  await f('external label', { matchers: [...all, m('cluster', '=', 'c1'), m('zone', '!=', '')] });
  await f('another external label', { matchers: [...all, m('cluster', '=~', 'c[2-9]')] });
  await f('what a label of its own was', { matchers: [...all, m('cluster', '=', 'its-own')] });
  await f('replica labels', { matchers: all, withoutReplicaLabels: ['replica', 'prometheus'] });
  await f('a replica label of series', { matchers: all, withoutReplicaLabels: ['instance', 'a'] });
  await f('no chunks', { matchers: all, skipChunks: true });
  await f('no chunks, some', { matchers: all, skipChunks: true, limit: 3 });
  await f('no chunks or replicas', {
    matchers: all,
    skipChunks: true,
    withoutReplicaLabels: ['a'],
  });
  for (const limit of [1, 4, 100]) await f(`limit ${limit}`, { matchers: all, limit });
  await f('aggregates and resolution', {
    matchers: all,
    aggregates: ['count', 'sum'],
    maxResolutionMs: HOUR,
  });
  await f('query hints', {
    matchers: all,
    queryHints: {
      stepMs: 15_000,
      func: 'rate',
      grouping: { by: true, labels: ['job'] },
      rangeMs: 300_000,
      projectionLabels: ['job'],
      projectionInclude: true,
      seriesHashLabelName: '__series_hash__',
    },
  });
  for (const index of [0, 1, 2]) {
    const shard = { index, total: 3, by: index > 0, labels: ['job', 'a', 'zone', 'cluster'] };
    await f(`shard ${index}`, { matchers: all, shard });
    await f(`shard ${index} without replicas`, {
      matchers: all,
      shard,
      withoutReplicaLabels: ['zone'],
    });
  }
  await f('no shards', { matchers: all, shard: { index: 0, total: 0, by: true, labels: [] } });
  await t.test('batches', async () => {
    const { batches, series } = await fixture.series({ matchers: all, responseBatchSize: 4 });
    deepEqual(batches, [4, 4, 4]);
    equal(series.length, 12);
    deepEqual(series, (await fixture.series({ matchers: all })).series);
  });
  await t.test('pages of one series', async () => {
    const whole = await fixture.series({ matchers: all });
    let pages = 0;
    fixture.onTask = (name) => void (pages += name === 'store.page' ? 1 : 0);
    fixture.pageBytes = 1;
    deepEqual(await fixture.series({ matchers: all }), whole);
    equal(pages, whole.series.length);
    pages = 0;
    const some = await fixture.series({ matchers: all, limit: 2 });
    deepEqual(some.series, whole.series.slice(0, 2));
    equal(pages, 2);
    fixture.onTask = () => undefined;
    fixture.pageBytes = undefined;
    equal(fixture.part.call.budget.used, 0);
  });
  await t.test('chunks go out as they are stored, whatever the range', async () => {
    const matchers = [m('__name__', '=', 'up')];
    const whole = await fixture.series({ matchers });
    const part = await fixture.series({ matchers, mint: BASE + HOUR, maxt: BASE + HOUR });
    deepEqual(
      part.series.map(({ chunks }) => chunks),
      whole.series.map(({ chunks }) =>
        chunks.filter(({ mint, maxt }) => mint <= BASE + HOUR && maxt >= BASE + HOUR),
      ),
    );
    ok(whole.series.every(({ chunks }) => chunks.every(({ samples }) => samples.length <= 120)));
  });
});

test('requests without matchers are refused, as by receive', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.part.sync();
  const external = [m('cluster', '=', 'c1')];
  await rejects(fixture.series({ matchers: [] }), {
    grpcCode: 'InvalidArgument',
    message: 'no matchers specified (excluding selector labels)',
  });
  await rejects(fixture.series({ matchers: external }), {
    grpcCode: 'InvalidArgument',
    message: 'no matchers specified (excluding external labels)',
  });
  const tolerant = await fixture.series({ matchers: external, partialResponse: 'warn' });
  deepEqual(tolerant, {
    series: [],
    warnings: ['no matchers specified (excluding external labels)'],
    batches: [],
    hints: [],
  });
});

test('deleted samples are not sent', async () => {
  await using fixture = new StoreFixture();
  await fixture.part.sync();
  for (let t = BASE; t < BASE + HOUR; t += STEP) await fixture.write(scrape(t));
  const range = { mint: BASE + 10 * STEP, maxt: BASE + 20 * STEP };
  const matchers = [m('__name__', '=~', 'up|latency')];
  await fixture.tsdb.db.deleteSeries([matchers], range);
  for (const { labels, samples } of fixture.written.values()) {
    if (!['up', 'latency'].includes(labels.get('__name__'))) continue;
    for (const t of samples.keys()) if (t >= range.mint && t <= range.maxt) samples.delete(t);
  }
  const all = { matchers: [m('__name__', '=~', '.+')] };
  check(await fixture.series(all), wanted(fixture, all), all);
});

test('label names and values', async (t) => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.part.sync();
  const call = { signal: new AbortController().signal, tenant: 'default-tenant' };
  const request = {
    mint: BASE,
    maxt: BASE + HOURS * HOUR,
    matchers: [] as Matcher[],
    partialResponse: 'abort' as const,
    withoutReplicaLabels: [] as string[],
    limit: 0,
  };
  const names = async (change: object, want: string[]): Promise<void> => {
    await t.test(`names ${JSON.stringify(change)}`, async () => {
      const { texts, warnings } = await fixture.answers.labelNames({ ...request, ...change }, call);
      deepEqual([texts, warnings], [want, []]);
    });
  };
  const values = async (label: string, change: object, want: string[]): Promise<void> => {
    await t.test(`values of ${label} ${JSON.stringify(change)}`, async () => {
      const asked = { ...request, label, ...change };
      const { texts, warnings } = await fixture.answers.labelValues(asked, call);
      deepEqual([texts, warnings], [want, []]);
    });
  };
  const everything = [
    '__name__',
    'a',
    'cluster',
    'instance',
    'job',
    'prometheus',
    'replica',
    'zone',
  ];
  await names({}, everything);
  await names({ limit: 3 }, ['__name__', 'a', 'cluster']);
  await names({ matchers: [m('job', '=', 'a')] }, [
    '__name__',
    'cluster',
    'instance',
    'job',
    'prometheus',
    'replica',
  ]);
  await names({ matchers: [m('job', '=', 'a')], withoutReplicaLabels: ['replica'] }, [
    '__name__',
    'cluster',
    'instance',
    'job',
    'prometheus',
  ]);
  await names({ matchers: [m('cluster', '=', 'other')] }, []);
  await names({ matchers: [m('job', '=', 'none')] }, []);
  await values('job', {}, ['a', 'b']);
  await values('job', { limit: 1 }, ['a']);
  await values('zone', { matchers: [m('a', '=', '1')] }, ['x']);
  await values('zone', { matchers: [m('cluster', '=', 'c1')] }, ['x', '日本']);
  // What a series has of its own under the name of an external label is not shown.
  await values('cluster', {}, ['c1']);
  await values('cluster', { matchers: [m('job', '=', 'a')] }, ['c1']);
  await values('cluster', { matchers: [m('job', '=', 'none')] }, []);
  await values('cluster', { matchers: [m('cluster', '=', 'other')] }, []);
  await values('replica', { withoutReplicaLabels: ['replica'] }, []);
  await values('none', {}, []);
  await rejects(async () => fixture.answers.labelValues({ ...request, label: '' }, call), {
    grpcCode: 'InvalidArgument',
    message: 'label name parameter cannot be empty',
  });
});

/** Asks for figures: field 2, enable_query_stats. */
const STATS = {
  typeUrl: 'type.googleapis.com/hintspb.SeriesRequestHints',
  value: Uint8Array.of(0x10, 1),
};

/** How many blocks of the bucket hints name: field 1 of the message in the Any. */
function askedBlocks({ hints }: SeriesAnswer): number {
  const [any] = hints.map(fieldsOf);
  return contentsOf(fieldsOf((lastOf(any ?? [], 2) ?? Buffer.of()) as Buffer), 1).length;
}

test('a block answers once: from here, from here and the bucket, from the bucket alone', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  const all = { matchers: [m('__name__', '=~', '.+')] };
  const want = wanted(fixture, all);
  const { uploaded, failures } = await fixture.shipper.sync();
  deepEqual(failures, []);
  ok(uploaded.length >= 3);
  await fixture.part.sync();
  equal([...fixture.part.store.blocks].length, uploaded.length);
  check(await fixture.series(all), want, all);
  const { catalog } = fixture.tsdb;
  equal(askedBlocks(await fixture.series({ ...all, hints: STATS })), 0);
  for (const [n, { meta }] of catalog.blocks.entries()) {
    equal(fixture.part.serves(meta), true);
    catalog.retire([meta.ulid]);
    check(await fixture.series(all), want, all);
    equal(askedBlocks(await fixture.series({ ...all, hints: STATS })), n + 1);
  }
  catalog.retired();
  equal(catalog.blocks.length, 0);
  check(await fixture.series(all), want, all);
  const names = await fixture.series({ ...all, skipChunks: true });
  equal(names.series.length, want.length);
});

test('a block that leaves during a call answers once, too', async () => {
  for (const at of ['store.select', 'store.page']) {
    await using fixture = new StoreFixture();
    await fill(fixture);
    await fixture.shipper.sync();
    await fixture.part.sync();
    const { catalog } = fixture.tsdb;
    fixture.pageBytes = 1;
    fixture.onTask = (name) => {
      const [first] = catalog.blocks;
      if (name === at && first !== undefined) catalog.retire([first.ulid]);
    };
    const all = { matchers: [m('__name__', '=~', '.+')] };
    while (catalog.blocks.length > 0) check(await fixture.series(all), wanted(fixture, all), all);
    check(await fixture.series(all), wanted(fixture, all), all);
  }
});

test('a bucket that cannot be listed: an error, or a warning beside what the TSDB has', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  const all = { matchers: [m('__name__', '=~', '.+')] };
  // Who comes before the first look has ended waits for it.
  const early = fixture.series({ ...all, partialResponse: 'warn' });
  fixture.bucket.plan = () => ({ kind: 'fail' });
  await rejects(fixture.part.sync());
  const { warnings, ...rest } = await early;
  deepEqual(warnings.length, 1);
  const [missing = ''] = warnings;
  match(missing, /^the blocks of the bucket are missing: it cannot be listed: .*injected fault/);
  check({ ...rest, warnings: [] }, wanted(fixture, all), all);
  await rejects(fixture.series(all), { grpcCode: 'Unavailable', message: missing });
  fixture.bucket.plan = undefined;
  await fixture.part.sync();
  check(await fixture.series(all), wanted(fixture, all), all);
});

test('a local block that cannot be read: what is missing is said, until the bucket has it', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.part.sync();
  const { catalog } = fixture.tsdb;
  const [broken, ...blocks] = catalog.blocks;
  ok(broken !== undefined);
  catalog.take({ blocks, broken: [{ ...broken, reason: 'no index' }], leftovers: [] });
  const all = { matchers: [m('__name__', '=~', '.+')] };
  const missing = `the samples of block ${broken.ulid} are missing: no index`;
  await rejects(fixture.series(all), /are missing: no index/);
  const { warnings, series } = await fixture.series({ ...all, partialResponse: 'warn' });
  deepEqual(warnings, [missing]);
  ok(series.length > 0);
  await fixture.shipper.sync();
  await fixture.part.sync();
  check(await fixture.series(all), wanted(fixture, all), all);
});

test('a block that was compacted from local ones is left out as long as all of them are here', () => {
  const block = (ulid: string, ...sources: string[]) => {
    return { ulid, meta: { compaction: { level: sources.length, sources } } };
  };
  const local = [block('A', 'A'), block('C', 'A2', 'A3')].map(({ ulid, meta }) => ({
    ulid,
    ...meta,
  }));
  const held = new HeldBlocks(local);
  const f = (want: boolean, ...one: Parameters<typeof block>): void => {
    equal(held.has(block(...one)), want, one.join());
  };
  f(true, 'A', 'A');
  f(true, 'Y', 'A', 'A2');
  f(true, 'C', 'A2', 'A3');
  f(false, 'Y', 'A', 'B');
  f(false, 'B', 'B');
  f(false, 'without sources');
  f(true, 'A');
});

test('samples that come during a call are not seen, blocks that are cut during it are no harm', async () => {
  await using fixture = new StoreFixture();
  await fixture.part.sync();
  for (let t = BASE; t < BASE + 4 * HOUR; t += STEP) await fixture.write(scrape(t));
  const all = { matchers: [m('__name__', '=~', '.+')] };
  const want = structuredClone(wanted(fixture, all).map(({ samples }) => samples));
  let pages = 0;
  fixture.onTask = (name) => {
    if (name !== 'store.page' || pages++ > 0) return;
    const series = scrape(BASE + 4 * HOUR);
    fixture.tsdb.db.writeDecoded(encodeWriteRequest(series)).catch(() => undefined);
  };
  const got = await fixture.series(all);
  ok(pages > 0);
  deepEqual(got.series.map(samplesOf), want);
});

test('samples that left the head during a call end it', async () => {
  await using fixture = new StoreFixture();
  await fixture.part.sync();
  for (let t = BASE; t < BASE + HOUR; t += STEP) await fixture.write(scrape(t));
  fixture.onTask = (name) => {
    if (name === 'store.page') fixture.tsdb.catalog.truncating(BASE + HOUR / 2);
  };
  const message =
    'receive series from TSDB default-tenant: samples moved to a block during the call, ask again';
  await rejects(fixture.series(), { grpcCode: 'Unavailable', message });
  const { series, warnings } = await fixture.series({ partialResponse: 'warn' });
  deepEqual([series, warnings], [[], [message]]);
});

test('a bucket that fails: an error, or a warning beside what the TSDB has', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.shipper.sync();
  await fixture.part.sync();
  const { catalog } = fixture.tsdb;
  const [gone, ...left] = catalog.blocks;
  catalog.retire([gone?.ulid ?? '']);
  fixture.bucket.plan = () => ({ kind: 'fail' });
  await rejects(fixture.series(), /block/);
  const { series, warnings } = await fixture.series({ partialResponse: 'warn' });
  equal(warnings.length, 1, String(warnings));
  ok(warnings[0]?.includes(gone?.ulid ?? '-'));
  ok(series.length > 0 && left.length > 0);
  const call = { signal: new AbortController().signal, tenant: 'default-tenant' };
  const request = { ...seriesRequest(), matchers: [], label: 'job' };
  const values = await fixture.answers.labelValues({ ...request, partialResponse: 'warn' }, call);
  deepEqual([values.texts, values.warnings.length], [['a', 'b'], 1]);
  await rejects(fixture.answers.labelValues(request, call));
});

test('a call that is given up ends, and what is under way for it', async () => {
  await using fixture = new StoreFixture();
  await fill(fixture);
  await fixture.part.sync();
  for (const at of ['store.select', 'store.page']) {
    const controller = new AbortController();
    fixture.onTask = (name) => {
      if (name === at) controller.abort();
    };
    await rejects(fixture.series({}, controller.signal));
    equal(fixture.part.call.budget.used, 0);
  }
});
