import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { registerApi } from './api.ts';
import { prometheusDialect } from './dialect.ts';
import type { QueryService } from './query-service.ts';
import type { ReadService } from './remote-read-handler.ts';
import type {
  HeadCardinality,
  MetadataEntry,
  SeriesExemplars,
  TsdbService,
} from './tsdb-service.ts';

const unasked = () => Promise.reject(new Error('not a question of this test'));
const NO_QUERIES: QueryService = {
  instant: unasked,
  range: unasked,
  explain: unasked,
  series: unasked,
  labelNames: unasked,
  labelValues: unasked,
};

/** Remembers what it was asked and answers what it was told to. */
class ToldTsdb implements TsdbService {
  readonly asked: unknown[] = [];
  families: readonly MetadataEntry[] = [];
  found: readonly SeriesExemplars[] = [];
  head: HeadCardinality = {
    numSeries: 0,
    numLabelPairs: 0,
    chunkCount: 0,
    minTime: undefined,
    maxTime: undefined,
    seriesCountByMetricName: [],
    labelValueCountByLabelName: [],
    memoryInBytesByLabelName: [],
    seriesCountByLabelValuePair: [],
  };
  error: Error | undefined;

  metadata(...args: unknown[]) {
    return this.#answer('metadata', args, this.families);
  }
  exemplars(...args: unknown[]) {
    return this.#answer('exemplars', args, this.found);
  }
  headStats(...args: unknown[]) {
    return this.#answer('headStats', args, this.head);
  }
  blocks() {
    return this.#answer('blocks', [], [{ ulid: '01M7YF2Z91', minTime: 1, maxTime: 2 }]);
  }
  replayStatus() {
    return this.#answer('replayStatus', [], { min: 2, max: 8, current: 5 });
  }
  deleteSeries(...args: unknown[]) {
    return this.#answer('deleteSeries', args, undefined);
  }
  cleanTombstones() {
    return this.#answer('cleanTombstones', [], undefined);
  }
  snapshot(...args: unknown[]) {
    return this.#answer('snapshot', args, '20261121T061134Z-5d0e2f3a4b5c6d7e');
  }

  async #answer<T>(method: string, args: readonly unknown[], value: T): Promise<T> {
    if (this.error !== undefined) throw this.error;
    this.asked.push([method, ...args]);
    return value;
  }
}

