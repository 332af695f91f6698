/**
 * The StoreAPI of `thanos all`, asked by a client that is not ours: what was written is what the chunks hold, while blocks are cut, shipped
 * and removed here.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { compareLabels, Labels } from '../../src/model/labels.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { MAX_TIME } from '../../src/model/value.ts';
import { decodeInfoResponse } from '../../src/rpc/info/info-messages.ts';
import {
  decodeLabelValuesResponse,
  encodeLabelValuesRequest,
} from '../../src/rpc/store/label-messages.ts';
import { encodeSeriesRequest } from '../../src/rpc/store/series-request.ts';
import type { SeriesRequest } from '../../src/rpc/store/series-request.ts';
import { lineOfTest, valueText } from '../support/histogram-line.ts';
import { MixedData } from '../support/mixed-data.ts';
import type { Lateness } from '../support/mixed-data.ts';
import { RawGrpcClient } from '../support/raw-grpc-client.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { startAll } from '../support/server-process.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { readSeriesAnswer } from '../support/store-answers.ts';
import type { SeriesAnswer } from '../support/store-answers.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import type { TestSeries } from '../support/write-request.ts';

const STEP = 30_000;
const HOUR = 3_600_000;
const HOURS = 9;

/** Of the process' own metrics, which are served, too. */
const OWN = new Matcher('=', 'instance', '');

function blocksIn(directory: string): string[] {
  return existsSync(directory)
    ? readdirSync(directory).filter((name) => /^[0-9A-Z]{26}$/.test(name))
    : [];
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline;) {
    if (holds()) return;
    await sleep(50);
  }
  assert.fail(`${what} did not come`);
}

/** Samples as texts by labels and time. */
class Written {
  readonly series = new Map<
    string,
    { readonly labels: Labels; readonly samples: Map<number, string> }
  >();

  add(all: readonly TestSeries[]): void {
    for (const { labels, samples, histograms = [] } of all) {
      const own = Labels.fromPairs([
        ...labels.map(([name, value]) => [name, String(value)] as const),
        ['replica', '0'],
      ]);
      const one = this.series.get(own.key) ?? { labels: own, samples: new Map<number, string>() };
      this.series.set(own.key, one);
      for (const [t, v] of samples) one.samples.set(t, textOf(v));
      for (const histogram of histograms) one.samples.set(histogram.t, lineOf(histogram));
    }
  }

  /** What is there, in order: series with samples in the range. */
  within(mint: number, maxt: number): [readonly string[], [number, string][]][] {
    return [...this.series.values()]
      .toSorted((a, b) => compareLabels(a.labels, b.labels))
      .map(({ labels, samples }): [readonly string[], [number, string][]] => [
        labels.pairs,
        [...samples].filter(([t]) => t >= mint && t <= maxt).toSorted((a, b) => a[0] - b[0]),
      ])
      .filter(([, samples]) => samples.length > 0);
  }
}

function textOf(value: number | readonly [number, number]): string {
  const column = new Float64Array(1);
  if (typeof value === 'number') column[0] = value;
  else new Uint32Array(column.buffer).set([value[1], value[0]]);
  return valueText(column, 0);
}

/** Of a stale histogram only that is kept. */
function lineOf(one: Parameters<typeof lineOfTest>[0]): string {
  return Number.isNaN(one.sum) ? 'stale' : lineOfTest(one);
}

type Samples = readonly (readonly [
  labels: readonly string[],
  samples: readonly [number, string][],
])[];

/** Says what is missing, and what is too much, a few of each; strictly, also what is there twice. */
function compare(got: Samples, want: Samples, isStrict: boolean): void {
  assert.deepEqual(
    got.map(([labels]) => labels),
    want.map(([labels]) => labels),
  );
  for (const [i, [labels, samples]] of got.entries()) {
    const all = samples.map(String);
    const texts = isStrict ? all : [...new Set(all)];
    const wanted = (want[i]?.[1] ?? []).map(String);
    const [there, due] = [new Set(texts), new Set(wanted)];
    const missing = wanted.filter((text) => !there.has(text)).slice(0, 3);
    const extra = texts.filter((text, k) => !due.has(text) || text === texts[k - 1]).slice(0, 3);
    assert.deepEqual({ missing, extra }, { missing: [], extra: [] }, String(labels));
    assert.deepEqual(texts, wanted);
  }
}

