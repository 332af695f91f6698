import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer as readBytes } from 'node:stream/consumers';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { CertificateAuthority } from '../../../test/support/certificates.ts';
import { OtlpCollector, decodeSpans } from '../../../test/support/otlp-collector.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeClock } from '../../lib/clock.ts';
import { type LogValue, type Logger, nopLogger } from '../../lib/log.ts';
import { FORCE_TRACING, type Tracer, nopTracer } from '../../lib/tracing.ts';
import { GrpcServerMetrics } from '../grpc/metrics.ts';
import { GrpcServer } from '../grpc/server.ts';
import { GrpcError } from '../grpc/status.ts';
import { ProcessMetrics } from '../metrics.ts';
import { ServerTls } from '../tls-files.ts';
import { type TracingOptions, openTracing } from './open-tracing.ts';

function recordingLog() {
  const lines: string[] = [];
  const line =
    (level: string) =>
    (msg: string, fields: Record<string, LogValue> = {}) =>
      void lines.push(`${level} ${msg} ${JSON.stringify(fields)}`);
  const log: Logger = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: () => log,
  };
  return { log, lines };
}

async function start(t: TestContext, text: string, more: Partial<TracingOptions> = {}) {
  const options = { log: nopLogger, env: {}, ...more };
  const tracing = await openTracing({ name: 'tracing.yml', text }, options);
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= tracing.close());
  t.after(close);
  return { tracer: tracing.tracer, close };
}

const otlp = (endpoint: string, more = '') =>
  `type: otlp\nconfig:\n  client_type: http\n  insecure: true\n  endpoint: ${endpoint}\n${more}`;

const nobody = (): string | undefined => undefined;

test('without a configuration there is a tracer that does nothing', async () => {
  const tracing = await openTracing(undefined, { log: nopLogger, env: {} });
  const { tracer } = tracing;
  assert.equal(tracer, nopTracer);
  const span = tracer.startServerSpan('x', nobody);
  assert.equal(span.traceId, undefined);
  assert.equal(
    tracer.within(span, () => 3),
    3,
  );
  assert.deepEqual(tracer.headers(), {});
  span.end();
  await tracing.close();
});

test('spans arrive at a collector, with parents, attributes and the resource', async (t) => {
  await using collector = await OtlpCollector.start();
  const { tracer, close } = await start(
    t,
    otlp(
      collector.endpoint,
      `  service_name: thanos-store
  resource_attributes: {zone: a, deployment.environment: test}
  headers: {X-Token: secret}
  compression: gzip
`,
    ),
    { env: { OTEL_RESOURCE_ATTRIBUTES: 'zone=b,host.name=h%201', OTEL_SERVICE_NAME: 'other' } },
  );
  const outer = tracer.startServerSpan('outer', nobody, { 'http.method': 'GET' });
  await tracer.within(outer, async () => {
    await new Promise(setImmediate);
    const inner = tracer.startSpan('inner', { n: 7, half: 0.5, yes: true });
    inner.end(new Error('went wrong'));
    inner.end();
  });
  const apart = tracer.startSpan('apart');
  outer.set({ 'http.status_code': 200 });
  outer.end();
  apart.end();
  await close();
  const [request] = collector.requests;
  assert.equal(request?.path, '/v1/traces');
  assert.equal(request?.headers['content-type'], 'application/x-protobuf');
  assert.equal(request?.headers['x-token'], 'secret');
  const [inner, root, other] = ['inner', 'outer', 'apart'].map((name) =>
    collector.spans.find((span) => span.name === name),
  );
  assert.equal(collector.spans.length, 3);
  assert.ok(inner && root && other);
  assert.equal(root.parentId, '');
  assert.equal(root.kind, 2);
  assert.equal(root.traceId, outer.traceId);
  assert.deepEqual(root.attributes, { 'http.method': 'GET', 'http.status_code': 200 });
  assert.ok(root.endNs >= root.startNs);
  assert.equal(inner.parentId, root.spanId);
  assert.equal(inner.traceId, root.traceId);
  assert.equal(inner.kind, 1);
  assert.equal(inner.status, 2);
  assert.deepEqual(inner.events, ['error']);
  assert.deepEqual(inner.attributes, { n: 7, half: 0.5, yes: true });
  assert.notEqual(other.traceId, root.traceId);
  assert.deepEqual(root.resource, {
    zone: 'a',
    'host.name': 'h 1',
    'deployment.environment': 'test',
    'service.name': 'thanos-store',
  });
});

