/** Our server, asked by grpc-js' client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { Metadata, compressionAlgorithms, status as Status } from '@grpc/grpc-js';
import { OracleClient, SERVICE, collect } from '../../../test/support/grpc-oracle.ts';
import { startGrpc, until } from '../../../test/support/grpc-peers.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { GrpcServer } from './server.ts';
import { GrpcMetadata } from './metadata.ts';
import { GrpcError } from './status.ts';

const path = (method: string): string => `/${SERVICE}/${method}`;
const bytes = (text: string): Buffer => Buffer.from(text);

/** One method of each kind that says what it got. */
function addEchoes(server: GrpcServer): void {
  server.add(path('Unary'), 'unary', async (_call, request) => [bytes('got '), request]);
  server.add(path('ServerStream'), 'server-stream', async (call, request) => {
    for (const byte of request) await call.write(Uint8Array.of(byte));
  });
  server.add(path('ClientStream'), 'client-stream', async (_call, requests) => {
    const parts: Buffer[] = [];
    for await (const request of requests) parts.push(Buffer.from(request));
    return Buffer.concat(parts);
  });
  server.add(path('Bidi'), 'bidi', async (call, requests) => {
    for await (const request of requests) await call.write(request);
  });
}

async function connect(t: TestContext, addMethods: (server: GrpcServer) => void = addEchoes) {
  const started = await startGrpc(t, addMethods);
  return { ...started, client: new OracleClient(t, started.address) };
}

test('each kind of call', async (t) => {
  const { client } = await connect(t);
  const f = async (method: string, requests: string[], want: string[]) => {
    const { messages, status } = await client.call(method, { requests: requests.map(bytes) });
    assert.deepEqual([status.code, status.details], [Status.OK, ''], method);
    assert.deepEqual(messages.map(String), want, method);
  };
  await f('Unary', ['abc'], ['got abc']);
  await f('Unary', [''], ['got ']);
  await f('ServerStream', ['abc'], ['a', 'b', 'c']);
  await f('ServerStream', [''], []);
  await f('ClientStream', ['ab', '', 'c'], ['abc']);
  await f('ClientStream', [], ['']);
  await f('Bidi', ['a', 'bc', ''], ['a', 'bc', '']);
  await f('Bidi', [], []);
});

test('a conversation', async (t) => {
  const { client } = await connect(t);
  const call = client.open('Bidi');
  for (const text of ['one', 'two', 'three']) {
    call.write(bytes(text));
    const [answer] = await once(call, 'data');
    assert.equal(String(answer), text);
  }
  call.end();
  assert.equal((await collect(call)).status.code, Status.OK);
});

test('metadata, headers and trailers, texts and bytes', async (t) => {
  const { client } = await connect(t, (server) => {
    server.add(path('Echo'), 'unary', async (call, request) => {
      for (const [name, values] of call.metadata) {
        for (const value of values) {
          if (!name.startsWith('x-')) continue;
          call.headers.add(name, value);
          call.trailers.add(name, value);
        }
      }
      assert.match(call.peer, /^127\.0\.0\.1:\d+$/);
      assert.match(call.metadata.get('user-agent') ?? '', /grpc-node-js/);
      assert.equal(call.metadata.get('grpc-timeout'), undefined);
      return request;
    });
  });
  const metadata = new Metadata();
  metadata.add('x-text', 'one');
  metadata.add('x-text', 'two, three');
  metadata.add('X-Case', '~ !');
  metadata.add('x-b-bin', Buffer.of(0, 1, 255));
  metadata.add('x-b-bin', Buffer.of());
  const { headers, status } = await client.call('Echo', { requests: [bytes('')], metadata });
  for (const got of [headers, status.metadata]) {
    assert.deepEqual(got.get('x-text').join(', '), 'one, two, three');
    assert.deepEqual(got.get('x-case'), ['~ !']);
    assert.deepEqual(got.get('x-b-bin'), [Buffer.of(0, 1, 255), Buffer.of()]);
  }
});

