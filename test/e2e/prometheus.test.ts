/**
 * Debian's Prometheus 2.42 scrapes itself and remote-writes to two `thanos all`, one a endpoint: all of them hold the
 * same raw samples, across a restart of ours; and a Prometheus opens the directory that ours wrote.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { complaints, openCopyInPrometheus, startPrometheus } from '../support/prometheus.ts';
import { compareRawSamples, readRawSamples } from '../support/raw-samples.ts';
import type { RawSeries } from '../support/raw-samples.ts';
import { SOURCE_COMMAND, ServerProcess, startAll } from '../support/server-process.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** How long Prometheus scrapes before the first comparison. */
const SCRAPE_MS = 125_000;
/** How long remote write may need to catch up, its back-off after a restart included. */
const CATCH_UP_MS = 60_000;

/** Each makes Prometheus keep some 20 more series about itself. */
const WARM_UP: readonly string[] = [
  '/api/v1/labels',
  '/api/v1/label/job/values',
  '/api/v1/series?match[]=up',
  '/api/v1/targets',
  '/api/v1/rules',
  '/api/v1/alerts',
  '/api/v1/metadata',
  '/api/v1/status/tsdb',
  '/api/v1/status/config',
  '/federate?match[]=up',
];

const ALL_SAMPLES = '{job="prometheus"}[2m]';

test('remote write from a real Prometheus, a restart, and a real Prometheus afterwards', async (t) => {
  using directory = temporaryDirectory();
  const dataDir = join(directory.path, 'receive');
  let receive = await startAll({ dataDir });
  t.after(() => receive.process.stop('SIGKILL'));
  const write = await startAll({ dataDir: join(directory.path, 'write') });
  t.after(() => write.process.stop('SIGKILL'));
  const prometheus = await startPrometheus({
    directory: join(directory.path, 'prometheus'),
    config: (port) =>
      configuration(port, [`${receive.write}/api/v1/receive`, `${write.write}/api/v1/write`]),
  });
  // Killed: a stop would wait a minute for receivers that are gone.
  t.after(() => prometheus.process.stop('SIGKILL'));
  for (const path of WARM_UP) await (await fetch(`${prometheus.api}${path}`)).arrayBuffer();
  await sleep(SCRAPE_MS);

  const first = await timeOffTheGrid(prometheus.api);
  const want = await readRawSamples(prometheus.api, ALL_SAMPLES, first);
  await assertSame(t, '/api/v1/receive', want, receive.api, first);
  await assertSame(t, '/api/v1/write', want, write.api, first);

  assert.equal(await receive.process.stop(), 0, receive.process.output);
  await sleep(3000); // Prometheus finds nobody there, and must send again what it could not.
  receive = await startAgain(receive, dataDir);
  await assertSame(t, 'after the restart', want, receive.api, first);
  await sleep(5000);
  const second = await timeOffTheGrid(prometheus.api);
  const wantSecond = await readRawSamples(prometheus.api, ALL_SAMPLES, second);
  await assertSame(t, 'samples from before, during and after', wantSecond, receive.api, second);

  assert.equal(await receive.process.stop(), 0, receive.process.output);
  const tsdb = join(dataDir, 'tsdb', 'default-tenant');
  const reopened = await openCopyInPrometheus(tsdb, join(directory.path, 'reopened'));
  t.after(() => reopened.process.stop());
  assert.deepEqual(complaints(reopened), []);
  await assertSame(t, 'a Prometheus on our directory', want, reopened.api, first);
  await assertSame(t, 'the same, later', wantSecond, reopened.api, second);
});

/** Starts `thanos all` on the addresses that another one had. */
async function startAgain({ api, write, grpc }: ThanosAll, dataDir: string): Promise<ThanosAll> {
  const [command, ...before] = SOURCE_COMMAND;
  const server = new ServerProcess(command, [
    ...before,
    'all',
    `--data-dir=${dataDir}`,
    `--http-address=${new URL(api).host}`,
    `--remote-write.address=${new URL(write).host}`,
    `--grpc-address=${grpc}`,
  ]);
  await server.ready(`${api}/-/ready`);
  return { process: server, api, write, grpc };
}

function configuration(port: number, targets: readonly string[]): string {
  // Short waits, so that the restart does not take the test minutes: what is sent is the same.
  const writes = targets.map((url) => `  - url: ${url}\n    queue_config: {max_backoff: 1s}\n`);
  return `global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ['127.0.0.1:${port}']}]
remote_write:
${writes.join('')}`;
}

/**
 * A time in seconds, some seconds ago, half a second off the scrapes: ranges are closed in Prometheus 2.42 and
 * left-open since 3.0, so no sample may lie on either end.
 */
async function timeOffTheGrid(api: string): Promise<number> {
  const now = Date.now();
  const [up] = await readRawSamples(api, 'up{job="prometheus"}[10s]', now / 1000);
  const newest = up?.values.at(-1)?.[0];
  assert.ok(newest !== undefined, 'Prometheus has scraped itself');
  return (Math.round(newest * 1000) - 1500) / 1000;
}

/** Waits until as many samples are there, then compares every one. */
async function assertSame(
  t: { diagnostic(text: string): void },
  what: string,
  want: readonly RawSeries[],
  api: string,
  timeSeconds: number,
): Promise<void> {
  const total = countSamples(want);
  let got = await readRawSamples(api, ALL_SAMPLES, timeSeconds);
  const deadline = performance.now() + CATCH_UP_MS;
  while (countSamples(got) < total && performance.now() < deadline) {
    await sleep(250);
    got = await readRawSamples(api, ALL_SAMPLES, timeSeconds);
  }
  const { series, samples, differences } = compareRawSamples(want, got);
  t.diagnostic(`${what}: ${series} series, ${samples} samples equal`);
  assert.deepEqual(differences, [], what);
  assert.ok(series > 500, `${what}: ${series} series`);
  assert.ok(samples > 50_000, `${what}: ${samples} samples`);
}

function countSamples(series: readonly RawSeries[]): number {
  return series.reduce((sum, { values }) => sum + values.length, 0);
}
