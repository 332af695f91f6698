import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { acceptsGzip, clientSignal, sendPieces } from './http-body.ts';
import { parseListenAddress } from './http-address.ts';
import { HttpMetrics } from './http-metrics.ts';
import { HttpServer } from './http-server.ts';
import { ProcessMetrics } from './metrics.ts';
import { Probe } from './probe.ts';
import { requestId } from './request-id.ts';

/** A server with probes and metrics; `routes` adds to it before it listens on a free port. */
async function start(t: TestContext, routes: (server: HttpServer) => void = () => undefined) {
  const metrics = new ProcessMetrics();
  const probe = new Probe('all', nopLogger, metrics);
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics,
    gracePeriodMs: 30_000,
    probe,
    metrics,
  });
  routes(server);
  const address = await server.listen('127.0.0.1:0');
  t.after(() => server.close());
  return { server, metrics, probe, address, base: `http://${address}` };
}

test('listen addresses', () => {
  const f = (text: string, host: string | undefined, port: number) =>
    assert.deepEqual(parseListenAddress(text), { host, port });
  f('127.0.0.1:10902', '127.0.0.1', 10902);
  f(':80', undefined, 80);
  f('localhost:0', 'localhost', 0);
  f('[::1]:9', '::1', 9);
  const bad = (text: string) =>
    assert.throws(() => parseListenAddress(text), /not a listen address/);
  bad('');
  bad('127.0.0.1');
  bad('host:port');
  bad('host:99999');
  bad('::1:9');
});

test('an address in use is one clear sentence', async (t) => {
  const { address } = await start(t);
  const metrics = new ProcessMetrics();
  const other = new HttpServer({
    log: nopLogger,
    httpMetrics: new HttpMetrics(metrics, ''),
    gracePeriodMs: 0,
  });
  await assert.rejects(other.listen(address), (thrown: unknown) => {
    assert.ok(thrown instanceof CodedError);
    assert.equal(
      thrown.message,
      `listen on ${address}: the address is already in use by another process`,
    );
    return true;
  });
  await other.close();
});

