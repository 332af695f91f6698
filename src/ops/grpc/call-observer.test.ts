import assert from 'node:assert/strict';
import test from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { OracleClient, SERVICE } from '../../../test/support/grpc-oracle.ts';
import { startGrpc } from '../../../test/support/grpc-peers.ts';
import { OtlpCollector } from '../../../test/support/otlp-collector.ts';
import { nopLogger } from '../../lib/log.ts';
import { grpcRequestLog } from '../grpc-request-log.ts';
import { createLogger } from '../log.ts';
import { parseRequestLogConfig } from '../request-log-config.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import { GrpcError } from './status.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

test('a call is a span below its caller, and lines of the request log', async (t) => {
  const collector = await OtlpCollector.start();
  t.after(() => collector[Symbol.asyncDispose]());
  const tracing = await openTracing(
    {
      name: 'f',
      text: `{type: OTLP, config: {client_type: http, insecure: true, endpoint: "${collector.endpoint}", sampler_type: alwayssample}}`,
    },
    { log: nopLogger, env: {} },
  );
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'debug',
    format: 'json',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const { grpc } = await parseRequestLogConfig({
    name: 'f',
    text: 'options: {level: INFO, decision: {log_start: true, log_end: true}}',
  });
  const { tracer } = tracing;
  const { address } = await startGrpc(
    t,
    (server) => {
      server.add(`/${SERVICE}/Stream`, 'server-stream', async (call, request) => {
        await call.write(request);
        const span = tracer.startSpan('inside');
        span.end();
        await call.write(request);
      });
      server.add(`/${SERVICE}/Fails`, 'unary', async () => {
        throw new GrpcError('NotFound', 'no block');
      });
    },
    { tracer, requestLog: grpcRequestLog(grpc, log) },
  );
  const client = new OracleClient(t, address);
  const metadata = new Metadata();
  metadata.set('traceparent', `00-${TRACE}-${CALLER}-01`);
  metadata.set('request-id', 'r1');
  const requests = [Buffer.from('x')];
  await client.call('Stream', { requests, metadata });
  await client.call('Fails', { requests });
  await tracing.close();

  const [inside, stream, fails] = collector.spans;
  assert.equal(collector.spans.length, 3);
  assert.deepEqual(
    [stream?.name, stream?.traceId, stream?.parentId, stream?.kind, stream?.status],
    [`/${SERVICE}/Stream`, TRACE, CALLER, 2, 0],
  );
  assert.deepEqual([inside?.name, inside?.parentId], ['inside', stream?.spanId]);
  assert.deepEqual([fails?.name, fails?.parentId, fails?.status], [`/${SERVICE}/Fails`, '', 2]);

  const ofLog = lines.map((line) => [line['msg'], line['grpc.method'], line['grpc.code']]);
  assert.deepEqual(ofLog, [
    ['started call', 'Stream', undefined],
    ['finished call', 'Stream', 'OK'],
    ['started call', 'Fails', undefined],
    ['finished call', 'Fails', 'NotFound'],
  ]);
  assert.deepEqual([lines[1]?.['requestID'], lines[1]?.['traceID']], ['r1', TRACE]);
  assert.equal(lines[3]?.['grpc.error'], 'rpc error: code = NotFound desc = no block');
  assert.match(String(lines[3]?.['requestID']), /^[0-9A-HJKMNP-TV-Z]{26}$/);
});
