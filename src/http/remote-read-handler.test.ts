import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { compressSync } from 'snappy';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { EMPTY_LABELS, Labels } from '../model/labels.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { registerRemoteRead } from './remote-read-handler.ts';
import type { ReadService } from './remote-read-handler.ts';
import { FIRST_PAGE, readPage } from './remote-read.ts';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import { contentsOf, field, fieldsOf } from '../../test/support/protobuf.ts';

/** A query for a name or job, answered in chunks or samples. */
const request = (name: string, value: string, responseType: number) => {
  const matcher = field(3, field(2, name), field(3, value));
  const query = field(1, field(2, 9000), matcher);
  return Uint8Array.from(compressSync(Buffer.concat([query, field(2, responseType)])));
};

async function start(t: TestContext, read: ReadService['read'], maxConcurrent = 10) {
  const metrics = new ProcessMetrics();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs: 30_000 });
  server.app.register(
    (scope, _options, done) => {
      registerRemoteRead(scope, { service: { read }, log: nopLogger, metrics, maxConcurrent });
      done();
    },
    { prefix: '/api/v1' },
  );
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  const post = (body: Uint8Array<ArrayBuffer>, type = 'application/x-protobuf') =>
    fetch(`${base}/api/v1/read`, { method: 'POST', body, headers: { 'content-type': type } });
  return { post, metrics };
}

test('the endpoint', async (t) => {
  const storage = new MemoryStorage();
  for (const job of ['a', 'b', 'c']) {
    const labels = Labels.fromObject({ __name__: 'up', job });
    storage.append(labels, Float64Array.of(1000), Float64Array.of(1));
  }
  const { post, metrics } = await start(t, (body, cursor, signal) =>
    readPage(storage, body, structuredClone(cursor), {
      externalLabels: EMPTY_LABELS,
      sampleLimit: 2,
      frameBytesMax: 1 << 20,
      pageBytesMax: 1,
      signal,
      onWarning: (text) => assert.fail(text),
    }),
  );
  const chunks = await post(request('__name__', 'up', 1));
  assert.equal(chunks.status, 200);
  assert.equal(
    chunks.headers.get('content-type'),
    'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse',
  );
  // Three pages of a frame each, all alike: a length of one byte, a checksum, a message with one series.
  const stream = Buffer.from(await chunks.arrayBuffer());
  assert.equal(stream.length, 3 * (5 + (stream[0] as number)));
  const message = fieldsOf(stream.subarray(5, stream.length / 3));
  const [name, job] = contentsOf(fieldsOf(contentsOf(message, 1)[0] as Buffer), 1);
  assert.deepEqual(contentsOf(fieldsOf(name as Buffer), 2).join(), 'up');
  assert.deepEqual(contentsOf(fieldsOf(job as Buffer), 2).join(), 'a');
  const samples = await post(request('job', 'a', 0), '');
  assert.equal(samples.status, 200);
  assert.equal(samples.headers.get('content-type'), 'application/x-protobuf');
  assert.equal(samples.headers.get('content-encoding'), 'snappy');
  await samples.arrayBuffer();
  const f = async (body: Uint8Array<ArrayBuffer>, status: number, text: string) => {
    const got = await post(body);
    assert.deepEqual([got.status, await got.text()], [status, `${text}\n`]);
    assert.equal(got.headers.get('content-type'), 'text/plain; charset=utf-8');
  };
  await f(request('__name__', 'up', 0), 400, 'exceeded sample limit (2)');
  await f(new Uint8Array(0), 400, 'snappy: corrupt input');
  const shown = (await metrics.snapshot()).find(
    ({ name: metric }) => metric === 'prometheus_remote_read_handler_queries',
  );
  assert.equal(shown?.value, 0);
});

test('failures before and behind the first page', async (t) => {
  let error: Error = new CodedError('unavailable', 'not ready yet');
  const page = {
    contentType: 'x',
    contentEncoding: '',
    pieces: [Uint8Array.of(1)],
    next: { query: 1, after: undefined },
  };
  const { post } = await start(t, (_body, cursor) =>
    cursor === FIRST_PAGE && error.message === 'later'
      ? Promise.resolve(page)
      : Promise.reject(error),
  );
  const f = async (status: number, text: string) => {
    const got = await post(new Uint8Array(1));
    assert.deepEqual([got.status, await got.text()], [status, text]);
  };
  await f(503, 'not ready yet\n');
  error = new Error('detail');
  await f(500, 'detail\n');
  error = new Error('later');
  await assert.rejects(async () => {
    const broken = await post(new Uint8Array(1));
    assert.equal(broken.status, 200);
    await broken.arrayBuffer();
  }, TypeError);
  const large = await post(new Uint8Array(33_554_433)).catch(() => undefined);
  // The connection may end before the client has sent it all.
  if (large !== undefined) assert.equal(large.status, 413);
});

test('requests beyond the limit wait', async (t) => {
  const releases: (() => void)[] = [];
  const entered = Promise.withResolvers<void>();
  const page = { contentType: 'x', contentEncoding: '', pieces: [], next: undefined };
  const { post, metrics } = await start(
    t,
    () =>
      new Promise((resolve) => {
        releases.push(() => resolve(page));
        entered.resolve();
      }),
    1,
  );
  const queries = async () =>
    (await metrics.snapshot()).find((s) => s.name === 'prometheus_remote_read_handler_queries')
      ?.value;
  const answers = [post(new Uint8Array(1)), post(new Uint8Array(1))];
  await entered.promise;
  while ((await queries()) !== 2) await new Promise(setImmediate);
  assert.equal(releases.length, 1);
  releases[0]?.();
  while (releases.length < 2) await new Promise(setImmediate);
  releases[1]?.();
  for (const answer of answers) assert.equal((await answer).status, 200);
});
