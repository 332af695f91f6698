import assert from 'node:assert/strict';
import test from 'node:test';
import { grpcRequestLog } from './grpc-request-log.ts';
import type { LoggedCall } from './grpc-request-log.ts';
import { createLogger } from './log.ts';
import { parseRequestLogConfig } from './request-log-config.ts';

async function logOf(text: string) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void =>
    void lines.push(JSON.parse(line) as Record<string, unknown>);
  const { grpc } = await parseRequestLogConfig({ name: 'f', text });
  return {
    lines,
    log: grpcRequestLog(grpc, createLogger({ level: 'debug', format: 'json', write })),
  };
}

const CALL: LoggedCall = {
  path: '/thanos.Store/Series',
  type: 'server_stream',
  peer: '127.0.0.1:4000',
  requestId: 'r1',
  deadline: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

test('start and end, with the fields of go-grpc-middleware', async () => {
  const { log, lines } = await logOf(
    'options: {level: INFO, decision: {log_start: true, log_end: true}}',
  );
  const finished = log?.started({ ...CALL, traceId: 'abc' });
  finished?.({ code: 'NotFound', message: 'no block', durationMs: 1.23456 });
  const [first = {}, last = {}] = lines;
  const { ts, 'grpc.start_time': at, ...start } = first;
  assert.ok(typeof ts === 'string');
  assert.match(String(at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(start, {
    level: 'debug',
    msg: 'started call',
    traceID: 'abc',
    requestID: 'r1',
    protocol: 'grpc',
    'grpc.component': 'server',
    'grpc.service': 'thanos.Store',
    'grpc.method': 'Series',
    'grpc.method_type': 'server_stream',
    'peer.address': '127.0.0.1:4000',
    'grpc.request.deadline': '2026-01-02T03:04:05Z',
    'grpc.time_ms': '0',
  });
  assert.equal(last['msg'], 'finished call');
  assert.equal(last['level'], 'debug');
  assert.equal(last['grpc.code'], 'NotFound');
  assert.equal(last['grpc.error'], 'rpc error: code = NotFound desc = no block');
  assert.equal(last['grpc.time_ms'], '1.234');
});

test('levels of statuses, and calls that are named', async () => {
  const end = 'level: DEBUG, decision: {log_end: true}';
  const { log, lines } = await logOf(
    `grpc: {options: {${end}}, config: [{service: thanos.Store, method: Series}]}`,
  );
  assert.ok(log);
  for (const code of ['OK', 'Unavailable', 'Internal', 'Unknown', 'Unimplemented', 'DataLoss']) {
    log.started(CALL)({ code, durationMs: 0 });
  }
  log.started({ ...CALL, path: '/thanos.Store/LabelNames' })({ code: 'Internal', durationMs: 0 });
  assert.deepEqual(
    lines.map((line) => `${String(line['level'])} ${String(line['grpc.code'])}`),
    [
      'debug OK',
      'debug Unavailable',
      'error Internal',
      'error Unknown',
      'error Unimplemented',
      'error DataLoss',
    ],
  );
  assert.ok(!('grpc.error' in (lines[0] ?? {})));
});

test('without a decision there is no log', async () => {
  assert.equal((await logOf('')).log, undefined);
});