test('errors become statuses', async (t) => {
  const logged: string[] = [];
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (msg, fields) =>
      logged.push(`${msg} ${String(fields?.['panic'])} ${String(fields?.['stack'])}`),
    with: () => log,
  };
  let error: Error = new Error();
  const { address, metrics } = await startGrpc(
    t,
    (server) => {
      server.add(path('Before'), 'server-stream', () => Promise.reject(error));
      server.add(path('After'), 'server-stream', async (call) => {
        await call.write(bytes('first'));
        throw error;
      });
    },
    { log },
  );
  const client = new OracleClient(t, address);
  const f = async (thrown: Error, code: Status, details: string) => {
    error = thrown;
    for (const method of ['Before', 'After']) {
      const { status, messages } = await client.call(method, { requests: [bytes('')] });
      assert.deepEqual([status.code, status.details], [code, details]);
      assert.equal(messages.length, method === 'After' ? 1 : 0);
    }
  };
  await f(new GrpcError('NotFound', 'no such thing'), Status.NOT_FOUND, 'no such thing');
  await f(new GrpcError('Aborted', 'böse 100 %\n\t日本'), Status.ABORTED, 'böse 100 %\n\t日本');
  await f(new CodedError('bad_data', 'what is this'), Status.INVALID_ARGUMENT, 'what is this');
  await f(new CodedError('unavailable', 'later'), Status.UNAVAILABLE, 'later');
  await f(new CodedError('conflict', 'has it'), Status.ALREADY_EXISTS, 'has it');
  assert.deepEqual(logged, []);
  await f(new TypeError('x is not a function'), Status.INTERNAL, 'x is not a function');
  assert.equal(logged.length, 2);
  assert.match(
    logged[0] ?? '',
    /^recovered from panic x is not a function TypeError: .*server\.test\.ts/s,
  );
  const samples = await metrics.snapshot();
  const panics = samples.find((sample) => sample.name === 'grpc_req_panics_recovered_total');
  assert.equal(panics?.value, 2);
  error = new GrpcError('Internal', '', { metadata: new GrpcMetadata({ 'x-why': 'because' }) });
  const { status } = await client.call('Before', { requests: [bytes('')] });
  assert.deepEqual(status.metadata.get('x-why'), ['because']);
});

test('what is not there is Unimplemented', async (t) => {
  const { client, address } = await connect(t);
  const f = async (method: string, details: string) => {
    const { status } = await client.call(method, { requests: [bytes('x')] });
    assert.deepEqual([status.code, status.details], [Status.UNIMPLEMENTED, details]);
  };
  await f('Nothing', `unknown method Nothing for service ${SERVICE}`);
  await f('Deep/Nothing', `unknown service ${SERVICE}/Deep`);
  const stranger = new OracleClient(t, address).client;
  const details = await new Promise((resolve) => {
    const pass = (b: Buffer) => b;
    stranger.makeUnaryRequest('/some.Other/Unary', pass, pass, bytes(''), (error) =>
      resolve(error?.details),
    );
  });
  assert.equal(details, 'unknown service some.Other');
});

test('unary methods take one request', async (t) => {
  const { client } = await connect(t);
  const f = async (requests: Buffer[], details: string) => {
    const { status } = await client.call('Unary', { requests });
    assert.deepEqual([status.code, status.details], [Status.INTERNAL, details]);
  };
  const text = 'cardinality violation: received';
  const rest = 'for non-client-streaming RPC';
  await f([], `${text} no request message ${rest}`);
  await f([bytes('a'), bytes('b')], `${text} multiple request messages ${rest}`);
});

test('deadlines reach the handler and end the call', async (t) => {
  let reason: unknown;
  let deadline: number | undefined;
  const { client, metrics } = await connect(t, (server) => {
    server.add(path('Wait'), 'unary', async (call) => {
      deadline = call.deadline;
      await once(call.signal, 'abort');
      reason = call.signal.reason;
      throw reason;
    });
  });
  const wanted = Date.now() + 150;
  const { status } = await client.call('Wait', {
    requests: [bytes('')],
    options: { deadline: wanted },
  });
  assert.equal(status.code, Status.DEADLINE_EXCEEDED);
  await until(() => reason !== undefined);
  assert.ok(reason instanceof GrpcError);
  // Whose timer fires first decides whether the client cancels.
  assert.match(reason.message, /^context (deadline exceeded|canceled)$/);
  assert.ok(Math.abs((deadline ?? 0) - wanted) < 150);
  const handled = (await metrics.snapshot()).filter(
    ({ name, value }) => name === 'grpc_server_handled_total' && value > 0,
  );
  assert.equal(handled.length, 1);
});

test('a client that cancels is noticed by the handler', async (t) => {
  const reasons: unknown[] = [];
  const { client } = await connect(t, (server) => {
    server.add(path('Endless'), 'server-stream', async (call) => {
      const { signal } = call;
      try {
        for (;;) await call.write(Buffer.alloc(1000));
      } catch (thrown) {
        assert.equal(thrown, signal.reason);
        reasons.push(thrown);
        throw thrown;
      }
    });
  });
  const endless = await client.call('Endless', { requests: [bytes('')], cancelAfter: 3 });
  assert.equal(endless.status.code, Status.CANCELLED);
  await until(() => reasons.length === 1);
  const [reason] = reasons;
  assert.ok(reason instanceof GrpcError);
  assert.deepEqual([reason.grpcCode, reason.message], ['Canceled', 'context canceled']);
});