async function start(
  t: TestContext,
  tsdb?: TsdbService,
  adminApi = true,
  read?: ReadService['read'],
) {
  const metrics = new ProcessMetrics();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs: 30_000 });
  registerApi(server.app, {
    service: NO_QUERIES,
    dialect: prometheusDialect,
    disableCors: false,
    clock: new FakeClock(0),
    log: nopLogger,
    queryTimeoutMs: 1000,
    adminApi,
    ...(tsdb === undefined ? {} : { tsdb }),
    ...(read && { read: { service: { read }, log: nopLogger, metrics, maxConcurrent: 1 } }),
    status: {
      build: { version: '', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' },
      flags: {},
      startTimeMs: 0,
      workingDirectory: '/',
      storageRetention: '15d',
    },
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  return async (path: string, method = 'GET', body?: URLSearchParams) => {
    const got = await fetch(`${base}/api/v1/${path}`, { method, ...(body && { body }) });
    return { status: got.status, text: await got.text(), headers: got.headers };
  };
}

const ok = (data: string) => `{"status":"success","data":${data}}`;
const failed = (error: string, errorType = 'bad_data') =>
  JSON.stringify({ status: 'error', errorType, error });

test('metadata', async (t) => {
  const tsdb = new ToldTsdb();
  tsdb.families = [
    { family: 'up', type: 'gauge', help: 'Whether "it" is up.', unit: '' },
    { family: 'a', type: 'counter', help: 'one', unit: 'seconds' },
    { family: 'a', type: 'counter', help: 'other', unit: 'seconds' },
    { family: 'a', type: 'counter', help: 'one', unit: 'seconds' },
  ];
  const get = await start(t, tsdb);
  const up = '"up":[{"type":"gauge","unit":"","help":"Whether \\"it\\" is up."}]';
  const one = '{"type":"counter","unit":"seconds","help":"one"}';
  const other = '{"type":"counter","unit":"seconds","help":"other"}';
  const f = async (query: string, asked: string | undefined, want: string) => {
    const got = await get(`metadata${query}`);
    assert.deepEqual([got.status, got.text], [200, ok(want)]);
    assert.deepEqual(tsdb.asked.at(-1), ['metadata', asked]);
  };
  await f('', undefined, `{"a":[${one},${other}],${up}}`);
  await f('?metric=', undefined, `{"a":[${one},${other}],${up}}`);
  await f('?limit=1', undefined, `{"a":[${one},${other}]}`);
  await f('?limit=-1&limit_per_metric=1', undefined, `{"a":[${one}],${up}}`);
  await f('?limit=0&limit_per_metric=0', undefined, '{}');
  await f('?metric=a', 'a', `{"a":[${one},${other}],${up}}`);
  tsdb.families = [];
  await f('?metric=b', 'b', '{}');
  const bad = async (query: string, error: string) => {
    const got = await get(`metadata?${query}`);
    assert.deepEqual([got.status, got.text], [400, failed(error)]);
  };
  await bad('limit=x', 'limit must be a number');
  await bad('limit_per_metric=1.5', 'limit_per_metric must be a number');
});

test('exemplars', async (t) => {
  const tsdb = new ToldTsdb();
  const get = await start(t, tsdb);
  const f = async (query: string, asked: readonly unknown[], want: string) => {
    const got = await get(`query_exemplars?${query}`);
    assert.deepEqual([got.status, got.text], [200, ok(want)]);
    assert.deepEqual(tsdb.asked.at(-1), ['exemplars', ...asked]);
  };
  const up = { type: '=', name: '__name__', value: 'up' };
  await f('query=up', [[[up]], MIN_TIME, MAX_TIME], '[]');
  tsdb.found = [
    {
      seriesLabels: ['__name__', 'up', 'job', 'a'],
      exemplars: [
        { labels: ['trace_id', 'x"y'], value: 1, timestampMs: 1795241195435 },
        { labels: [], value: NaN, timestampMs: 1795241196000 },
      ],
    },
    { seriesLabels: [], exemplars: [{ labels: [], value: -Infinity, timestampMs: -1 }] },
  ];
  await f(
    `query=${encodeURIComponent('rate(up{job!~"b.*"}[5m]) / sum(max_over_time(x[1h:5m]))')}&start=1.5&end=2`,
    [
      [
        [{ type: '!~', name: 'job', value: 'b.*' }, up],
        [{ type: '=', name: '__name__', value: 'x' }],
      ],
      1500,
      2000,
    ],
    '[{"seriesLabels":{"__name__":"up","job":"a"},"exemplars":[{"labels":{"trace_id":"x\\"y"},"value":"1","timestamp":1795241195.435},{"labels":{},"value":"NaN","timestamp":1795241196}]},{"seriesLabels":{},"exemplars":[{"labels":{},"value":"-Inf","timestamp":-0.001}]}]',
  );
  const posted = await get('query_exemplars', 'POST', new URLSearchParams({ query: 'up' }));
  assert.equal(posted.status, 200);
  const asked = tsdb.asked.length;
  const none = await get('query_exemplars?query=1');
  assert.deepEqual([none.status, none.text], [204, '']);
  assert.equal(none.headers.get('access-control-allow-origin'), '*');
  const bad = async (query: string, error: string) => {
    const got = await get(`query_exemplars?${query}`);
    assert.deepEqual([got.status, got.text], [400, failed(error)]);
  };
  await bad('query=sum(', '1:5: parse error: unclosed left parenthesis');
  await bad('query=up&start=2&end=1', 'end timestamp must not be before start timestamp');
  await bad(
    'query=up&start=x',
    `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`,
  );
  assert.equal(tsdb.asked.length, asked);
});

test('status of the TSDB', async (t) => {
  const tsdb = new ToldTsdb();
  const get = await start(t, tsdb);
  const empty = `"seriesCountByMetricName":[],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}`;
  const none = await get('status/tsdb');
  assert.equal(
    none.text,
    ok(
      `{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},${empty}`,
    ),
  );
  assert.deepEqual(tsdb.asked, [['headStats', 10]]);
  tsdb.head = {
    ...tsdb.head,
    numSeries: 4389,
    minTime: 1795240415434,
    maxTime: 1795241494385,
    memoryInBytesByLabelName: [{ name: '__name__', value: 204594 }],
    seriesCountByLabelValuePair: [{ name: 'job="x"=thanos', value: 2248 }],
  };
  const some = await get('status/tsdb?limit=3');
  assert.deepEqual(tsdb.asked.at(-1), ['headStats', 3]);
  assert.deepEqual(JSON.parse(some.text), {
    status: 'success',
    data: {
      headStats: {
        numSeries: 4389,
        numLabelPairs: 0,
        chunkCount: 0,
        minTime: 1795240415434,
        maxTime: 1795241494385,
      },
      seriesCountByMetricName: [],
      labelValueCountByLabelName: [],
      memoryInBytesByLabelName: [{ name: '__name__', value: 204594 }],
      seriesCountByLabelValuePair: [{ name: 'job="x"=thanos', value: 2248 }],
    },
  });
  const bad = async (limit: string, error: string) => {
    const got = await get(`status/tsdb?limit=${limit}`);
    assert.deepEqual([got.status, got.text], [400, failed(error)]);
  };
  await bad('0', 'limit must be a positive number');
  await bad('x', 'limit must be a positive number');
  await bad('10001', 'limit must not exceed 10000');
  const blocks = await get('status/tsdb/blocks');
  assert.equal(blocks.text, ok('{"blocks":[{"ulid":"01M7YF2Z91","minTime":1,"maxTime":2}]}'));
  const replay = await get('status/walreplay');
  assert.equal(replay.text, ok('{"min":2,"max":8,"current":5}'));
});

test('admin endpoints', async (t) => {
  const tsdb = new ToldTsdb();
  const get = await start(t, tsdb);
  for (const method of ['POST', 'PUT']) {
    const f = async (path: string, status: number, text: string, asked: readonly unknown[]) => {
      const got = await get(`admin/tsdb/${path}`, method);
      assert.deepEqual([got.status, got.text], [status, text]);
      assert.deepEqual(tsdb.asked.at(-1), asked);
    };
    const up = [{ type: '=', name: '__name__', value: 'up' }];
    const all = ['deleteSeries', [up], MIN_TIME, MAX_TIME];
    await f('delete_series?match[]=up', 204, '', all);
    const two = [up, [{ type: '=~', name: 'a', value: '' }]];
    const path = `delete_series?match[]=up&match[]=${encodeURIComponent('{a=~""}')}&start=1&end=2.5`;
    await f(path, 204, '', ['deleteSeries', two, 1000, 2500]);
    await f('clean_tombstones', 204, '', ['cleanTombstones']);
    const name = ok('{"name":"20261121T061134Z-5d0e2f3a4b5c6d7e"}');
    await f('snapshot', 200, name, ['snapshot', false]);
    await f('snapshot?skip_head=true', 200, name, ['snapshot', true]);
    await f('snapshot?skip_head=0', 200, name, ['snapshot', false]);
  }
  const form = await get(
    'admin/tsdb/delete_series',
    'POST',
    new URLSearchParams([['match[]', 'x']]),
  );
  assert.equal(form.status, 204);
  const bad = async (path: string, error: string) => {
    const got = await get(`admin/tsdb/${path}`, 'POST');
    assert.deepEqual([got.status, got.text], [400, failed(error)]);
  };
  await bad('delete_series', 'no match[] parameter provided');
  const selector = await get('admin/tsdb/delete_series?match[]=up&match[]=x(', 'POST');
  assert.equal(selector.status, 400);
  assert.match(selector.text, /"error":"invalid parameter \\"match\[\]\\": 1:2: parse error: /);
  await bad(
    'delete_series?match[]=up&end=x',
    `invalid parameter "end": invalid time value for 'end': cannot parse "x" to a valid timestamp`,
  );
  await bad(
    'snapshot?skip_head=x',
    'invalid parameter "skip_head": unable to parse boolean: strconv.ParseBool: parsing "x": invalid syntax',
  );
  const method = await get('admin/tsdb/snapshot');
  assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST, PUT, OPTIONS']);
  tsdb.error = new CodedError('unavailable', 'the disk is full');
  const full = await get('admin/tsdb/snapshot', 'POST');
  assert.deepEqual([full.status, full.text], [503, failed('the disk is full', 'unavailable')]);
});

test('admin endpoints that are off', async (t) => {
  const tsdb = new ToldTsdb();
  const get = await start(t, tsdb, false);
  for (const path of ['delete_series', 'clean_tombstones', 'snapshot']) {
    const got = await get(`admin/tsdb/${path}`, 'POST');
    assert.deepEqual([got.status, got.text], [500, failed('admin APIs disabled', 'unavailable')]);
  }
  assert.deepEqual(tsdb.asked, []);
});

test('without a TSDB', async (t) => {
  const get = await start(t);
  const got = await get('status/tsdb?limit=3');
  assert.equal(got.status, 501);
  assert.equal(got.text, failed('/api/v1/status/tsdb is not implemented yet', 'not_implemented'));
});

test('remote read is part of the API', async (t) => {
  const bodies: string[] = [];
  const page = { contentType: 'x/y', contentEncoding: '', next: undefined };
  const get = await start(t, undefined, false, async (body) => {
    bodies.push(String(body));
    return { ...page, pieces: [Uint8Array.of(0x6f), Uint8Array.of(0x6b)] };
  });
  // A form is a body like any other here.
  const got = await get('read', 'POST', new URLSearchParams({ a: 'b' }));
  assert.deepEqual([got.status, got.text, got.headers.get('content-type')], [200, 'ok', 'x/y']);
  assert.deepEqual(bodies, ['a=b']);
  const method = await get('read');
  assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST, OPTIONS']);
  const without = await start(t);
  assert.equal((await without('read', 'POST')).status, 501);
});
