/**
 * Floats, native histograms, stale markers, churn and late samples, there and back: Debian's Prometheus 2.42 opens what
 * `thanos all` was sent, before blocks are cut and afterwards, stopped or killed; then it goes on with the directory, is
 * killed, and `thanos all` has it again. Every sample is the same everywhere, and as many are there as were sent.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { MixedData } from '../support/mixed-data.ts';
import type { Lateness } from '../support/mixed-data.ts';
import { AS_OURS, complaints, openCopyInPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { askAll, assertSameAnswers, countSamples, rawQuestions } from '../support/raw-questions.ts';
import type { QuestionGrid, RawAnswers, RawQuestion } from '../support/raw-questions.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { ServerProcess, startAll } from '../support/server-process.ts';
import { freePort } from '../support/free-port.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import type { TestSeries } from '../support/write-request.ts';

const SELECTORS = 200;
/** A time at which a block begins. */
const START_MS = 1_700_006_400_000;
/** Three hours in the head are too few for a block. */
const SHORT: QuestionGrid = { startMs: START_MS, scrapeMs: 30_000, scrapes: 180 };
/** 10 hours: blocks of hours 0 to 6 at least. */
const LONG: QuestionGrid = { startMs: START_MS, scrapeMs: 120_000, scrapes: 300 };
/** What Prometheus takes afterwards: five hours, so that it cuts blocks, too. */
const MORE: QuestionGrid = { startMs: START_MS, scrapeMs: 120_000, scrapes: 450 };
const SIZES = { floats: 60, histograms: 24 };
const OURS: readonly string[] = [
  '--tsdb.block-reload-interval=250ms',
  '--tsdb.out-of-order.time-window=1h',
];
/** limit: a cut takes a fraction of a second, and a round of ours comes every 250 ms. */
const TRIES_MAX = 300;

const baseSeed = Number(process.env['SEED'] ?? 20_261_127);

/** A server with a directory that was filled. */
interface Filled {
  readonly dataDir: string;
  readonly tsdb: string;
  readonly data: MixedData;
  readonly random: Random;
  readonly sent: number;
  readonly all: ThanosAll;
}

test('stopped before a block is cut', (t) => beforeBlocks(t, 'SIGTERM', 'none', baseSeed));
test('killed before a block is cut, with late samples', (t) =>
  beforeBlocks(t, 'SIGKILL', 'floats', baseSeed + 1));

async function beforeBlocks(
  t: TestContext,
  signal: NodeJS.Signals,
  lateness: Lateness,
  seed: number,
): Promise<void> {
  using directory = temporaryDirectory();
  const filled = await fill(t, directory.path, { grid: SHORT, lateness, seed });
  await filled.all.process.stop(signal);
  assert.deepEqual(blocksIn(filled.tsdb), []);
  await compareWithPrometheus(t, filled, SHORT, directory.path);
}

test('stopped with blocks', async (t) => {
  using directory = temporaryDirectory();
  const filled = await fill(t, directory.path, {
    grid: LONG,
    lateness: 'none',
    seed: baseSeed + 3,
  });
  await until('three blocks', () => countInOrder(filled.tsdb) >= 3);
  assert.equal(await filled.all.process.stop(), 0, filled.all.process.output);
  await compareWithPrometheus(t, filled, LONG, directory.path);
});

test('killed with blocks and late blocks; Prometheus goes on, is killed, and we have it again', async (t) => {
  using directory = temporaryDirectory();
  const filled = await fill(t, directory.path, {
    grid: LONG,
    lateness: 'floats',
    seed: baseSeed + 2,
  });
  const { tsdb, data, random } = filled;
  await until('late blocks', () => blocksIn(tsdb).some(isLate));
  await until('three blocks in order', () => countInOrder(tsdb) >= 3);
  await filled.all.process.stop('SIGKILL');
  const blocks = blocksIn(tsdb);
  t.diagnostic(`${blocks.length} blocks, ${blocks.filter(isLate).length} of them of late samples`);
  const { prometheus, all } = await compareWithPrometheus(t, filled, LONG, directory.path);
  assert.equal(await all.process.stop(), 0, all.process.output);

  await t.test('what Prometheus made of it', async (st) => {
    const path = join(directory.path, 'prometheus/tsdb');
    const before = new Set(namesIn(path));
    // Prometheus 2.42 takes integer histograms by remote write only.
    const requests = scrapesOf(data, LONG, MORE).map((series) =>
      series.filter(hasNoFloatHistogram),
    );
    const added = await send(prometheus.api, '/api/v1/write', requests);
    await until('blocks of Prometheus', () => namesIn(path).some((name) => !before.has(name)));
    const questions = rawQuestions(random, () => data.selector(), SELECTORS, MORE);
    const want = await askAll('prometheus', prometheus.api, questions);
    assert.equal(await prometheus.process.stop('SIGKILL'), 'SIGKILL');
    assert.deepEqual(complaints(prometheus).filter(isNoLeftLock), []);
    const back = await startAll({
      dataDir: join(directory.path, 'back'),
      args: [`--tsdb.path=${path}`, ...OURS],
    });
    st.after(() => back.process.stop('SIGKILL'));
    report(st, questions, want, await askAll('ours', back.api, questions));
    assert.equal(countSamples(want[0]?.[0] ?? []), filled.sent + added, 'samples sent to both');
    assert.doesNotMatch(back.process.output, /level=(?:warn|error)/);
    assert.equal(await back.process.stop(), 0, back.process.output);
  });
});

