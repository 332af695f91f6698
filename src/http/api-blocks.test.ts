import { deepEqual, equal } from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import { keepingLogger, type LogLine, thanosMeta } from '../../test/support/fetch-fixture.ts';
import { tinyMeta, tinyUlid } from '../../test/support/tiny-block.ts';
import { FakeClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { MemoryBucket } from '../objstore/memory.ts';
import { readObject } from '../objstore/read-object.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { Probe } from '../ops/probe.ts';
import { encodeBlockMeta } from '../tsdb/block/meta.ts';
import { registerBlocksApi } from './api-blocks.ts';
import { BlockViews } from './block-views.ts';
import { thanosDialect } from './dialect.ts';

const NOW = 1_795_241_494_165;

async function start(t: TestContext, disableAdminOperations = false) {
  const metrics = new ProcessMetrics();
  const probe = new Probe('store', nopLogger, metrics);
  probe.healthy();
  probe.ready();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const gracePeriodMs = 30_000;
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs, probe, metrics });
  const clock = new FakeClock(NOW);
  const views = new BlockViews('my "label"', clock);
  const bucket = new FaultyBucket(new MemoryBucket());
  const lines: LogLine[] = [];
  const build = {
    version: 'v',
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: 'n',
  };
  registerBlocksApi(server.app, {
    views,
    bucket,
    disableAdminOperations,
    disableCors: false,
    dialect: thanosDialect,
    clock,
    log: keepingLogger(lines),
    status: { build, flags: {}, startTimeMs: NOW, workingDirectory: '/', storageRetention: '' },
  });
  const base = `http://${await server.listen('127.0.0.1:0')}/api/v1`;
  t.after(() => server.close());
  return { base, views, bucket, lines, clock, metrics };
}

interface Shown {
  readonly status: string;
  readonly data: { label: string; blocks: object[]; refreshedAt: string; err: string | null };
}

async function show(base: string, query: string): Promise<Shown['data']> {
  const response = await fetch(`${base}/blocks${query}`);
  equal(response.status, 200);
  equal(response.headers.get('content-type'), 'application/json');
  const { status, data } = (await response.json()) as Shown;
  equal(status, 'success');
  return data;
}

test('blocks: two views, before and after they are set', async (t) => {
  const { base, views, clock } = await start(t);
  const empty = {
    label: 'my "label"',
    blocks: [],
    refreshedAt: '0001-01-01T00:00:00Z',
    err: null,
  };
  for (const query of ['', '?view=loaded', '?view=global'])
    deepEqual(await show(base, query), empty);
  const meta = thanosMeta({ ulid: tinyUlid(1), level: 2 }, { labels: { a: 'line\nfeed <&>' } });
  views.set('loaded', [meta]);
  const loaded = await show(base, '?view=loaded');
  deepEqual(loaded, {
    ...empty,
    blocks: [JSON.parse(encodeBlockMeta(meta))],
    refreshedAt: new Date(NOW).toISOString(),
  });
  // Anything else is the global view.
  for (const query of ['', '?view=global', '?view=LOADED', '?view=x&view=loaded']) {
    deepEqual(await show(base, query), empty);
  }
  // A block of a Prometheus has no Thanos part; Go shows what is in an empty one.
  views.set('global', [tinyMeta({ ulid: tinyUlid(2) })]);
  const [bare] = (await show(base, '')).blocks as { thanos: object }[];
  deepEqual(bare?.thanos, {
    labels: {},
    downsample: { resolution: 0 },
    source: '',
    index_stats: {},
    upload_time: '0001-01-01T00:00:00Z',
  });
  // After a failure the last view stays.
  clock.advance(1000);
  views.set('loaded', [], new CodedError('unavailable', 'BaseFetcher: iter bucket: "x"'));
  deepEqual(await show(base, '?view=loaded'), {
    ...loaded,
    refreshedAt: new Date(NOW + 1000).toISOString(),
    err: 'BaseFetcher: iter bucket: "x"',
  });
  views.set('loaded', []);
  deepEqual(await show(base, '?view=loaded'), {
    ...empty,
    refreshedAt: new Date(NOW + 1000).toISOString(),
  });
});

interface Outcome {
  readonly status: number;
  readonly body: string;
}

async function mark(
  base: string,
  params: Record<string, string>,
  inBody = false,
): Promise<Outcome> {
  const query = new URLSearchParams(params);
  const address = `${base}/blocks/mark`;
  const response = inBody
    ? await fetch(address, { method: 'POST', body: query })
    : await fetch(`${address}?${query.toString()}`, { method: 'POST' });
  return { status: response.status, body: await response.text() };
}

