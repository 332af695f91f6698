/** What surrounds queries in a real process: limits, cancellation, hard inputs, the log and the list of active queries. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { runThanos } from '../support/run-command.ts';
import { startAll } from '../support/server-process.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SERIES = 200;
const SAMPLES = 400;
const STEP_MS = 15_000;

/** Seconds; the newest sample. */
const NOW = Math.floor(Date.now() / 1000);

/** 11,001 steps up to the newest sample. */
const RANGE: Readonly<Record<string, string>> = {
  start: String(NOW - 5500),
  end: String(NOW),
  step: '0.5',
};

/**
 * 40 million windows of 3,600 values to be sorted: an hour of work on one thread, and between two series of it no other
 * work of the thread gets its turn.
 */
const HEAVY: Readonly<Record<string, string>> = {
  ...RANGE,
  query: 'quantile_over_time(0.5, heavy[1h:1s])',
};
const COUNT = { query: 'count(heavy)', time: String(NOW) };

const TOO_MANY = 'query processing would load too many samples into memory in query execution';

/** A server on a directory of its own, with {@link SERIES} series of an hour and a half. */
async function start(
  t: TestContext,
  dataDir: string,
  args: readonly string[] = [],
): Promise<ThanosAll> {
  const all = await startAll({ dataDir, args });
  t.after(() => all.process.stop('SIGKILL'));
  const sender = new RemoteWriteSender(all.write);
  const samples = Array.from({ length: SAMPLES }, (_, j): [number, number] => [
    NOW * 1000 - (SAMPLES - 1 - j) * STEP_MS,
    (j * 7919) % 1009,
  ]);
  const series = Array.from({ length: SERIES }, (_, i) => ({
    labels: [
      ['__name__', 'heavy'],
      ['i', String(i)],
      ['text', 't'.repeat(2000)],
    ] as const,
    samples,
  }));
  const answer = await sender.send(series);
  await sender.close();
  assert.equal(answer.status, 200, answer.text);
  return all;
}

/** An operator of an explained or analyzed query. */
interface Operator {
  readonly name: string;
  readonly executionTime?: string;
  readonly totalSamples?: number;
  readonly children?: readonly Operator[];
}

interface Answer {
  readonly status: number;
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: readonly string[];
  readonly data?: {
    readonly result: unknown[];
    readonly stats?: Record<string, object>;
    readonly analysis?: Operator;
  };
}

