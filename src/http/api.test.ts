import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { CodedError, type ErrorCode } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { Probe } from '../ops/probe.ts';
import { parseExpr } from '../promql/parse/parse.ts';
import { NO_HISTOGRAMS } from '../model/float-histogram/matrix-histograms.ts';
import type { MatrixResult } from '../promql/result.ts';
import { registerApi } from './api.ts';
import { type Dialect, prometheusDialect, thanosDialect } from './dialect.ts';
import { encodeResult, encodeStrings } from './json-result.ts';
import type { QueryAnswer, QueryService } from './query-service.ts';
import type { PromqlEngine } from './thanos-params.ts';

const NOW = 1795241494_165;

const EMPTY: MatrixResult = {
  type: 'matrix',
  labels: [],
  offsets: Uint32Array.of(0),
  t: new Float64Array(),
  v: new Float64Array(),
  histograms: NO_HISTOGRAMS,
};

/** A service over no data: parses queries with the real parser and remembers what it was asked. */
class EmptyService implements QueryService {
  asked: unknown;
  /** Who asked it. */
  origin: unknown;
  /** What the next answer carries beside its data, or the error that it is. */
  warnings: string[] = [];
  infos: string[] = [];
  error: unknown;

  async instant(params: Parameters<QueryService['instant']>[0]): Promise<QueryAnswer> {
    parseExpr(params.query);
    return this.#answer(params, encodeResult({ type: 'scalar', t: params.timeMs, v: 1 }));
  }

  async range(params: Parameters<QueryService['range']>[0]): Promise<QueryAnswer> {
    parseExpr(params.query);
    return this.#answer(params, encodeResult(EMPTY));
  }

  async explain(params: Parameters<QueryService['explain']>[0]): Promise<QueryAnswer> {
    parseExpr(params.query);
    return this.#answer(params, [Buffer.from('{"name":"[number] 1"}')]);
  }

  async series(params: unknown): Promise<QueryAnswer> {
    return this.#answer(params, encodeStrings([]));
  }

  async labelNames(params: unknown): Promise<QueryAnswer> {
    return this.#answer(params, encodeStrings(['__name__', 'job']));
  }

  async labelValues(params: unknown): Promise<QueryAnswer> {
    return this.#answer(params, encodeStrings(['a', 'b']));
  }

  #answer(asked: unknown, data: Uint8Array[]): QueryAnswer {
    if (this.error !== undefined) throw this.error;
    const { origin, ...rest } = asked as { origin?: unknown };
    this.asked = rest;
    this.origin = origin;
    return { data, warnings: this.warnings, infos: this.infos };
  }
}