function refused(error: string): Outcome {
  return { status: 400, body: JSON.stringify({ status: 'error', errorType: 'bad_data', error }) };
}

test('blocks: marks', async (t) => {
  const { base, bucket, lines } = await start(t);
  const id = tinyUlid(1);
  const content = async (name: string) => Buffer.from(await readObject(bucket, name)).toString();
  const done = { status: 204, body: '' };
  deepEqual(await mark(base, { id, action: 'DELETION', detail: 'why' }), done);
  const seconds = Math.floor(NOW / 1000);
  equal(
    await content(`${id}/deletion-mark.json`),
    `{"id":"${id}","version":1,"details":"why","deletion_time":${seconds}}`,
  );
  deepEqual(await mark(base, { id: id.toLowerCase(), action: 'NO_COMPACTION' }, true), done);
  equal(
    await content(`${id}/no-compact-mark.json`),
    `{"id":"${id}","version":1,"no_compact_time":${seconds},"reason":"manual"}`,
  );
  // Marked already: nothing changes, and all is well.
  deepEqual(await mark(base, { id, action: 'DELETION', detail: 'other' }), done);
  equal((await content(`${id}/deletion-mark.json`)).includes('why'), true);
  deepEqual(
    lines.map(({ level, msg, fields }) => [level, msg, fields['block'] ?? fields['err']]),
    [
      ['info', 'block has been marked for deletion', id],
      ['info', 'block has been marked for no compaction', id],
      [
        'warn',
        'requested to mark for deletion, but file already exists; this should not happen; investigate',
        `file ${id}/deletion-mark.json already exists in bucket`,
      ],
    ],
  );
});

test('blocks: marks that are refused, with the texts of pkg/api/blocks/v1.go', async (t) => {
  const { base, bucket } = await start(t);
  const id = tinyUlid(1);
  const f = async (params: Record<string, string>, text: string): Promise<void> => {
    deepEqual(await mark(base, params), refused(text));
  };
  await f({}, 'ID cannot be empty');
  await f({ action: 'DELETION' }, 'ID cannot be empty');
  await f({ id }, 'Action cannot be empty');
  await f(
    { id: 'x"', action: 'x' },
    'ULID "x\\"" is not valid: ulid: bad data size when unmarshaling',
  );
  const over = `8${id.slice(1)}`;
  await f(
    { id: over, action: 'x' },
    `ULID "${over}" is not valid: ulid: overflow when unmarshaling`,
  );
  const bad = `${id.slice(0, 25)}U`;
  await f(
    { id: bad, action: 'x' },
    `ULID "${bad}" is not valid: ulid: bad data characters when unmarshaling`,
  );
  await f({ id, action: 'deletion' }, 'not supported marker deletion');
  bucket.plan = ({ operation }) => (operation === 'upload' ? { kind: 'fail' } : undefined);
  await f(
    { id, action: 'DELETION' },
    `upload file ${id}/deletion-mark.json to bucket: injected fault`,
  );
  bucket.plan = () => ({ kind: 'fail' });
  await f(
    { id, action: 'NO_COMPACTION' },
    `check exists ${id}/no-compact-mark.json in bucket: injected fault`,
  );
  equal(bucket.names('upload').length, 1);
  deepEqual((await fetch(`${base}/blocks/mark?id=${id}`)).status, 405);
  deepEqual((await fetch(`${base}/blocks`, { method: 'POST' })).status, 405);
});

test('blocks: admin operations may be disabled', async (t) => {
  const { base, bucket } = await start(t, true);
  const outcome = await mark(base, { id: tinyUlid(1), action: 'DELETION' });
  deepEqual(outcome, refused('Admin operations are disabled'));
  deepEqual(bucket.calls, []);
});

test('blocks: the base API is there, and handlers are counted by name', async (t) => {
  const { base, metrics } = await start(t);
  for (const path of ['buildinfo', 'runtimeinfo', 'flags']) {
    equal((await fetch(`${base}/status/${path}`)).status, 200, path);
  }
  const options = await fetch(`${base}/blocks`, { method: 'OPTIONS' });
  deepEqual([options.status, options.headers.get('access-control-allow-origin')], [204, '*']);
  equal((await fetch(`${base}/query?query=1`)).status, 404);
  await show(base, '');
  await mark(base, {});
  const handlers = (await metrics.snapshot())
    .filter(({ name }) => name === 'http_requests_total')
    .map(({ labels }) => Object.fromEntries(labels)['handler']);
  for (const handler of ['blocks', 'blocks_mark']) equal(handlers.includes(handler), true, handler);
});