async function ask(
  { api }: ThanosAll,
  path: 'query' | 'query_range',
  params: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<Answer> {
  const body = new URLSearchParams(params);
  const init = { method: 'POST', body, ...(signal === undefined ? {} : { signal }) };
  const response = await fetch(`${api}/api/v1/${path}`, init);
  return { ...((await response.json()) as object), status: response.status };
}

/** Waits until a metric has a value. */
async function reaches({ api }: ThanosAll, name: string, value: number): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${api}/metrics`)).text();
    if (text.split('\n').includes(`${name} ${value}`)) return;
    await sleep(5);
  }
}

async function assertAnswers(all: ThanosAll): Promise<void> {
  const { status, data, error } = await ask(all, 'query', COUNT);
  assert.equal(status, 200, error ?? '');
  assert.deepEqual(data?.result, [{ metric: {}, value: [NOW, String(SERIES)] }]);
}

const IN_FLIGHT = 'thanos_query_concurrent_gate_queries_in_flight';
const TASKS = 'thanos_compute_pool_tasks';

test('clients that go away and timeouts free the workers from computations of an hour', async (t) => {
  using directory = temporaryDirectory();
  // One more than there are workers, so that none is left for the next query.
  const count = availableParallelism() + 1;
  const all = await start(t, directory.path, [`--query.max-concurrent=${count}`]);
  const controller = new AbortController();
  const heavy = Array.from({ length: count }, () =>
    ask(all, 'query_range', HEAVY, controller.signal),
  );
  await reaches(all, IN_FLIGHT, count);
  controller.abort();
  for (const { status } of await Promise.allSettled(heavy)) assert.equal(status, 'rejected');
  await assertAnswers(all);
  await reaches(all, TASKS, 0);
  const late = await Promise.all(
    Array.from({ length: count }, () => ask(all, 'query_range', { ...HEAVY, timeout: '500ms' })),
  );
  for (const { status, errorType, error } of late) {
    assert.deepEqual(
      [status, errorType, error],
      [503, 'timeout', 'query timed out in expression evaluation'],
    );
  }
  await assertAnswers(all);
  await reaches(all, TASKS, 0);
  assert.doesNotMatch(all.process.output, /level=error/);
});

test('a query that waits too long for its turn, and one that gets it', async (t) => {
  using directory = temporaryDirectory();
  const all = await start(t, directory.path, ['--query.max-concurrent=1']);
  const controller = new AbortController();
  const heavy = ask(all, 'query_range', HEAVY, controller.signal);
  heavy.catch(() => undefined);
  await reaches(all, IN_FLIGHT, 1);
  const late = await ask(all, 'query', { ...COUNT, timeout: '50ms' });
  assert.deepEqual([late.status, late.error], [503, 'query timed out in query queue']);
  const patient = assertAnswers(all);
  controller.abort();
  await patient;
});

test('hard inputs: a clear error each, and others are answered meanwhile and afterwards', async (t) => {
  using directory = temporaryDirectory();
  const all = await start(t, directory.path, ['--query.max-samples=1000000']);
  const f = async (
    path: 'query' | 'query_range',
    params: Readonly<Record<string, string>>,
    want: readonly [number, string | undefined],
  ): Promise<Answer> => {
    const asked = ask(all, path, params);
    await assertAnswers(all);
    const answer = await asked;
    assert.deepEqual([answer.status, answer.error], want, params['query']?.slice(0, 80) ?? '');
    await assertAnswers(all);
    return answer;
  };
  const megabytes = (n: number, text: string) => text.repeat(Math.floor((n << 20) / text.length));
  const bad = (text: string) => [400, `invalid parameter "query": ${text}`] as const;
  const tooMany = [422, TOO_MANY] as const;
  const instant = (query: string) => ({ query, time: String(NOW) });

  // Ten megabytes, of which a form needs three bytes for some characters.
  // 1,100 operators may follow each other. One more is refused when its operand was read, where the next one stands.
  const deep = 'parse error: expression is nested too deeply';
  const sum = `1${megabytes(4, '-1')}`;
  await f('query', instant(sum), bad(`1:${2 * 1102}: ${deep}`));
  const or = `heavy${megabytes(9, ' or heavy')}`;
  await f('query', instant(or), bad(`1:${9 * 1102 - 2}: ${deep}`));
  await f('query', instant(`"${megabytes(9, 'x')}"`), [200, undefined]);
  await f('query', instant(`heavy{i=~"${megabytes(9, 'x')}"}`), [200, undefined]);
  await f('query', instant(`"${megabytes(11, 'x')}"`), [413, 'http: POST too large']);

  const one = 'count(heavy{i="0"})';
  const points = await f('query_range', { ...RANGE, query: one }, [200, undefined]);
  const [series] = (points.data?.result ?? []) as { values: unknown[] }[];
  assert.equal(series?.values.length, 11_001);
  await f('query_range', { ...RANGE, step: '0.499', query: one }, [
    400,
    'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  ]);
  const empty = '1:1: parse error: vector selector must contain at least one non-empty matcher';
  await f('query', instant('{}'), bad(empty));

  // The same at the endpoints that take selectors, which the main thread reads.
  const long = `{i=~"${'(x|y)'.repeat(20_000)}`;
  const listed = await fetch(`${all.api}/api/v1/series`, {
    method: 'POST',
    body: new URLSearchParams({ 'match[]': `${long}("}` }),
  });
  assert.equal(listed.status, 400);
  assert.match(
    ((await listed.json()) as { error: string }).error,
    /^invalid parameter "match\[\]": 1:2: parse error: error parsing regexp: missing closing \)/,
  );

  await f('query_range', { ...RANGE, query: 'heavy' }, tooMany);
  await f('query_range', { ...RANGE, query: 'count_values("v", heavy)' }, tooMany);
  await f('query', instant('count_over_time(heavy[1h:1s])'), [200, undefined]);
  await f('query', instant('count_over_time(heavy[2h:1s])'), tooMany);
  // More than there is memory: the worker dies of it, and what it had beside is run again.
  await f('query', instant('count_over_time(heavy[30d:1ms])'), tooMany);
  const replaced = `label_replace(heavy, "y", "${'$1'.repeat(300_000)}", "text", "(.*)")`;
  await f('query', instant(replaced), [
    422,
    'label_replace() and label_join() may make up to 16777216 characters of labels, this query makes more',
  ]);
});

test('the query log, and what a killed process was at', async (t) => {
  using directory = temporaryDirectory();
  const log = join(directory.path, 'query.log');
  const args = [`--query.log-file=${log}`];
  const first = await start(t, directory.path, args);
  const api = { start: '0', end: '3600', step: '5', query: 'query_with_api' };
  await ask(first, 'query_range', api);
  await ask(first, 'query', { query: 'no query' });
  const controller = new AbortController();
  const gone = ask(first, 'query_range', HEAVY, controller.signal);
  await reaches(first, IN_FLIGHT, 1);
  controller.abort();
  await assert.rejects(gone);
  await reaches(first, IN_FLIGHT, 0);
  assert.equal(await first.process.stop(), 0, first.process.output);
  // As Prometheus' own test of its log looks at it.
  const [line, left, ...rest] = readFileSync(log, 'utf8').trimEnd().split('\n').map(parseLine);
  assert.deepEqual(rest, []);
  assert.deepEqual(line?.['params'], {
    end: '1970-01-01T01:00:00.000Z',
    query: 'query_with_api',
    start: '1970-01-01T00:00:00.000Z',
    step: 5,
  });
  assert.deepEqual(line?.['httpRequest'], {
    clientIP: '127.0.0.1',
    method: 'POST',
    path: '/api/v1/query_range',
  });
  assert.equal(left?.['error'], 'query was canceled in expression evaluation');

  const second = await startAll({ dataDir: directory.path, args });
  t.after(() => second.process.stop('SIGKILL'));
  const running = ask(second, 'query_range', HEAVY);
  running.catch(() => undefined);
  await reaches(second, IN_FLIGHT, 1);
  const active = join(directory.path, 'queries.active');
  while (!readFileSync(active, 'utf8').includes('quantile')) await sleep(5);
  await second.process.stop('SIGKILL');
  const third = await startAll({ dataDir: directory.path });
  t.after(() => third.process.stop('SIGKILL'));
  const said = /These queries didn't finish in prometheus' last run:.*quantile_over_time/;
  assert.match(third.process.output, said);
  assert.deepEqual(
    readFileSync(active).findIndex((byte, i) => byte !== 0 && i > 0),
    -1,
  );
});