test('the context comes from callers and goes to callees as W3C traceparent', async (t) => {
  await using collector = await OtlpCollector.start();
  const { tracer, close } = await start(t, otlp(collector.endpoint));
  // From the example of the W3C recommendation.
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers: Record<string, string> = {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    tracestate: 'congo=t61rcWkgMzE',
  };
  const span = tracer.startServerSpan('served', (name) => headers[name]);
  assert.equal(span.traceId, traceId);
  const sent = tracer.within(span, () => tracer.headers());
  assert.match(
    sent['traceparent'] ?? '',
    new RegExp(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/),
  );
  assert.equal(sent['tracestate'], 'congo=t61rcWkgMzE');
  assert.ok(!sent['traceparent']?.includes('00f067aa0ba902b7'));
  span.end();
  // A caller that does not record is followed, garbage is overlooked.
  const quiet = tracer.startServerSpan('quiet', () => `00-${traceId}-00f067aa0ba902b7-00`);
  assert.equal(quiet.traceId, undefined);
  quiet.end();
  const fresh = tracer.startServerSpan('fresh', () => 'garbage');
  assert.ok(fresh.traceId !== undefined && fresh.traceId !== traceId);
  fresh.end();
  await close();
  assert.deepEqual(
    collector.spans.map(({ name }) => name),
    ['served', 'fresh'],
  );
  assert.equal(collector.spans.find(({ name }) => name === 'served')?.parentId, '00f067aa0ba902b7');
});

/** How many of 200 root spans are recorded. */
function recorded(tracer: Tracer, attributes = {}): number {
  return Array.from({ length: 200 }, () => tracer.startServerSpan('x', nobody, attributes)).filter(
    ({ traceId }) => traceId !== undefined,
  ).length;
}

test('samplers, and the way around them', async (t) => {
  const f = async (sampler: string, want: (n: number) => boolean, headers = nobody) => {
    const { tracer } = await start(t, otlp('127.0.0.1:1', sampler));
    const n = recorded(tracer);
    assert.ok(want(n), `${sampler}: ${n}`);
    const forced = tracer.startServerSpan('x', headers, { [FORCE_TRACING]: 'true' });
    assert.ok(forced.traceId !== undefined, sampler);
    return tracer;
  };
  const all = (n: number) => n === 200;
  const none = (n: number) => n === 0;
  // The chance that a fair sampler fails this is below 1e-20.
  const half = (n: number) => n > 30 && n < 170;
  await f('', all);
  await f('  sampler_type: unknown\n', all);
  await f('  sampler_type: AlwaysSample\n', all);
  await f('  sampler_type: neversample\n', none);
  await f('  sampler_type: traceidratiobased\n  sampler_param: "0.5"\n', half);
  await f('  sampler_type: traceidratiobased\n  sampler_param: 0\n', none);
  await f('  sampler_type: traceidratiobased\n  sampler_param: lots\n', all);
  const child = await f('  sampler_type: parentbasedneversample\n', none);
  const parent = () => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  assert.ok(child.startServerSpan('x', parent).traceId !== undefined);
  const always = await f('  sampler_type: neversample\n', none);
  assert.equal(always.startServerSpan('x', parent).traceId, undefined);
});