test('probes, as the golden answers of ready and healthy', async (t) => {
  const { base, probe } = await start(t);
  const f = async (path: string, status: number, body: string) => {
    const got = await fetch(base + path);
    assert.equal(got.status, status);
    assert.equal(got.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(await got.text(), body);
  };
  await f('/-/healthy', 503, 'NOT OK\n');
  await f('/-/ready', 503, 'NOT OK\n');
  probe.healthy();
  await f('/-/healthy', 200, 'OK');
  await f('/-/ready', 503, 'NOT OK\n');
  probe.ready();
  await f('/-/ready', 200, 'OK');
});

test('what is not there or not HTTP', async (t) => {
  const { base, address } = await start(t);
  const got = await fetch(`${base}/nope`, { method: 'POST', body: 'x' });
  assert.equal(got.status, 404);
  assert.equal(got.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(await got.text(), '404 page not found\n');
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host as string);
  socket.write('nonsense\r\n\r\n');
  assert.match(
    await readText(socket),
    /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\n400 Bad Request$/,
  );
});

test('handlers that throw answer 500 without the reason', async (t) => {
  const { base } = await start(t, ({ app }) => {
    app.get('/boom', () => {
      throw new Error('secret detail');
    });
  });
  const got = await fetch(`${base}/boom`);
  assert.equal(got.status, 500);
  assert.equal(await got.text(), 'Internal Server Error\n');
});

test('metrics in both formats, and requests counted by handler', async (t) => {
  const { base } = await start(t, ({ app }) => {
    app.get('/api/v1/query', { config: { handler: 'query' } }, (_, reply) => reply.send('12345'));
  });
  await (await fetch(`${base}/api/v1/query`)).text();
  const plain = await fetch(`${base}/metrics`);
  assert.match(plain.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await plain.text();
  const labels = 'code="200",handler="query",method="get",tenant="default-tenant"';
  assert.ok(text.includes(`http_requests_total{${labels}} 1\n`));
  assert.ok(text.includes(`http_request_duration_seconds_count{${labels}} 1\n`));
  assert.ok(text.includes(`http_response_size_bytes_sum{${labels}} 5\n`));
  assert.ok(
    text.includes(
      'http_inflight_requests{handler="query",method="get",tenant="default-tenant"} 0\n',
    ),
  );
  assert.ok(!text.includes('handler="/metrics"'));
  const open = await fetch(`${base}/metrics`, {
    headers: { accept: 'application/openmetrics-text;version=1.0.0' },
  });
  assert.match(
    open.headers.get('content-type') ?? '',
    /^application\/openmetrics-text; version=1\.0\.0/,
  );
  assert.match(await open.text(), /# EOF\n$/);
});

/** A GET without a client that decompresses behind our back. */
function rawGet(url: string, headers: Record<string, string>) {
  return new Promise<{ response: IncomingMessage; body: Buffer }>((resolve, reject) => {
    httpRequest(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ response, body: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });
}

test('bodies in pieces, compressed where it pays', async (t) => {
  const big = Array.from({ length: 9 }, (_, i) => Buffer.alloc(20_000, 48 + i));
  const { base, metrics } = await start(t, ({ app }) => {
    const config = { handler: 'pieces' };
    app.get('/big', { config }, (rq, re) =>
      sendPieces(rq, re.header('x-own', '1'), 200, 'a/b', big),
    );
    app.get('/small', (rq, re) =>
      sendPieces(rq, re, 201, 'a/b', [Buffer.from('ab'), Buffer.from('c')]),
    );
  });
  const plain = await rawGet(`${base}/big`, {});
  assert.equal(plain.response.headers['content-length'], '180000');
  assert.equal(plain.response.headers['x-own'], '1');
  assert.equal(plain.response.headers.vary, 'Accept-Encoding');
  assert.deepEqual(plain.body, Buffer.concat(big));
  const packed = await rawGet(`${base}/big`, { 'accept-encoding': 'br, gzip;q=0.5' });
  assert.equal(packed.response.headers['content-encoding'], 'gzip');
  assert.equal(packed.response.headers['content-type'], 'a/b');
  assert.deepEqual(gunzipSync(packed.body), Buffer.concat(big));
  const small = await rawGet(`${base}/small`, { 'accept-encoding': 'gzip' });
  assert.equal(small.response.statusCode, 201);
  assert.equal(small.response.headers['content-encoding'], undefined);
  assert.equal(small.body.toString(), 'abc');
  const sizes = (await metrics.snapshot()).find((s) => s.name === 'http_response_size_bytes_sum');
  assert.equal(sizes?.value, 180_000 + packed.body.length);
});

test('Accept-Encoding', () => {
  const f = (header: string | undefined, want: boolean) => assert.equal(acceptsGzip(header), want);
  f(undefined, false);
  f('', false);
  f('gzip', true);
  f('deflate, GZIP', true);
  f('gzip;q=0', false);
  f('gzip;q=0.1', true);
  f('x-gzip', false);
});

test('request ids are kept or made once', async (t) => {
  const { base } = await start(t, ({ app }) => {
    app.get('/id', (rq) => `${requestId(rq)} ${requestId(rq)}`);
  });
  const given = await fetch(`${base}/id`, { headers: { 'X-Request-ID': 'abc' } });
  assert.equal(await given.text(), 'abc abc');
  const [first, second] = (await (await fetch(`${base}/id`)).text()).split(' ');
  assert.match(first ?? '', /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.equal(first, second);
});

test('a client that goes away aborts its request', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const { base, metrics } = await start(t, ({ app }) => {
    app.get('/slow', { config: { handler: 'slow' } }, async (_, reply) => {
      const signal = clientSignal(reply);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted.resolve();
      return 'never seen';
    });
  });
  const request = httpRequest(`${base}/slow`);
  request.on('error', () => undefined);
  request.on('socket', (socket) =>
    socket.once('connect', () => setImmediate(() => request.destroy())),
  );
  request.end();
  await aborted.promise;
  const count = async (name: string) =>
    (await metrics.snapshot())
      .filter((s) => s.name === name)
      .map((s) => [s.labels[0]?.[1], s.value]);
  while ((await count('http_requests_total')).length === 0) await new Promise(setImmediate);
  assert.deepEqual(await count('http_requests_total'), [['499', 1]]);
  assert.deepEqual(await count('http_inflight_requests'), [['slow', 0]]);
});

test('shutdown finishes the request at hand and then closes its connection', async (t) => {
  const inside = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const { server, base } = await start(t, ({ app }) => {
    app.get('/slow', async () => {
      inside.resolve();
      await release.promise;
      return 'done';
    });
  });
  const answer = fetch(`${base}/slow`);
  await inside.promise;
  const closed = server.close();
  release.resolve();
  assert.equal(await (await answer).text(), 'done');
  await closed;
  await assert.rejects(fetch(`${base}/slow`));
});

test('shutdown cuts off what outlives the grace period', async (t) => {
  const metrics = new ProcessMetrics();
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics: new HttpMetrics(metrics, ''),
    gracePeriodMs: 1,
  });
  const inside = Promise.withResolvers<void>();
  const forever = Promise.withResolvers<string>();
  t.after(() => forever.resolve(''));
  server.app.get('/slow', () => {
    inside.resolve();
    return forever.promise;
  });
  const address = await server.listen('127.0.0.1:0');
  const answer = assert.rejects(fetch(`http://${address}/slow`));
  await inside.promise;
  await server.close();
  await answer;
});
