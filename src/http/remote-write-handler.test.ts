import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import test, { type TestContext } from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { registerRemoteWrite } from './remote-write-handler.ts';
import type { WriteOutcome, WriteService } from './write-service.ts';

type Write = WriteService['write'];

const STORED: WriteOutcome = { status: 200, message: '', series: 3, samples: 12 };

async function start(
  t: TestContext,
  write: Write,
  limits: { requests?: number; bytes?: number } = {},
) {
  const metrics = new ProcessMetrics();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs: 30_000 });
  registerRemoteWrite(server.app, {
    service: { write },
    log: nopLogger,
    metrics,
    tenant: 'default-tenant',
    maxDecodedBytes: 100_000,
    maxInflightRequests: limits.requests ?? 10,
    maxInflightBytes: limits.bytes ?? 1_000_000,
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  return { base, metrics };
}

const HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};

const post = (
  url: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = HEADERS,
) => fetch(url, { method: 'POST', body, headers });

test('bodies arrive whole, in memory of their own', async (t) => {
  const bodies: Uint8Array[] = [];
  const write: Write = async (body, { maxDecodedBytes }) => {
    assert.equal(maxDecodedBytes, 100_000);
    assert.equal(body.byteOffset, 0);
    // A transfer proves that the memory is not shared with anything else.
    bodies.push(structuredClone(body, { transfer: [body.buffer] }));
    return STORED;
  };
  const { base, metrics } = await start(t, write);
  const f = async (path: string, size: number, status: number) => {
    const body = Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
    const got = await post(base + path, body);
    assert.equal(got.status, status);
    assert.equal(await got.text(), '');
    assert.deepEqual(new Uint8Array(bodies.at(-1) ?? []), body);
  };
  await f('/api/v1/receive', 0, 200);
  await f('/api/v1/receive', 1, 200);
  await f('/api/v1/receive', 100_000, 200);
  await f('/api/v1/write', 20_000, 204);
  // Chunked, without a content length.
  const chunks = [Buffer.alloc(9000, 1), Buffer.alloc(9000, 2), Buffer.alloc(9000, 3)];
  const status = await new Promise((resolve, reject) => {
    const request = httpRequest(
      `${base}/api/v1/receive`,
      { method: 'POST', headers: HEADERS },
      (r) => {
        r.resume();
        resolve(r.statusCode);
      },
    );
    request.on('error', reject);
    for (const chunk of chunks) request.write(chunk);
    request.end();
  });
  assert.equal(status, 200);
  assert.deepEqual(Buffer.from(bodies.at(-1) ?? []), Buffer.concat(chunks));
  const samples = await metrics.snapshot();
  const value = (name: string, code: string) =>
    samples.find((s) => s.name === name && s.labels[0]?.[1] === code)?.value;
  assert.equal(value('thanos_receive_write_samples_count', '200'), 4);
  assert.equal(value('thanos_receive_write_samples_sum', '200'), 48);
  assert.equal(value('thanos_receive_write_timeseries_sum', '204'), 3);
  assert.equal(value('thanos_receive_pending_write_requests', ''), undefined);
  assert.equal(samples.find((s) => s.name === 'thanos_receive_pending_write_requests')?.value, 0);
});

test('content types and encodings', async (t) => {
  const { base } = await start(t, async () => STORED);
  const f = async (type: string, encoding: string, status: number, text: string) => {
    const headers = { 'content-type': type, 'content-encoding': encoding };
    const got = await post(`${base}/api/v1/receive`, Uint8Array.of(1), headers);
    assert.equal(got.status, status, type);
    assert.equal(await got.text(), text);
  };
  const proto = 'application/x-protobuf';
  await f(proto, 'snappy', 200, '');
  await f(`${proto};proto=prometheus.WriteRequest`, 'snappy', 200, '');
  await f(`${proto}; proto=prometheus.WriteRequest`, '', 200, '');
  await f('', 'snappy', 200, '');
  await f(
    proto,
    'zstd',
    415,
    'zstd encoding (compression) is not accepted by this server; only snappy is acceptable\n',
  );
  await f(
    'text/plain',
    'snappy',
    415,
    'expected application/x-protobuf as the first (media) part, got text/plain content-type\n',
  );
  await f(
    `${proto};proto=io.prometheus.write.v3.Request`,
    'snappy',
    415,
    `got ${proto};proto=io.prometheus.write.v3.Request content type; unknown type for remote write protobuf message io.prometheus.write.v3.Request, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request\n`,
  );
  await f(
    `${proto};proto`,
    'snappy',
    415,
    `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got proto in ${proto};proto content-type\n`,
  );
});

