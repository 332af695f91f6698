import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import test, { type TestContext } from 'node:test';
import { nopLogger } from '../lib/log.ts';
import { HttpMetrics } from './http-metrics.ts';
import { HttpRequestLog } from './http-request-log.ts';
import { HttpServer } from './http-server.ts';
import { createLogger } from './log.ts';
import { ProcessMetrics } from './metrics.ts';
import { parseRequestLogConfig } from './request-log-config.ts';

/** A server whose request log is read as JSON. */
async function start(t: TestContext, text: string) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void =>
    void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLogger({ level: 'debug', format: 'json', write });
  const { http } = await parseRequestLogConfig({ name: 'f', text });
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics: new HttpMetrics(new ProcessMetrics(), ''),
    gracePeriodMs: 1000,
    requestLog: http && new HttpRequestLog(http, log),
  });
  const config = { handler: 'query' };
  server.app.get('/api/v1/query', { config }, () => 'ok');
  server.app.get('/api/v1/bad', { config: { handler: 'bad' } }, () => {
    throw new Error('boom');
  });
  server.app.get('/metrics', () => 'not logged');
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= server.close());
  t.after(close);
  const get = (path: string, headers = {}) =>
    new Promise<void>((resolve, reject) => {
      const request = httpRequest(base + path, { headers, agent: false }, (response) => {
        response.resume();
        response.on('end', resolve);
      });
      request.on('error', reject);
      request.end();
    });
  return { get, lines, close };
}

const both = 'options: {level: DEBUG, decision: {log_start: true, log_end: true}}\n';

test('start and end, with the fields of Thanos', async (t) => {
  const { get, lines, close } = await start(t, both);
  await get('/api/v1/query?query=up', { 'X-Request-ID': 'r1', 'User-Agent': 'me' });
  await get('/metrics');
  await close();
  const [first = {}, last = {}, ...more] = lines;
  assert.deepEqual(more, []);
  assert.match(
    String(first['http.start_time']),
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC$/,
  );
  assert.match(String(last['http.time_ms']), /^\d+(\.\d{1,3})?$/);
  assert.match(String(last['http.remote_addr']), /^127\.0\.0\.1:\d+$/);
  const common = {
    level: 'debug',
    protocol: 'http',
    'http.component': 'server',
    'http.method': 'GET /api/v1/query?query=up',
    'http.request_id': 'r1',
    'http.user_agent': 'me',
    'thanos.method_name': 'query',
  };
  const shown = (line: Record<string, unknown>) => {
    const {
      ts,
      'http.start_time': at,
      'http.time_ms': ms,
      'http.remote_addr': from,
      ...rest
    } = line;
    void [ts, at, ms, from];
    return rest;
  };
  assert.deepEqual(shown(first), { ...common, msg: 'started call' });
  assert.deepEqual(shown(last), { ...common, msg: 'finished call', 'http.status_code': '200' });
});

test('only the end, with whom a proxy speaks for', async (t) => {
  const text = 'options: {level: DEBUG, decision: {log_end: true}}';
  const { get, lines, close } = await start(t, text);
  await get('/api/v1/query', { 'X-Forwarded-For': '10.1.2.3' });
  await close();
  assert.deepEqual(
    lines.map((line) => [line['msg'], line['http.remote_addr']]),
    [['finished call', '10.1.2.3']],
  );
});

test('levels: answers from 500 on are errors, all others for debugging', async (t) => {
  const text = 'options: {level: INFO, decision: {log_start: true, log_end: true}}';
  const { get, lines, close } = await start(t, text);
  await get('/api/v1/query');
  await get('/api/v1/bad');
  await close();
  assert.deepEqual(
    lines.map((line) => [line['level'], line['thanos.method_name'], line['http.status_code']]),
    [['error', 'bad', '500']],
  );
});

test('paths and ports that are named, with or without what follows a question mark', async (t) => {
  const config = '[{path: /api/v1/query, port: 9090}, {path: "/api/v1/bad?x=1", port: 80}]';
  const { get, lines, close } = await start(t, `${both}http: {config: ${config}}`);
  const logged = async (path: string, host: string) => {
    const before = lines.length;
    await get(path, { host });
    return lines.length > before;
  };
  assert.equal(await logged('/api/v1/query?query=up', 'x:9090'), true);
  assert.equal(await logged('/api/v1/query', '[::1]:9090'), true);
  assert.equal(await logged('/api/v1/query', 'x:9091'), false);
  // The port that the server has is not the one that is named.
  assert.equal(await logged('/api/v1/query', 'x'), false);
  assert.equal(await logged('/api/v1/bad?x=1', 'x:80'), true);
  assert.equal(await logged('/api/v1/bad', 'x:80'), false);
  await close();
});