test('a Prometheus stays out of a directory that we hold', async (t) => {
  using directory = temporaryDirectory();
  const all = await startAll({ dataDir: directory.path });
  t.after(() => all.process.stop('SIGKILL'));
  const prometheus = new ServerProcess('prometheus', [
    '--config.file=/dev/null',
    `--storage.tsdb.path=${join(directory.path, 'tsdb/default-tenant')}`,
    '--storage.tsdb.use-lockfile',
    `--web.listen-address=127.0.0.1:${await freePort()}`,
  ]);
  t.after(() => prometheus.stop('SIGKILL'));
  assert.equal(await prometheus.ended, 1, prometheus.output);
  assert.match(prometheus.output, /lock DB directory: resource temporarily unavailable/);
  assert.equal((await fetch(`${all.api}/-/ready`)).status, 200);
  assert.equal(await all.process.stop(), 0, all.process.output);
});

/** Starts a server and sends it everything, what was held back included. */
async function fill(
  t: TestContext,
  directory: string,
  { grid, lateness, seed }: { grid: QuestionGrid; lateness: Lateness; seed: number },
): Promise<Filled> {
  t.diagnostic(`seed ${seed}`);
  const dataDir = join(directory, 'data');
  const all = await startAll({ dataDir, args: OURS });
  t.after(() => all.process.stop('SIGKILL'));
  const random = new Random(seed);
  // Room for what Prometheus takes afterwards.
  const data = new MixedData(random, {
    ...SIZES,
    scrapes: grid === LONG ? MORE.scrapes : grid.scrapes,
  });
  const sent = await send(all.write, '/api/v1/receive', scrapesOf(data, undefined, grid, lateness));
  t.diagnostic(`${sent} samples sent, ${data.late} of them late`);
  if (lateness !== 'none') assert.ok(data.late > 100, `only ${data.late} samples are late`);
  return { dataDir, tsdb: join(dataDir, 'tsdb/default-tenant'), data, random, sent, all };
}

/** The scrapes of a grid behind those of another one, a request each. */
function* scrapesOf(
  data: MixedData,
  after: QuestionGrid | undefined,
  { startMs, scrapeMs, scrapes }: QuestionGrid,
  lateness: Lateness = 'none',
): Generator<TestSeries[]> {
  for (let n = after?.scrapes ?? 0; n < scrapes; n++)
    yield data.scrape(n, startMs + n * scrapeMs, lateness);
  yield data.rest();
}

/** Answers how many samples were acknowledged. */
async function send(
  address: string,
  path: string,
  requests: Iterable<TestSeries[]>,
): Promise<number> {
  const sender = new RemoteWriteSender(address, path);
  let sent = 0;
  for (const series of requests) {
    if (series.length === 0) continue;
    const { status, text } = await sender.send(series);
    assert.ok(status === 200 || status === 204, `${status}: ${text}`);
    for (const { samples, histograms = [] } of series) sent += samples.length + histograms.length;
  }
  await sender.close();
  return sent;
}

/** A Prometheus on a copy of the directory, and ours on the directory, agree and have what was sent. */
async function compareWithPrometheus(
  t: TestContext,
  { dataDir, tsdb, data, random, sent }: Filled,
  grid: QuestionGrid,
  directory: string,
): Promise<{ prometheus: Prometheus; all: ThanosAll }> {
  const prometheus = await openCopyInPrometheus(tsdb, join(directory, 'prometheus'), {
    ...AS_OURS,
    args: [...(AS_OURS.args ?? []), '--web.enable-remote-write-receiver'],
  });
  t.after(() => prometheus.process.stop('SIGKILL'));
  const all = await startAll({ dataDir, args: OURS });
  t.after(() => all.process.stop('SIGKILL'));
  const questions = rawQuestions(random, () => data.selector(), SELECTORS, grid);
  const [want, got] = await Promise.all([
    askAll('prometheus', prometheus.api, questions),
    askAll('ours', all.api, questions),
  ]);
  report(t, questions, want, got);
  assert.equal(countSamples(want[0]?.[0] ?? []), sent, 'samples sent');
  assert.deepEqual(complaints(prometheus).filter(isNoLeftLock), []);
  assert.doesNotMatch(all.process.output, /level=error/);
  return { prometheus, all };
}

function report(
  t: TestContext,
  questions: readonly RawQuestion[],
  want: RawAnswers,
  got: RawAnswers,
): void {
  const total = assertSameAnswers(questions, want, got);
  const { selectors, nonEmpty, samples, histograms, promql } = total;
  t.diagnostic(
    `${selectors} selectors, ${nonEmpty} not empty: ${samples} samples, ${histograms} of them histograms; ${promql} floats by PromQL`,
  );
  assert.ok(nonEmpty > SELECTORS / 2, `only ${nonEmpty} answers are not empty`);
  assert.ok(histograms > 1000, `only ${histograms} histograms`);
  assert.ok(promql > 1000, `only ${promql} floats by PromQL`);
}

function hasNoFloatHistogram({ histograms = [] }: TestSeries): boolean {
  return !histograms.some(({ isFloat }) => isFloat);
}

/** Whoever is killed leaves his lock file; Prometheus says so, once. */
function isNoLeftLock(line: string): boolean {
  return !line.includes('msg="A lockfile from a previous execution already existed');
}

/** What meta.json says of a block. */
interface BlockMeta {
  readonly compaction: { readonly hints?: readonly string[] };
}

function namesIn(path: string): string[] {
  return readdirSync(path).filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name));
}

function blocksIn(path: string): BlockMeta[] {
  return namesIn(path).map(
    (name) => JSON.parse(readFileSync(join(path, name, 'meta.json'), 'utf8')) as BlockMeta,
  );
}

function isLate({ compaction: { hints = [] } }: BlockMeta): boolean {
  return hints.includes('from-out-of-order');
}

function countInOrder(path: string): number {
  return blocksIn(path).filter((block) => !isLate(block)).length;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (holds()) return;
    await sleep(50);
  }
  assert.fail(`${what} did not come`);
}