test('compressed requests are understood and answered in kind', async (t) => {
  const { client, address } = await connect(t);
  const text = 'abc'.repeat(10_000);
  const gzip = new OracleClient(t, address, {
    'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
  });
  const { messages, headers } = await gzip.call('Unary', { requests: [bytes(text)] });
  assert.deepEqual(messages.map(String), [`got ${text}`]);
  assert.equal((await client.call('Unary', { requests: [bytes(text)] })).messages.length, 1);
  assert.deepEqual(headers.get('grpc-encoding'), []); // consumed by the client
  const deflate = new OracleClient(t, address, {
    'grpc.default_compression_algorithm': compressionAlgorithms.deflate,
  });
  const { status } = await deflate.call('Unary', { requests: [bytes(text)] });
  assert.deepEqual(
    [status.code, status.details],
    [Status.UNIMPLEMENTED, 'grpc: Decompressor is not installed for grpc-encoding "deflate"'],
  );
});

test('messages above the limit are refused, also when they are small until decompressed', async (t) => {
  const { address } = await startGrpc(t, addEchoes, { messageBytesMax: 1000 });
  const client = new OracleClient(t, address);
  const f = async (from: OracleClient, size: number, details: string) => {
    for (const method of ['Unary', 'ClientStream', 'Bidi']) {
      const { status } = await from.call(method, { requests: [Buffer.alloc(size)] });
      assert.deepEqual([status.code, status.details], [Status.RESOURCE_EXHAUSTED, details]);
    }
  };
  await f(client, 1001, 'grpc: received message larger than max (1001 vs. 1000)');
  await f(client, 16 << 20, `grpc: received message larger than max (${16 << 20} vs. 1000)`);
  const gzip = new OracleClient(t, address, {
    'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
  });
  await f(gzip, 100_000, 'grpc: received message after decompression larger than max 1000');
  const { status } = await client.call('Unary', { requests: [Buffer.alloc(1000)] });
  assert.equal(status.code, Status.OK);
});

test('metrics exist from the start and count calls and messages', async (t) => {
  const { client, metrics } = await connect(t);
  const lines = async () =>
    (await metrics.snapshot())
      .filter(({ name }) => name.startsWith('grpc_') && !name.includes('bucket'))
      .map(
        ({ name, labels, value }) => `${name}{${labels.map((l) => l.join('=')).join()}} ${value}`,
      );
  const before = await lines();
  const labels = `grpc_method=ServerStream,grpc_service=${SERVICE},grpc_type=server_stream`;
  for (const line of [
    `grpc_server_started_total{${labels}} 0`,
    `grpc_server_handled_total{grpc_code=Unauthenticated,${labels}} 0`,
    `grpc_server_handling_seconds_count{${labels}} 0`,
    'grpc_req_panics_recovered_total{} 0',
  ]) {
    assert.ok(before.includes(line), line);
  }
  assert.equal(before.filter((line) => line.includes('handled_total')).length, 4 * 17);
  await client.call('ServerStream', { requests: [bytes('abc')] });
  await client.call('Nothing', { requests: [bytes('abc')] });
  const changed = new Set(await lines()).difference(new Set(before));
  assert.deepEqual(
    new Set([...changed].filter((line) => !line.includes('seconds_sum'))),
    new Set([
      `grpc_server_handled_total{grpc_code=OK,${labels}} 1`,
      `grpc_server_handling_seconds_count{${labels}} 1`,
      `grpc_server_msg_received_total{${labels}} 1`,
      `grpc_server_msg_sent_total{${labels}} 3`,
      `grpc_server_started_total{${labels}} 1`,
    ]),
  );
});

test('a long message is cut so that every client can receive it', async (t) => {
  const { client } = await connect(t, (server) => {
    server.add(path('Long'), 'unary', () =>
      Promise.reject(new GrpcError('Internal', `${'x'.repeat(32_765)}${'ü'.repeat(100_000)}`)),
    );
  });
  const { status } = await client.call('Long', { requests: [bytes('')] });
  assert.deepEqual([status.code, status.details], [Status.INTERNAL, 'x'.repeat(32_765)]);
});
