import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import test, { type TestContext } from 'node:test';
import { OtlpCollector } from '../../test/support/otlp-collector.ts';
import { nopLogger } from '../lib/log.ts';
import { sendPieces } from './http-body.ts';
import { HttpMetrics } from './http-metrics.ts';
import { HttpServer } from './http-server.ts';
import { ProcessMetrics } from './metrics.ts';
import { openTracing } from './tracing/open-tracing.ts';

async function start(t: TestContext, sampler: string) {
  const collector = await OtlpCollector.start();
  t.after(() => collector[Symbol.asyncDispose]());
  const text = `type: OTLP
config: {client_type: http, insecure: true, endpoint: "${collector.endpoint}", sampler_type: ${sampler}}`;
  const tracing = await openTracing({ name: 'f', text }, { log: nopLogger, env: {} });
  const { tracer } = tracing;
  const metrics = new ProcessMetrics();
  const httpMetrics = new HttpMetrics(metrics, '');
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs: 1, tracer });
  const { app } = server;
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  const work = async (): Promise<Record<string, string>> => {
    await new Promise(setImmediate);
    const span = tracer.startSpan('inside');
    const headers = tracer.within(span, () => tracer.headers());
    span.end();
    return headers;
  };
  app.get('/traced', { config: { handler: 'query' } }, async (request, reply) => {
    await sendPieces(request, reply, 200, 'text/plain', [
      Buffer.from(JSON.stringify(await work())),
    ]);
  });
  app.post('/body', { config: { handler: 'receive' } }, async () => {
    await work();
    return 'ok';
  });
  app.get('/fails', { config: { handler: 'fails' } }, () => {
    throw new Error('boom');
  });
  app.get('/hangs', { config: { handler: 'hangs' } }, () => new Promise(() => undefined));
  app.get('/plain', async () => JSON.stringify(await work()));
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  /** All spans that have ended. */
  const spans = async () => {
    await tracing.close();
    return collector.spans;
  };
  return { base, spans };
}

test('a request is a span, whose work is below it, also behind awaits and a body', async (t) => {
  const { base, spans } = await start(t, 'alwayssample');
  const answer = await fetch(`${base}/traced?query=up`, { headers: { 'x-request-id': 'r1' } });
  const callee = (await answer.json()) as Record<string, string>;
  const traceId = answer.headers.get('x-thanos-trace-id') ?? '';
  assert.match(traceId, /^[0-9a-f]{32}$/);
  assert.ok(callee['traceparent']?.startsWith(`00-${traceId}-`));
  await (await fetch(`${base}/body`, { method: 'POST', body: 'x'.repeat(100_000) })).text();
  const plain = await fetch(`${base}/plain`);
  assert.equal(plain.headers.get('x-thanos-trace-id'), null);
  await plain.text();
  await (await fetch(`${base}/fails`)).text();
  const all = await spans();
  const named = (name: string) => all.filter((span) => span.name === name);
  const [query] = named('/query HTTP[server]');
  assert.ok(query);
  assert.equal(query.traceId, traceId);
  assert.equal(query.kind, 2);
  assert.deepEqual(query.attributes, {
    'http.method': 'GET',
    'http.url': '/traced?query=up',
    'http.status_code': 200,
    request_id: 'r1',
  });
  const [receive] = named('/receive HTTP[server]');
  const parents = named('inside').map(({ parentId }) => parentId);
  assert.deepEqual(parents, [query.spanId, receive?.spanId, '']);
  const [fails] = named('/fails HTTP[server]');
  assert.equal(fails?.status, 2);
  assert.equal(fails?.attributes['http.status_code'], 500);
  assert.equal(query.status, 0);
});

test('what is not recorded has no id in its answer, unless the request asks for it', async (t) => {
  const { base, spans } = await start(t, 'neversample');
  const quiet = await fetch(`${base}/traced`);
  assert.equal(quiet.headers.get('x-thanos-trace-id'), null);
  await quiet.text();
  const forced = await fetch(`${base}/traced`, { headers: { 'X-Thanos-Force-Tracing': '1' } });
  await forced.text();
  const traceId = forced.headers.get('x-thanos-trace-id');
  const names = (await spans()).map((span) => `${span.name} ${span.traceId}`);
  assert.deepEqual(names, [`/query HTTP[server] ${traceId}`]);
});

test('a caller is followed, and a client that goes away ends its span', async (t) => {
  const { base, spans } = await start(t, 'parentbasedneversample');
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const request = httpRequest(`${base}/hangs`, { headers: { traceparent } });
  request.on('error', () => undefined);
  request.on('socket', (socket) =>
    socket.once('connect', () => setImmediate(() => request.destroy())),
  );
  request.end();
  await new Promise((resolve) => request.once('close', resolve));
  const answer = await fetch(`${base}/traced`, { headers: { traceparent } });
  assert.equal(answer.headers.get('x-thanos-trace-id'), '4bf92f3577b34da6a3ce929d0e0e4736');
  await answer.text();
  const all = await spans();
  const query = all.find(({ name }) => name === '/query HTTP[server]');
  assert.equal(query?.parentId, '00f067aa0ba902b7');
});
