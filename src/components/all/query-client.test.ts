import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeClock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import { nopLogger } from '../../lib/log.ts';
import type { RunOptions } from '../../ops/compute-pool.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import { WorkerMemoryError } from '../../ops/pool-worker.ts';
import { QueryClient } from './query-client.ts';
import { QueryRecords } from './query-records.ts';
import type { EvaluatedQuery } from './query-tasks.ts';

/** A pool whose tasks end when the test says so, and never by themselves. */
class HandPool {
  readonly tasks: {
    readonly payload: unknown;
    readonly signal: AbortSignal | undefined;
    readonly resolve: (value: EvaluatedQuery) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];

  run(_task: string, payload: unknown, { signal }: RunOptions = {}): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<EvaluatedQuery>();
    this.tasks.push({ payload, signal, resolve, reject });
    return promise;
  }
}

const ANSWER: EvaluatedQuery = {
  answer: { data: [], warnings: [], infos: [] },
  stats: {
    timings: {
      evalTotalTime: 0.75,
      resultSortTime: 0,
      queryPreparationTime: 0.25,
      innerEvalTime: 0.5,
      execQueueTime: 0,
      execTotalTime: 0.75,
    },
    samples: { totalQueryableSamples: 42, peakSamples: 7 },
  },
};

const NEVER = new AbortController().signal;
const HOUR = 3_600_000;
const query = (text: string, timeoutMs = HOUR) => ({ query: text, timeMs: 1000, timeoutMs });

function setUp(maxConcurrent = 1) {
  const pool = new HandPool();
  const metrics = new ProcessMetrics();
  const client = new QueryClient({ pool, metrics, maxConcurrent, metadataTimeoutMs: HOUR });
  const value = async (name: string, ...labels: string[]) =>
    (await metrics.snapshot()).find(
      (s) => s.name === name && labels.every((l) => s.labels.some(([, v]) => v === l)),
    )?.value;
  return { pool, client, value };
}

test('query client: at most so many run, the others wait in order', async () => {
  const { pool, client, value } = setUp(2);
  await rejects(client.instant(query('early'), NEVER), { code: 'unavailable' });
  client.open();
  const all = ['a', 'b', 'c'].map((text) => client.instant(query(text), NEVER));
  equal(pool.tasks.length, 2);
  equal(await value('prometheus_engine_queries', 'prometheus', 'local'), 3);
  equal(await value('prometheus_engine_queries_concurrent_max'), 2);
  equal(await value('thanos_query_concurrent_gate_queries_in_flight'), 2);
  equal(await value('thanos_query_concurrent_gate_queries_max'), 2);
  pool.tasks[1]?.resolve(ANSWER);
  deepEqual(await all[1], ANSWER.answer);
  equal(pool.tasks.length, 3);
  for (const { resolve } of pool.tasks) resolve(ANSWER);
  await Promise.all(all);
  equal(await value('prometheus_engine_queries'), 0);
  equal(await value('thanos_query_concurrent_gate_queries_total'), 3);
  equal(await value('thanos_query_concurrent_gate_queries_duration_seconds_count'), 3);
  equal(await value('prometheus_engine_query_samples_total'), 126);
  const slices = 'prometheus_engine_query_duration_seconds';
  equal(await value(`${slices}_count`, 'queue_time'), 3);
  equal(await value(`${slices}_sum`, 'prepare_time'), 0.75);
  equal(await value(`${slices}_sum`, 'inner_eval'), 1.5);
  equal(await value(`${slices}_count`, 'result_sort'), 0);
  equal(await value('prometheus_engine_query_duration_histogram_seconds_sum', 'inner_eval'), 1.5);
});

test('query client: who waits too long, or goes away while waiting, never runs', async () => {
  const { pool, client } = setUp();
  client.open();
  const first = client.instant(query('first'), NEVER);
  const late = client.instant(query('late', 1), NEVER);
  const controller = new AbortController();
  const gone = client.instant(query('gone'), controller.signal);
  await rejects(late, { code: 'timeout', message: 'query timed out in query queue' });
  controller.abort();
  await rejects(gone, { code: 'canceled', message: 'query was canceled in query queue' });
  pool.tasks[0]?.resolve(ANSWER);
  await first;
  equal(pool.tasks.length, 1);
});