class Asker implements Disposable {
  readonly #client: RawGrpcClient;

  constructor({ grpc }: ThanosAll) {
    this.#client = new RawGrpcClient(grpc);
  }

  async series(change: Partial<SeriesRequest> = {}): Promise<SeriesAnswer> {
    const request = {
      mint: 0,
      maxt: MAX_TIME,
      matchers: [new Matcher('=~', '__name__', '.+'), OWN],
      maxResolutionMs: HOUR,
      aggregates: [],
      partialResponse: 'abort',
      skipChunks: false,
      withoutReplicaLabels: [],
      limit: 0,
      responseBatchSize: 0,
      ...change,
    } satisfies SeriesRequest;
    const bytes = Buffer.from(encodeSeriesRequest(request));
    const { messages, code, details } = await this.#client.call('/thanos.Store/Series', bytes);
    assert.deepEqual([code, details], [0, '']);
    return readSeriesAnswer(messages);
  }

  /** Labels and all samples of the range of each series; fails where a sample comes twice. */
  async samples(mint: number, maxt: number): Promise<[readonly string[], [number, string][]][]> {
    const { series, warnings } = await this.series({ mint, maxt });
    assert.deepEqual(warnings, []);
    return series.map(({ labels, chunks }) => [
      labels,
      chunks
        .flatMap(({ samples }) => samples)
        .filter(([t]) => t >= mint && t <= maxt)
        .map(([t, text]): [number, string] => [t, text.startsWith('{sum=NaN') ? 'stale' : text])
        .toSorted((a, b) => a[0] - b[0]),
    ]);
  }