test('a query log that cannot be opened: exit 1, one line, and the directory is given free', async () => {
  using directory = temporaryDirectory();
  const { code, stderr } = await runThanos(
    'all',
    `--data-dir=${directory.path}`,
    '--http-address=127.0.0.1:0',
    '--remote-write.address=127.0.0.1:0',
    '--grpc-address=127.0.0.1:0',
    `--query.log-file=${directory.path}/none/query.log`,
  );
  assert.equal(code, 1);
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('ts='));
  assert.equal(lines.length, 1, stderr);
  assert.match(
    lines[0] ?? '',
    /^thanos: error: can't create json log file: open .*none\/query.log/,
  );
  assert.ok(!existsSync(join(directory.path, 'tsdb/default-tenant/lock')));
});

function parseLine(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

test('what is experimental is off, and on where it is asked for', async (t) => {
  using directory = temporaryDirectory();
  const query = 'limitk(2, heavy)';
  const plain = await start(t, join(directory.path, 'plain'));
  const refused = await ask(plain, 'query', { query, stats: 'all' });
  assert.deepEqual(
    [refused.status, refused.error],
    [
      400,
      'invalid parameter "query": 1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
    ],
  );
  // Duration expressions are no experiment any more.
  const counted = { query: 'count(count_over_time(heavy[1m * 2]))', time: String(NOW) };
  const { data } = await ask(plain, 'query', { ...counted, stats: 'all' });
  assert.deepEqual(Object.keys(data?.stats?.['timings'] ?? {}), [
    'evalTotalTime',
    'resultSortTime',
    'queryPreparationTime',
    'innerEvalTime',
    'execQueueTime',
    'execTotalTime',
  ]);
  // Eight samples of each series lie in two minutes.
  const samples = data?.stats?.['samples'] as Record<string, unknown>;
  assert.equal(samples['totalQueryableSamples'], 8 * SERIES);
  assert.equal(samples['totalQueryableSamplesPerStep'], undefined);
  const all = await start(t, join(directory.path, 'all'), [
    '--enable-feature=promql-experimental-functions,nonsense',
    '--enable-feature=promql-per-step-stats',
  ]);
  const enabled = await ask(all, 'query', { query, time: String(NOW) });
  assert.equal(enabled.data?.result.length, 2);
  const stepped = await ask(all, 'query', { ...counted, stats: 'all' });
  const ofSteps = stepped.data?.stats?.['samples'] as Record<string, unknown> | undefined;
  assert.deepEqual(ofSteps?.['totalQueryableSamplesPerStep'], [[NOW, 8 * SERIES]]);
  assert.match(
    all.process.output,
    /level=warn msg="Unknown option for --enable-feature" option=nonsense/,
  );
});

test('explained and analyzed queries', async (t) => {
  using directory = temporaryDirectory();
  const all = await start(t, directory.path);
  const params = { query: 'count(heavy{text!=""}) - 1', time: String(NOW), engine: 'thanos' };
  const body = new URLSearchParams(params);
  const response = await fetch(`${all.api}/api/v1/query_explain`, { method: 'POST', body });
  const explained = ((await response.json()) as { data: Operator }).data;
  assert.match(explained.name, /^\[binary\] -/);
  const [scan, number] = explained.children ?? [];
  assert.match(scan?.name ?? '', /^\[scan\] value \{text!="",__name__="heavy"\}, count, select 0$/);
  assert.deepEqual(number, { name: '[number] 1' });
  const { data, warnings } = await ask(all, 'query', { ...params, analyze: 'true' });
  assert.equal(warnings, undefined);
  assert.deepEqual(data?.result, [{ metric: {}, value: [NOW, String(SERIES - 1)] }]);
  const names = ({ name, children = [] }: Operator): unknown => [name, children.map(names)];
  assert.deepEqual(data?.analysis && names(data.analysis), names(explained));
  assert.equal(data?.analysis?.totalSamples, SERIES);
  assert.match(data?.analysis?.executionTime ?? '', /^[\d.]+(?:µs|ms|s)$/);
  // Thanos' default engine is Prometheus', and that one does not.
  const plain = await ask(all, 'query', { ...params, engine: '', analyze: 'true' });
  assert.deepEqual(plain.warnings, ["Query not analyzable; change engine to 'thanos'."]);
  assert.equal(plain.data?.analysis, undefined);
});