async function start(
  t: TestContext,
  dialect: Dialect = prometheusDialect,
  disableCors = false,
  defaultEngine: PromqlEngine = 'prometheus',
) {
  const metrics = new ProcessMetrics();
  const probe = new Probe('query', nopLogger, metrics);
  probe.healthy();
  probe.ready();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics,
    gracePeriodMs: 30_000,
    probe,
    metrics,
  });
  const service = new EmptyService();
  registerApi(server.app, {
    service,
    dialect,
    disableCors,
    defaultEngine,
    clock: new FakeClock(NOW),
    log: nopLogger,
    queryTimeoutMs: 120_000,
    status: {
      build: {
        version: 'v',
        revision: '',
        branch: '',
        buildUser: '',
        buildDate: '',
        goVersion: 'n',
      },
      flags: { 'query.timeout': '2m', 'objstore.config': '<REDACTED>' },
      startTimeMs: NOW - 1000,
      workingDirectory: '/data',
      storageRetention: '15d',
    },
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  return { base, service, metrics };
}

interface GoldenRequest {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly status: number;
}

const golden = (file: string) =>
  readFileSync(new URL(`../../test/golden/http/${file}`, import.meta.url), 'utf8');

/** The type of each member, however deep: what answers over other data have in common. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shape(member)]));
}

/** Members that `thanos query` has and answers of a service over no data have not. */
const MISSING: Readonly<Record<string, string>> = { 'query-instant-scalar': 'analysis' };

test('golden answers of thanos query', async (t) => {
  const { base } = await start(t, thanosDialect);
  const requests = JSON.parse(golden('index.json')) as GoldenRequest[];
  assert.equal(requests.length, 15);
  for (const { name, method, path, query, status } of requests) {
    const url = `${base}${path}?${query.replaceAll('NOW', '1795241494').replaceAll(/\bS\b/g, '1795241194')}`;
    const got = await fetch(url, { method });
    assert.equal(got.status, status, name);
    const body = await got.text();
    const wantBody = golden(`${name}.json`);
    for (const line of golden(`${name}.headers`).split(/\r?\n/).slice(1)) {
      const [header = '', value = ''] = line.split(/: (.*)/s);
      const varies = ['date', 'content-length', 'transfer-encoding', ''];
      if (!varies.includes(header.toLowerCase()))
        assert.equal(got.headers.get(header), value, name);
    }
    if (status !== 200 || !wantBody.startsWith('{')) {
      assert.equal(body, wantBody, name);
      continue;
    }
    const want = shape(JSON.parse(wantBody)) as { data: Record<string, unknown> };
    const have = shape(JSON.parse(body)) as { data: Record<string, unknown> };
    const missing = MISSING[name];
    if (missing !== undefined) delete want.data[missing];
    // Runtime information has more than Thanos'; everything else has the same.
    if (name !== 'status-runtimeinfo') assert.deepEqual(have, want, name);
    else assert.deepEqual({ ...have.data, ...want.data }, have.data);
  }
});

test('what the service is asked', async (t) => {
  const { base, service } = await start(t);
  const f = async (path: string, want: unknown) => {
    const got = await fetch(base + path);
    assert.equal(got.status, 200, `${path}: ${await got.text()}`);
    assert.deepEqual(service.asked, want);
  };
  const q = { query: 'up', timeoutMs: 120_000 };
  await f('/api/v1/query?query=up', { ...q, timeMs: NOW });
  await f('/api/v1/query?query=up&time=12.5&timeout=30s&limit=7&lookback_delta=1m', {
    query: 'up',
    timeMs: 12_500,
    timeoutMs: 30_000,
    lookbackMs: 60_000,
    limit: 7,
  });
  await f('/api/v1/query?query=up&timeout=1h&limit=0', { ...q, timeMs: NOW });
  await f('/api/v1/query_range?query=up&start=0&end=11000&step=1', {
    ...q,
    startMs: 0,
    endMs: 11_000_000,
    stepMs: 1000,
  });
  await f('/api/v1/query_range?query=up&start=5&end=5&step=1m30s', {
    ...q,
    startMs: 5000,
    endMs: 5000,
    stepMs: 90_000,
  });
  const thanos =
    'dedup=false&partial_response=1&max_source_resolution=5m&replicaLabels[]=r&engine=thanos&storeMatch[]={__address__="a:1"}&shard_info={}&analyze=true&stats=all';
  const analyzed = { ...q, stats: 'all', analyze: true };
  await f(`/api/v1/query?query=up&${thanos}`, { ...analyzed, timeMs: NOW });
  assert.deepEqual(service.origin, {
    clientIP: '127.0.0.1',
    method: 'GET',
    path: '/api/v1/query',
  });
  const minute = { startMs: 0, endMs: 60_000, stepMs: 5000 };
  await f(`/api/v1/query_range?query=up&start=0&end=60&step=5&${thanos}`, {
    ...analyzed,
    ...minute,
  });
  // Thanos analyzes with its own engine only, which is not the default.
  await f('/api/v1/query?query=up&analyze=1', { ...q, timeMs: NOW });
  await f('/api/v1/query?query=up&analyze=1&engine=prometheus', { ...q, timeMs: NOW });
  await f('/api/v1/query?query=up&analyze=yes&engine=thanos', { ...q, timeMs: NOW });
  await f('/api/v1/query_explain?query=up&engine=thanos&time=3', { ...q, timeMs: 3000 });
  await f('/api/v1/query_range_explain?query=up&engine=thanos&start=0&end=60&step=5', {
    ...q,
    ...minute,
  });
  await f('/api/v1/query?query=up&stats=true', { ...q, timeMs: NOW, stats: 'true' });
  await f('/api/v1/query?query=up&stats=odd', { ...q, timeMs: NOW, stats: 'true' });
  const all = { mint: MIN_TIME, maxt: MAX_TIME, limit: 0, matcherSets: [] };
  await f('/api/v1/labels', all);
  await f('/api/v1/labels?match[]=up&match[]={a="b"}&start=1&end=2&limit=3', {
    mint: 1000,
    maxt: 2000,
    limit: 3,
    matcherSets: ['up', '{a="b"}'],
  });
  await f('/api/v1/label/job/values', { ...all, name: 'job' });
  await f('/api/v1/label/U__a_2e_b/values', { ...all, name: 'a.b' });
  await f(`/api/v1/label/${encodeURIComponent('ü/x')}/values`, { ...all, name: 'ü/x' });
  await f(`/api/v1/label/${'n'.repeat(500)}/values`, { ...all, name: 'n'.repeat(500) });
  await f('/api/v1/series?match[]=up', { ...all, matcherSets: ['up'] });
  const posted = await fetch(`${base}/api/v1/query?query=down&time=9`, {
    method: 'POST',
    body: new URLSearchParams({ query: 'up', timeout: '1' }),
  });
  assert.equal(posted.status, 200);
  assert.deepEqual(service.asked, { query: 'up', timeMs: 9000, timeoutMs: 1000 });
  const typed = await fetch(`${base}/api/v1/query?query=up`, { method: 'POST', body: 'x' });
  assert.equal(typed.status, 200);
});

test('parameter errors in the words of Prometheus', async (t) => {
  const { base } = await start(t);
  const f = async (path: string, error: string, status = 400, errorType = 'bad_data') => {
    const got = await fetch(`${base}/api/v1/${path}`);
    assert.deepEqual(await got.json(), { status: 'error', errorType, error });
    assert.equal(got.status, status);
    assert.equal(got.headers.get('content-type'), 'application/json');
  };
  const time = (name: string) =>
    `invalid parameter "${name}": invalid time value for '${name}': cannot parse "x" to a valid timestamp`;
  await f('query?query=up&time=x', time('time'));
  await f(
    'query?query=up&limit=x',
    'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
  );
  await f('query?query=up&limit=-1', 'invalid parameter "limit": limit must be non-negative');
  await f(
    'query?query=up&timeout=x',
    'invalid parameter "timeout": cannot parse "x" to a valid duration',
  );
  await f('query?query=up&timeout=0', 'query timed out in expression evaluation', 503, 'timeout');
  await f(
    'query?query=up&lookback_delta=x',
    'error parsing lookback delta duration: cannot parse "x" to a valid duration',
  );
  await f(
    'query?query=sum(',
    'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
  );
  await f(
    'query',
    'invalid parameter "query": unknown position: parse error: no expression found in input',
  );
  const range = (rest: string) => `query_range?query=up&${rest}`;
  await f(range('end=1&step=1'), 'invalid parameter "start": cannot parse "" to a valid timestamp');
  await f(
    range('start=1&end=x&step=1'),
    'invalid parameter "end": cannot parse "x" to a valid timestamp',
  );
  await f(
    range('start=2&end=1&step=1'),
    'invalid parameter "end": end timestamp must not be before start time',
  );
  await f(range('start=1&end=2'), 'invalid parameter "step": cannot parse "" to a valid duration');
  const step =
    'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer';
  await f(range('start=1&end=2&step=0'), step);
  await f(range('start=1&end=2&step=-1'), step);
  await f(
    range('start=0&end=11001&step=1'),
    'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  );
  await f('series', 'no match[] parameter provided');
  await f(
    'series?match[]={a=""}',
    'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
  );
  await f('labels?match[]={a=""}', 'match[] must contain at least one non-empty matcher');
  await f('labels?start=x', time('start'));
  await f('label/job/values?end=x', time('end'));
  await f('label/U__/values', 'invalid label name: ""');
});

test('how a query would be evaluated', async (t) => {
  for (const dialect of [prometheusDialect, thanosDialect]) {
    const { base } = await start(t, dialect);
    const prefix = (name: string) =>
      dialect === prometheusDialect ? `invalid parameter "${name}": ` : '';
    const f = async (path: string, form: string, status: number, want: object) => {
      for (const got of [
        await fetch(`${base}/api/v1/${path}?${form}`),
        await fetch(`${base}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(form) }),
      ]) {
        assert.deepEqual(await got.json(), want);
        assert.equal(got.status, status);
      }
    };
    const explained = { status: 'success', data: { name: '[number] 1' } };
    const range = 'start=1&end=2&step=1';
    await f('query_explain', 'query=1&engine=thanos', 200, explained);
    await f('query_range_explain', `query=1&engine=thanos&${range}`, 200, explained);
    const g = async (path: string, form: string, error: string) =>
      f(path, form, 400, { status: 'error', errorType: 'bad_data', error });
    // The engine is looked at before anything else.
    const engine = "engine type must be 'thanos'";
    await g('query_explain', 'query=(', engine);
    await g('query_explain', 'query=1&engine=prometheus&time=x', engine);
    await g('query_range_explain', `query=1&${range}`, engine);
    await g('query_explain', 'query=1&engine=x', "'x' bad engine");
    const other = await start(t, dialect, false, 'thanos');
    const named = await fetch(`${other.base}/api/v1/query_explain?query=1`);
    assert.deepEqual(await named.json(), explained);
    await fetch(`${other.base}/api/v1/query?query=up&time=1&analyze=true`);
    const asked = { query: 'up', timeMs: 1000, timeoutMs: 120_000, analyze: true };
    assert.deepEqual(other.service.asked, asked);
    const open = `${prefix('query')}1:5: parse error: unclosed left parenthesis`;
    await g('query_explain', 'query=sum(&engine=thanos', open);
    await g(
      'query_range_explain',
      'query=1&engine=thanos&start=2&end=1&step=1',
      `${prefix('end')}end timestamp must not be before start time`,
    );
  }
});

test('what the parser makes of a query', async (t) => {
  const up = {
    type: 'vectorSelector',
    name: 'up',
    matchers: [{ name: '__name__', value: 'up', type: '=' }],
    offset: 0,
    offsetExpr: null,
    timestamp: null,
    startOrEnd: null,
    anchored: false,
    smoothed: false,
  };
  for (const dialect of [prometheusDialect, thanosDialect]) {
    const { base, service } = await start(t, dialect);
    const f = async (path: string, query: string, status: number, want: object) => {
      const url = `${base}/api/v1/${path}`;
      const body = new URLSearchParams({ query });
      for (const got of [
        await fetch(`${url}?${body.toString()}`),
        await fetch(`${url}?query=other`, { method: 'POST', body }),
      ]) {
        assert.deepEqual(await got.json(), want);
        assert.equal(got.status, status);
        assert.equal(got.headers.get('content-type'), 'application/json');
      }
      const put = await fetch(url, { method: 'PUT', body });
      assert.equal(put.status, 405);
      assert.equal(put.headers.get('allow'), 'GET, POST, OPTIONS');
    };
    await f('parse_query', ' up ', 200, { status: 'success', data: up });
    await f('format_query', 'up+ 1', 200, { status: 'success', data: 'up + 1' });
    const prefix = dialect === prometheusDialect ? 'invalid parameter "query": ' : '';
    const g = async (query: string, text: string) => {
      const want = { status: 'error', errorType: 'bad_data', error: prefix + text };
      await f('parse_query', query, 400, want);
      await f('format_query', query, 400, want);
    };
    await g('up{', '1:4: parse error: unexpected end of input inside braces');
    await g('', 'unknown position: parse error: no expression found in input');
    // The parts of the language behind feature flags are those of the engine: here the default ones.
    await f('format_query', 'up[5m*2]', 200, { status: 'success', data: 'up[5m * 2]' });
    await g(
      'up + fill (0) up',
      '1:1: parse error: binop fill modifiers are experimental and not enabled',
    );
    assert.equal(service.asked, undefined);
  }
});

test('parameters of Thanos are checked as Thanos checks them', async (t) => {
  const { base } = await start(t);
  const f = async (rest: string, error: string) => {
    const got = await fetch(`${base}/api/v1/query?query=up&${rest}`);
    assert.deepEqual(await got.json(), { status: 'error', errorType: 'bad_data', error });
  };
  const bool = 'strconv.ParseBool: parsing "maybe": invalid syntax';
  await f('dedup=maybe', `'dedup' parameter: ${bool}`);
  await f('partial_response=maybe', `'partial_response' parameter: ${bool}`);
  await f(
    'max_source_resolution=x',
    `'max_source_resolution' parameter: cannot parse "x" to a valid duration`,
  );
  await f(
    'max_source_resolution=-1',
    `negative 'max_source_resolution' is not accepted. Try a positive integer`,
  );
  await f('engine=x', `'x' bad engine`);
});

test('errors of the service', async (t) => {
  const { base, service } = await start(t);
  const f = async (code: ErrorCode, status: number, errorType: string) => {
    service.error = new CodedError(code, 'the reason');
    const got = await fetch(`${base}/api/v1/labels`);
    assert.deepEqual(await got.json(), { status: 'error', errorType, error: 'the reason' });
    assert.equal(got.status, status);
    assert.equal(got.headers.get('cache-control'), 'no-store');
  };
  await f('bad_data', 400, 'bad_data');
  await f('execution', 422, 'execution');
  await f('not_implemented', 422, 'execution');
  await f('too_large', 422, 'execution');
  await f('canceled', 499, 'canceled');
  await f('timeout', 503, 'timeout');
  await f('unavailable', 503, 'unavailable');
  await f('not_found', 404, 'not_found');
  await f('internal', 500, 'internal');
  await f('corrupt', 500, 'internal');
  service.error = new TypeError('undefined is not a function');
  const bug = await fetch(`${base}/api/v1/labels`, { headers: { 'x-request-id': 'r1' } });
  assert.equal(bug.status, 500);
  assert.equal(
    ((await bug.json()) as { error: string }).error,
    'internal error, the log has it under request_id r1',
  );
});

test('a body that is too large has an answer, and the connection another one', async (t) => {
  const { base } = await start(t);
  const body = new URLSearchParams({ query: 'x'.repeat(11 * 1024 * 1024) });
  const got = await fetch(`${base}/api/v1/query`, { method: 'POST', body });
  assert.equal(got.status, 413);
  assert.deepEqual(await got.json(), {
    status: 'error',
    errorType: 'bad_data',
    error: 'http: POST too large',
  });
  assert.equal((await fetch(`${base}/api/v1/query?query=1`)).status, 200);
});

test('warnings and infos', async (t) => {
  for (const dialect of [prometheusDialect, thanosDialect]) {
    const { base, service } = await start(t, dialect);
    const f = async (warnings: string[], infos: string[], stats: string, want: object) => {
      Object.assign(service, { warnings, infos });
      const got = await fetch(`${base}/api/v1/query?query=1&time=1&stats=${stats}`);
      const { status, data, ...rest } = (await got.json()) as Record<string, unknown>;
      assert.equal(status, 'success');
      assert.deepEqual(data, { resultType: 'scalar', result: [1, '1'] });
      assert.deepEqual(rest, want);
      return got.headers.get('cache-control');
    };
    assert.equal(await f([], [], '', {}), null);
    const own = dialect === prometheusDialect;
    const info = 'PromQL info: metric might not be a counter';
    const promql = 'PromQL warning: quantile value should be between 0 and 1';
    const both = own ? { warnings: [promql], infos: [info] } : { warnings: [promql, info] };
    assert.equal(await f([promql], [info], 'all', both), null);
    assert.equal(await f(['store is gone'], [], '', { warnings: ['store is gone'] }), 'no-store');
    const odd =
      'value "odd" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"';
    await f([], [], 'odd', own ? { warnings: [odd] } : {});
    const analyze = "Query not analyzable; change engine to 'thanos'.";
    await f([], [], 'all&analyze=1', { warnings: [analyze] });
    await f([], [], 'all&analyze=true&engine=prometheus', { warnings: [analyze] });
    await f([], [], 'all&analyze=true&engine=thanos', {});
    await f([], [], 'all&analyze=T', {});
  }
});

test('what is not there, and CORS', async (t) => {
  const { base, metrics } = await start(t);
  const missing = await fetch(`${base}/api/v1/rules?type=alert`);
  assert.equal(missing.status, 501);
  assert.deepEqual(await missing.json(), {
    status: 'error',
    errorType: 'not_implemented',
    error: '/api/v1/rules is not implemented yet',
  });
  const typo = await fetch(`${base}/api/v1/querry`);
  assert.equal(typo.status, 404);
  assert.equal(await typo.text(), '404 page not found\n');
  const method = await fetch(`${base}/api/v1/label/job/values`, { method: 'POST' });
  assert.equal(method.status, 405);
  assert.equal(method.headers.get('allow'), 'GET, OPTIONS');
  assert.equal(await method.text(), 'Method Not Allowed\n');
  const options = await fetch(`${base}/api/v1/query`, { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get('access-control-allow-origin'), '*');
  const closed = await start(t, prometheusDialect, true);
  const plain = await fetch(`${closed.base}/api/v1/labels`);
  assert.equal(plain.headers.get('access-control-allow-origin'), null);
  await (await fetch(`${base}/api/v1/labels`)).text();
  const names = (await metrics.snapshot())
    .filter((s) => s.name === 'http_requests_total')
    .map((s) => s.labels.map(([, value]) => value).join());
  assert.deepEqual(names, ['200,label_names,get,default-tenant']);
});

test('flags', async (t) => {
  const { base } = await start(t);
  const got = (await (await fetch(`${base}/api/v1/status/flags`)).json()) as { data: unknown };
  assert.deepEqual(got.data, { 'query.timeout': '2m', 'objstore.config': '<REDACTED>' });
});