test('remote write 2.0: what is stored is in the headers, whatever the status', async (t) => {
  let outcome: () => Promise<WriteOutcome> = async () => STORED;
  const versions: number[] = [];
  const { base } = await start(t, (_body, { version }) => {
    versions.push(version);
    return outcome();
  });
  const f = async (path: string, message: string, status: number, written: (string | null)[]) => {
    const headers = { ...HEADERS, 'content-type': `application/x-protobuf;proto=${message}` };
    const got = await post(base + path, Uint8Array.of(1), headers);
    assert.equal(got.status, status);
    await got.text();
    const names = ['samples', 'histograms', 'exemplars'];
    const shown = names.map((name) => got.headers.get(`x-prometheus-remote-write-${name}-written`));
    assert.deepEqual(shown, written);
  };
  const v2 = 'io.prometheus.write.v2.Request';
  const none = [null, null, null];
  const written = { samples: 7, histograms: 3, exemplars: 2 };
  await f('/api/v1/write', 'prometheus.WriteRequest', 204, none);
  await f('/api/v1/write', v2, 204, ['0', '0', '0']);
  outcome = async () => ({ ...STORED, written });
  await f('/api/v1/write', 'prometheus.WriteRequest', 204, none);
  await f('/api/v1/write', v2, 204, ['7', '3', '2']);
  await f('/api/v1/receive', v2, 200, ['7', '3', '2']);
  for (const status of [400, 409] as const) {
    outcome = async () => ({ ...STORED, status, message: 'some were refused', written });
    await f('/api/v1/write', v2, status, ['7', '3', '2']);
  }
  outcome = () => Promise.reject(new CodedError('unavailable', 'the disk is full'));
  await f('/api/v1/write', v2, 503, ['0', '0', '0']);
  await f('/api/v1/write', 'other', 415, none);
  assert.deepEqual(versions, [1, 2, 1, 2, 2, 2, 2, 2]);
});

test('outcomes and failures', async (t) => {
  let next: () => Promise<WriteOutcome> = async () => STORED;
  const { base } = await start(t, () => next());
  const f = async (path: string, status: number, text: string, retry: string | null = null) => {
    const got = await post(base + path, Uint8Array.of(1));
    assert.equal(got.status, status);
    assert.equal(await got.text(), text);
    assert.equal(got.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(got.headers.get('retry-after'), retry);
  };
  const outcome = (status: WriteOutcome['status']) => async () => ({
    ...STORED,
    status,
    message: 'out of order sample',
  });
  next = outcome(409);
  await f('/api/v1/receive', 409, 'out of order sample\n');
  await f('/api/v1/write', 409, 'out of order sample\n');
  next = outcome(400);
  await f('/api/v1/receive', 400, 'out of order sample\n');
  next = outcome(413);
  await f('/api/v1/receive', 413, 'out of order sample\n');
  next = outcome(503);
  await f('/api/v1/receive', 503, 'out of order sample\n', '1');
  next = () => Promise.reject(new CodedError('unavailable', 'the disk is full'));
  await f('/api/v1/receive', 503, 'the disk is full\n', '1');
  next = () => Promise.reject(new Error('detail'));
  await f('/api/v1/receive', 500, 'internal server error\n');
});

test('a tenant that is not served is refused, the one that is may be named', async (t) => {
  let calls = 0;
  const { base } = await start(t, async () => {
    calls++;
    return STORED;
  });
  const send = (tenant: string) =>
    fetch(`${base}/api/v1/receive`, {
      method: 'POST',
      headers: { ...HEADERS, 'thanos-tenant': tenant },
      body: Uint8Array.of(1),
    });
  const refused = await send('team-a');
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /tenant "team-a" is not served/);
  assert.equal(calls, 0);
  assert.equal((await send('default-tenant')).status, 200);
});

test('too large, with and without a content length', async (t) => {
  let calls = 0;
  const { base } = await start(t, async () => {
    calls++;
    return STORED;
  });
  const known = await post(`${base}/api/v1/receive`, new Uint8Array(100_001));
  assert.equal(known.status, 413);
  assert.equal(await known.text(), 'write request too large\n');
  const status = await new Promise((resolve) => {
    const request = httpRequest(
      `${base}/api/v1/receive`,
      { method: 'POST', headers: HEADERS },
      (r) => {
        r.resume();
        resolve(r.statusCode);
      },
    );
    request.on('error', () => undefined);
    for (let i = 0; i < 12; i++) request.write(Buffer.alloc(10_000));
  });
  assert.equal(status, 413);
  assert.equal(calls, 0);
});

test('requests and bytes in flight are bounded', async (t) => {
  for (const limits of [{ requests: 2 }, { bytes: 2000 }]) {
    const inside: (() => void)[] = [];
    const entered = Promise.withResolvers<void>();
    const write: Write = () =>
      new Promise((resolve) => {
        inside.push(() => resolve(STORED));
        if (inside.length === 2) entered.resolve();
      });
    const { base, metrics } = await start(t, write, limits);
    const url = `${base}/api/v1/receive`;
    const first = [post(url, new Uint8Array(1000)), post(url, new Uint8Array(1000))];
    await entered.promise;
    const refused = await post(url, new Uint8Array(1000));
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(await refused.text(), 'too many write requests in flight, retry later\n');
    const pending = (await metrics.snapshot()).find(
      (s) => s.name === 'thanos_receive_pending_write_requests',
    );
    assert.equal(pending?.value, 2);
    for (const release of inside) release();
    for (const answer of first) assert.equal((await answer).status, 200);
    const again = post(url, new Uint8Array(1000));
    while (inside.length < 3) await new Promise(setImmediate);
    inside[2]?.();
    assert.equal((await again).status, 200);
  }
});

test('a sender that breaks off leaves nothing behind', async (t) => {
  let calls = 0;
  const { base, metrics } = await start(t, async () => {
    calls++;
    return STORED;
  });
  const pending = async () =>
    (await metrics.snapshot()).find((s) => s.name === 'thanos_receive_pending_write_requests')
      ?.value;
  const headers = { ...HEADERS, 'content-length': '5000' };
  const request = httpRequest(`${base}/api/v1/receive`, { method: 'POST', headers });
  request.on('error', () => undefined);
  request.write(Buffer.alloc(1000));
  while ((await pending()) !== 1) await new Promise(setImmediate);
  request.destroy();
  while ((await pending()) !== 0) await new Promise(setImmediate);
  assert.equal(calls, 0);
});