test('a collector that is down costs a line in the log now and then, and no request', async (t) => {
  const gone = createTcp();
  gone.listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  const clock = new FakeClock(0);
  const { log, lines } = recordingLog();
  const options = { log, clock, env: { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1' } };
  const { tracer, close } = await start(t, otlp(`127.0.0.1:${port}`), options);
  const warnings = () => lines.filter((line) => line.startsWith('warn'));
  tracer.startSpan('a').end();
  while (warnings().length === 0) await new Promise(setImmediate);
  assert.match(warnings()[0] ?? '', /^warn spans were dropped {"spans":1,"err":".*ECONNREFUSED/);
  for (let i = 0; i < 5; i++) tracer.startSpan('b').end();
  await close();
  assert.equal(warnings().length, 2);
  assert.match(warnings()[1] ?? '', /"spans":5,"err":"the process stops"/);
});

test('what does not fit the queue is dropped and counted', async (t) => {
  await using collector = await OtlpCollector.start();
  const held = Promise.withResolvers<() => void>();
  collector.answers.push((response) => held.resolve(() => response.end()));
  const { log, lines } = recordingLog();
  const env = { OTEL_BSP_MAX_QUEUE_SIZE: '4', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2' };
  const { tracer, close } = await start(t, otlp(collector.endpoint), { log, env });
  tracer.startSpan('a').end();
  tracer.startSpan('a').end();
  const release = await held.promise;
  for (let i = 0; i < 10; i++) tracer.startSpan(`b${i}`).end();
  release();
  await close();
  assert.deepEqual(
    collector.spans.map(({ name }) => name),
    ['b0', 'b1', 'b2', 'b3'],
  );
  const dropped = lines.filter((line) => line.includes('spans were dropped'));
  assert.match(dropped[0] ?? '', /{"spans":1,"err":"the queue is full"}/);
  assert.match(dropped[1] ?? '', /{"spans":5,/);
});

test('a busy collector is asked again, a refusing one is not', async (t) => {
  await using collector = await OtlpCollector.start();
  const { log, lines } = recordingLog();
  const retry =
    '  retry_config: {retry_enabled: true, retry_initial_interval: 1ms, retry_max_interval: 2ms}\n';
  const { tracer, close } = await start(t, otlp(collector.endpoint, retry), {
    log,
    env: { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1' },
  });
  const status = (code: number, headers = {}) =>
    collector.answers.push((response) => response.writeHead(code, headers).end('because'));
  status(503);
  status(429, { 'retry-after': '0' });
  tracer.startSpan('first').end();
  await collector.received(3);
  status(400);
  tracer.startSpan('second').end();
  await collector.received(4);
  tracer.startSpan('third').end();
  await close();
  assert.deepEqual(
    collector.spans.map(({ name }) => name),
    ['first', 'third'],
  );
  assert.ok(lines.some((line) => line.includes('the collector answered 400: because')));
});

test('a collector that takes a part says so', async (t) => {
  await using collector = await OtlpCollector.start();
  // ExportTraceServiceResponse{partial_success{rejected_spans: 3, error_message: "full"}}
  const body = Buffer.from([0x0a, 0x08, 0x08, 0x03, 0x12, 0x04, ...Buffer.from('full')]);
  collector.answers.push((response) => response.end(body));
  const { log, lines } = recordingLog();
  const { tracer, close } = await start(t, otlp(collector.endpoint), { log });
  tracer.startSpan('a').end();
  await close();
  assert.ok(lines.includes('warn the collector did not take all spans {"spans":3,"err":"full"}'));
});

test('a collector that never answers ends with its timeout', async (t) => {
  await using collector = await OtlpCollector.start();
  collector.answers.push(() => undefined);
  const { log, lines } = recordingLog();
  const { tracer, close } = await start(t, otlp(collector.endpoint, '  timeout: 20ms\n'), { log });
  tracer.startSpan('a').end();
  await close();
  assert.ok(lines.some((line) => /no answer from 127\.0\.0\.1:\d+ in 20 ms/.test(line)));
});

test('TLS to the collector, and the environment', async (t) => {
  using directory = temporaryDirectory();
  const ca = new CertificateAuthority('collectors');
  const server = ca.issue({ commonName: 'collector', names: ['127.0.0.1'] });
  const caFile = join(directory.path, 'ca.crt');
  writeFileSync(caFile, ca.cert);
  await using collector = await OtlpCollector.start(server);
  const { log, lines } = recordingLog();
  const config = 'type: OTLP\nconfig:\n  client_type: http\n';
  const one = await start(
    t,
    `${config}  endpoint: ${collector.endpoint}\n  tls_config: {ca_file: ${caFile}}\n`,
  );
  one.tracer.startSpan('by configuration').end();
  await one.close();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://${collector.endpoint}/base`,
    OTEL_EXPORTER_OTLP_CERTIFICATE: caFile,
    OTEL_EXPORTER_OTLP_HEADERS: 'a=b%20c,d=e',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  };
  const two = await start(t, config, { env });
  two.tracer.startSpan('by environment').end();
  await two.close();
  const three = await start(t, `${config}  endpoint: ${collector.endpoint}\n`, { log });
  three.tracer.startSpan('by nobody we trust').end();
  await three.close();
  assert.deepEqual(
    collector.spans.map(({ name }) => name),
    ['by configuration', 'by environment'],
  );
  const [, second] = collector.requests;
  assert.equal(second?.path, '/base/v1/traces');
  assert.equal(second?.headers['a'], 'b c');
  assert.equal(second?.headers['content-encoding'], 'gzip');
  assert.ok(lines.some((line) => line.includes('spans were dropped')));
});

test('client_type grpc, with and without TLS', async (t) => {
  using directory = temporaryDirectory();
  const ca = new CertificateAuthority('collectors');
  const pair = ca.issue({ commonName: 'collector', names: ['127.0.0.1'] });
  for (const [name, text] of Object.entries({ ca: ca.cert, crt: pair.cert, key: pair.key })) {
    writeFileSync(join(directory.path, name), text);
  }
  const at = (name: string) => join(directory.path, name);
  for (const secure of [false, true]) {
    const tls = secure
      ? await ServerTls.open({ certFile: at('crt'), keyFile: at('key') }, nopLogger)
      : undefined;
    const metrics = new GrpcServerMetrics(new ProcessMetrics());
    const server = new GrpcServer({ log: nopLogger, metrics, tls });
    const spans: string[] = [];
    let calls = 0;
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    server.add(path, 'unary', async (call, request) => {
      assert.equal(call.metadata.get('x-token'), 'secret');
      if (++calls === 1) throw new GrpcError('Unavailable', 'busy');
      if (calls === 3) throw new GrpcError('InvalidArgument', 'no');
      spans.push(...decodeSpans(request).map(({ name }) => name));
      return new Uint8Array();
    });
    const address = await server.listen('127.0.0.1:0');
    t.after(() => server.close());
    const { log, lines } = recordingLog();
    const text = `type: OTLP
config:
  client_type: grpc
  compression: gzip
  endpoint: ${address}
  headers: {X-Token: secret}
  retry_config: {retry_enabled: true, retry_initial_interval: 1ms}
  ${secure ? `tls_config: {ca_file: ${at('ca')}}` : 'insecure: true'}
`;
    const env = { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1' };
    const { tracer, close } = await start(t, text, { log, env });
    for (const name of ['a', 'b', 'c']) tracer.startSpan(name).end();
    await close();
    assert.deepEqual(spans, ['a', 'c']);
    assert.ok(lines.some((line) => line.includes('code = InvalidArgument desc = no')));
  }
});

test('what is wrong in a configuration is said with file, line and field', async () => {
  const bad = (text: string, want: RegExp) =>
    assert.rejects(openTracing({ name: 'f.yml', text }, { log: nopLogger, env: {} }), want);
  await bad(
    'type: ZIPKIN',
    /f\.yml:1: type: tracing with type ZIPKIN is not supported, expected OTLP or JAEGER/,
  );
  await bad('config: {}', /tracing with type {2}is not supported/);
  await bad('type: LIGHTSTEP', /LIGHTSTEP is not implemented yet/);
  await bad('type: elastic_apm', /ELASTIC_APM is not implemented yet/);
  await bad('type: OTLP\nconf: {}', /f\.yml:2: conf: unknown field/);
  await bad('type: OTLP', /otlp: invalid client type\. Only 'http' and 'grpc' are accepted/);
  await bad(
    'type: OTLP\nconfig:\n  client_type: udp',
    /f\.yml:3: config\.client_type: otlp: invalid/,
  );
  await bad(
    'type: OTLP\nconfig:\n  client_typ: http',
    /config\.client_typ: unknown field, expected client_type/,
  );
  await bad(
    'type: OTLP\nconfig:\n  client_type: http\n  timeout: 5',
    /f\.yml:4: config\.timeout: expected a duration/,
  );
  await bad(otlp('http://x:1/'), /expected an endpoint such as collector:4318/);
  await bad(
    'type: JAEGER\nconfig: {agent_host: x, agent_port: 6831}',
    /Jaeger agent is not implemented yet/,
  );
  await bad(
    'type: JAEGER\nconfig: {endpoint: "jaeger:14268"}',
    /expected a URL such as http:\/\/jaeger/,
  );
});

test('Jaeger: a batch in Thrift, byte by byte where they do not depend on time', async (t) => {
  const bodies: { type: string | undefined; auth: string | undefined; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const { 'content-type': type, authorization: auth } = request.headers;
    void readBytes(request).then((body) => {
      bodies.push({ type, auth, body });
      response.writeHead(202).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const text = `type: JAEGER
config:
  service_name: svc
  sampler_type: const
  sampler_param: 1
  tags: a=b,home=\${HOME_OF:none}
  endpoint: http://127.0.0.1:${port}/api/traces
  user: u
  password: p
`;
  const { tracer, close } = await start(t, text, { env: { HOME_OF: '/x' } });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const parent = '00f067aa0ba902b7';
  const span = tracer.startServerSpan('op', () => `00-${traceId}-${parent}-01`, { n: 3, ok: true });
  span.end();
  await close();
  const [got] = bodies;
  assert.equal(got?.type, 'application/x-thrift');
  assert.equal(got?.auth, `Basic ${Buffer.from('u:p').toString('base64')}`);
  const s = (value: string) =>
    `${value.length.toString(16).padStart(8, '0')}${Buffer.from(value).toString('hex')}`;
  const textTag = (key: string, value: string) =>
    `0b0001${s(key)}080002000000000b0003${s(value)}00`;
  const process = `0c00010b0001${s('svc')}0f00020c00000002${textTag('a', 'b')}${textTag('home', '/x')}00`;
  const hex = got?.body.toString('hex') ?? '';
  assert.ok(hex.startsWith(`${process}0f00020c00000001`), hex);
  const span1 = hex.slice(process.length + 16);
  const ids = `0a0001${traceId.slice(16)}0a0002${traceId.slice(0, 16)}0a0003`;
  assert.ok(span1.startsWith(ids), span1);
  const afterId = span1.slice(ids.length + 16);
  const named = `0a0004${parent}0b0005${s('op')}080007000000010a0008`;
  assert.ok(afterId.startsWith(named), afterId);
  const afterTimes = afterId.slice(named.length + 16 + 6 + 16);
  const tags =
    `0f000a0c00000003` +
    `0b0001${s('n')}080002000000030a0006000000000000000300` +
    `0b0001${s('ok')}0800020000000202000501` +
    '00' +
    textTag('span.kind', 'server');
  assert.equal(afterTimes, `${tags}0f000b0c000000000000`);
});

test('samplers of Jaeger', async (t) => {
  const f = async (config: string, want: number, clock = new FakeClock(0)) => {
    const text = `type: JAEGER\nconfig:\n  endpoint: http://127.0.0.1:1/\n${config}`;
    const { tracer } = await start(t, text, { clock });
    assert.equal(recorded(tracer), want, config);
  };
  await f('  sampler_type: const\n  sampler_param: 1\n', 200);
  await f('  sampler_type: const\n  sampler_param: 0.4\n', 0);
  await f('  sampler_type: probabilistic\n  sampler_param: 1\n', 200);
  await f('  sampler_type: ratelimiting\n  sampler_param: 7\n', 7);
  await f('  sampler_type: remote\n  initial_sampler_rate: 1\n', 200);
});