  async call(method: string, request: Uint8Array = Buffer.of()): Promise<Buffer> {
    const { messages, code, details } = await this.#client.call(method, Buffer.from(request));
    assert.deepEqual([code, details, messages.length], [0, '', 1]);
    return messages[0] as Buffer;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

async function feed(
  t: TestContext,
  all: ThanosAll,
  start: number,
  lateness: Lateness,
): Promise<Written> {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`seed ${seed}`);
  const scrapes = (HOURS * HOUR) / STEP;
  const data = new MixedData(new Random(seed), { floats: 40, histograms: 8, scrapes });
  const written = new Written();
  const sender = new RemoteWriteSender(all.write);
  for (let n = 0; n < scrapes; n++) {
    const series = data.scrape(n, start + n * STEP, lateness);
    const answer = await sender.send(series);
    assert.equal(answer.status, 200, answer.text);
    written.add(series);
  }
  const rest = data.rest();
  if (rest.length > 0) assert.equal((await sender.send(rest)).status, 200);
  written.add(rest);
  t.diagnostic(`${data.late} of the scrapes of a series came late`);
  await sender.close();
  return written;
}

for (const lateness of ['none', 'all'] as const) {
  test(`what was written is what the StoreAPI answers, wherever it is; late: ${lateness}`, (t) =>
    follow(t, lateness));
}

async function follow(t: TestContext, lateness: Lateness): Promise<void> {
  using directory = temporaryDirectory();
  const dataDir = directory.path;
  const tsdb = join(dataDir, 'tsdb/default-tenant');
  const bucket = join(dataDir, 'bucket');
  const flags = ['--tsdb.out-of-order.time-window=1h', '--tsdb.block-reload-interval=1s'];
  let all = await startAll({ dataDir, args: flags });
  t.after(() => all.process.stop('SIGKILL'));
  const end = Math.floor(Date.now() / STEP) * STEP;
  const start = end - HOURS * HOUR;
  {
    using asker = new Asker(all);
    const { store, labelSets, component } = decodeInfoResponse(
      await asker.call('/thanos.info.Info/Info'),
    );
    assert.equal(component, 'receive');
    assert.deepEqual(labelSets, [Labels.fromObject({ replica: '0' })]);
    assert.equal(store?.maxt, MAX_TIME);
    assert.deepEqual(
      [store?.supportsSharding, store?.supportsWithoutReplicaLabels, store?.supportsProjections],
      [true, true, false],
    );
    // An empty TSDB begins behind everything; the other one has the process' own metrics.
    assert.equal(store?.tsdbs[0]?.mint, MAX_TIME);
  }
  const written = await feed(t, all, start, lateness);
  const ranges: readonly (readonly [number, number])[] = [
    [0, MAX_TIME],
    [start + HOUR, start + 1.2 * HOUR],
    [start + 3.9 * HOUR, start + 6.1 * HOUR],
    [end - HOUR / 2, end],
    [end + HOUR, end + 2 * HOUR],
  ];
  // compat: blocks of late samples overlap others, and a restart may bring such samples once more: clients merge them.
  const isStrict = lateness === 'none';
  const check = async (what: string): Promise<void> => {
    await t.test(what, async () => {
      using asker = new Asker(all);
      for (const [mint, maxt] of ranges)
        compare(await asker.samples(mint, maxt), written.within(mint, maxt), isStrict);
      const names = await asker.series({ skipChunks: true });
      assert.equal(names.series.length, written.series.size);
      const request = {
        mint: 0,
        maxt: MAX_TIME,
        matchers: [OWN],
        partialResponse: 'abort',
        withoutReplicaLabels: [],
        limit: 0,
        label: '__name__',
      } as const;
      const bytes = await asker.call(
        '/thanos.Store/LabelValues',
        encodeLabelValuesRequest(request),
      );
      const wanted = new Set(
        [...written.series.values()].map(({ labels }) => labels.get('__name__')),
      );
      assert.deepEqual(new Set(decodeLabelValuesResponse(bytes).texts), wanted);
    });
  };
  await check('while blocks are cut');
  await until('uploads', () => {
    const local = blocksIn(tsdb);
    return local.length >= 4 && local.every((ulid) => existsSync(join(bucket, ulid, 'meta.json')));
  });
  await check('while both have the blocks');
  assert.equal(await all.process.stop(), 0, all.process.output);
  all = await startAll({ dataDir, args: [...flags, '--tsdb.max-retention-bytes=1KB'] });
  await check('while blocks leave');
  await until('removals', () => blocksIn(tsdb).length === 0);
  assert.ok(blocksIn(bucket).length >= 4);
  await check('blocks in the bucket only');
  {
    using asker = new Asker(all);
    const { store } = decodeInfoResponse(await asker.call('/thanos.info.Info/Info'));
    const first = Math.min(
      ...[...written.series.values()].flatMap(({ samples }) => [...samples.keys()]),
    );
    assert.ok((store?.mint ?? Infinity) <= first);
  }
  assert.equal(await all.process.stop(), 0, all.process.output);
  assert.doesNotMatch(all.process.output, /level=(?:error|warn).*component=store/);
}

test('clients that go away hold nobody up', async (t) => {
  using directory = temporaryDirectory();
  const all = await startAll({ dataDir: directory.path });
  t.after(() => all.process.stop('SIGKILL'));
  const sender = new RemoteWriteSender(all.write);
  const random = new Random(7);
  const end = Date.now();
  for (let n = 0; n < 240; n++) {
    const series = Array.from({ length: 400 }, (_, i) => ({
      labels: [
        ['__name__', 'm'],
        ['i', String(i)],
      ] as [string, string][],
      samples: [[end - (240 - n) * 15_000, random.float()]] as [number, number][],
    }));
    assert.equal((await sender.send(series)).status, 200);
  }
  await sender.close();
  const matchers = [new Matcher('=', '__name__', 'm')];
  for (let round = 0; round < 20; round++) {
    using asker = new Asker(all);
    const given = asker.series({ matchers });
    given.catch(() => undefined);
    await sleep(random.below(15));
  }
  using asker = new Asker(all);
  const { series } = await asker.series({ matchers });
  assert.equal(series.length, 400);
  assert.ok(
    series.every(({ chunks }) => chunks.reduce((n, one) => n + one.samples.length, 0) === 240),
  );
  assert.equal(await all.process.stop(), 0, all.process.output);
});