test('query client: a query that ends early frees its place before the worker has noticed', async () => {
  const { pool, client, value } = setUp();
  client.open();
  const controller = new AbortController();
  const gone = client.instant(query('gone'), controller.signal);
  controller.abort();
  await rejects(gone, { code: 'canceled', message: 'query was canceled in expression evaluation' });
  const late = client.range(
    { query: 'late', startMs: 0, endMs: 1000, stepMs: 1000, timeoutMs: 1 },
    NEVER,
  );
  await rejects(late, { code: 'timeout', message: 'query timed out in expression evaluation' });
  equal(await value('thanos_query_concurrent_gate_queries_in_flight'), 0);
  // What these two read is not to be taken away yet.
  let drained = false;
  const draining = client.drain().then(() => (drained = true));
  deepEqual(
    pool.tasks.map(({ signal }) => signal?.aborted),
    [true, true],
  );
  pool.tasks[0]?.reject(new CodedError('canceled', 'context canceled'));
  const next = client.instant(query('next'), NEVER);
  pool.tasks[2]?.resolve(ANSWER);
  deepEqual(await next, ANSWER.answer);
  equal(drained, false);
  pool.tasks[1]?.resolve(ANSWER);
  await draining;
});

test('query client: a worker that ran out of memory is told as what it came from', async () => {
  const { pool, client } = setUp();
  client.open();
  const running = client.instant(query('large'), NEVER);
  pool.tasks[0]?.reject(new WorkerMemoryError('worker compute-0 died'));
  await rejects(running, {
    code: 'execution',
    message: 'query processing would load too many samples into memory in query execution',
  });
});

async function recorded(t: TestContext, metrics: QueryClient['engineMetrics']) {
  const directory = temporaryDirectory();
  t.after(() => directory[Symbol.dispose]());
  const logFile = join(directory.path, 'query.log');
  const records = await QueryRecords.open({
    activePath: directory.path,
    maxConcurrent: 1,
    logFile,
    metrics,
    clock: new FakeClock(1_700_000_000_000),
    log: nopLogger,
  });
  const lines = () =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { records, lines, activeFile: join(directory.path, 'queries.active') };
}

test('query client: what ran is in the log, what did not parse is not', async (t) => {
  const { pool, client, value } = setUp();
  const { records, lines, activeFile } = await recorded(t, client.engineMetrics);
  equal(await value('prometheus_engine_query_log_enabled'), 1);
  client.open(records);
  const outcomes: [string, (task: HandPool['tasks'][number]) => void][] = [
    ['good', ({ resolve }) => resolve(ANSWER)],
    ['nonsense', ({ reject }) => reject(new CodedError('bad_data', 'parse error'))],
    ['bad', ({ reject }) => reject(new CodedError('execution', 'too many'))],
  ];
  for (const [text, end] of outcomes) {
    const running = client.instant(query(text), NEVER).catch(() => undefined);
    const task = pool.tasks.at(-1);
    ok(task !== undefined);
    end(task);
    await running;
  }
  // One that the process does not see the end of.
  const controller = new AbortController();
  const left = client.instant(query('left'), controller.signal).catch(() => undefined);
  await records.close();
  controller.abort();
  await left;
  const [good, bad, ...rest] = lines();
  deepEqual(rest, []);
  deepEqual([good?.['stats'], good?.['error']], [ANSWER.stats, undefined]);
  equal(bad?.['error'], 'too many');
  deepEqual(Object.keys(bad?.['stats'] as object), ['timings']);
  equal(
    readFileSync(activeFile, 'utf8').replaceAll('\0', ''),
    '[{"query":"left","timestamp_sec":1700000000},',
  );
});

test('query client: a call of several tasks is waited for by who takes something away', async () => {
  const { client } = setUp();
  client.open();
  const { promise, resolve } = Promise.withResolvers<string>();
  const call = client.holding(() => promise);
  let drained = false;
  const draining = client.drain().then(() => (drained = true));
  await new Promise((done) => setImmediate(done));
  equal(drained, false);
  resolve('answer');
  equal(await call, 'answer');
  equal(await draining, true);
  const failing = client.holding(() => Promise.reject(new CodedError('unavailable', 'gone')));
  await client.drain();
  await rejects(failing, { message: 'gone' });
});
