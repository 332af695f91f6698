/** Our client, asking grpc-js' server. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import {
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  status as Status,
} from '@grpc/grpc-js';
import {
  type OracleMethods,
  SERVICE,
  oracleError,
  startOracle,
} from '../../../test/support/grpc-oracle.ts';
import { openChannel, until } from '../../../test/support/grpc-peers.ts';
import { ProcessMetrics } from '../metrics.ts';
import type { GrpcChannelOptions } from './channel.ts';
import { GrpcMetadata } from './metadata.ts';
import { GrpcClientMetrics } from './metrics.ts';
import { type GrpcCode, GrpcError } from './status.ts';

const path = (method: string): string => `/${SERVICE}/${method}`;
const bytes = (text: string): Buffer => Buffer.from(text);

const ECHOES: OracleMethods = {
  unary: { Unary: (call, done) => done(null, Buffer.concat([bytes('got '), call.request])) },
  serverStream: {
    ServerStream: (call) => {
      for (const byte of call.request) call.write(Buffer.of(byte));
      call.end();
    },
  },
  clientStream: {
    ClientStream: (call, done) => {
      const parts: Buffer[] = [];
      call.on('data', (part: Buffer) => parts.push(part));
      call.on('end', () => done(null, Buffer.concat(parts)));
    },
  },
  bidi: {
    Bidi: (call) => {
      call.on('data', (part: Buffer) => call.write(part));
      call.on('end', () => call.end());
    },
  },
};

async function connect(t: TestContext, methods: OracleMethods, options: GrpcChannelOptions = {}) {
  const { address, server } = await startOracle(t, methods);
  return { channel: openChannel(t, address, options), address, server };
}

async function fails(promise: Promise<unknown>, code: GrpcCode, message: string | RegExp) {
  await assert.rejects(promise, (thrown: unknown) => {
    assert.ok(thrown instanceof GrpcError, String(thrown));
    assert.equal(thrown.grpcCode, code);
    if (typeof message === 'string') assert.equal(thrown.message, message);
    else assert.match(thrown.message, message);
    return true;
  });
}

test('each kind of call', async (t) => {
  const { channel } = await connect(t, ECHOES);
  assert.equal(String(await channel.unary(path('Unary'), bytes('abc'))), 'got abc');
  assert.equal(String(await channel.unary(path('Unary'), [bytes('a'), bytes('bc')])), 'got abc');
  assert.equal(String(await channel.unary(path('Unary'), [])), 'got ');
  const got: string[] = [];
  for await (const message of channel.serverStream(path('ServerStream'), bytes('abc'))) {
    got.push(String(message));
  }
  assert.deepEqual(got, ['a', 'b', 'c']);
  const upload = channel.clientStream(path('ClientStream'));
  for (const part of ['ab', '', 'c']) await upload.write(bytes(part));
  upload.end();
  assert.equal(String(await upload.onlyResponse()), 'abc');
  const empty = channel.clientStream(path('ClientStream'));
  empty.end();
  assert.equal(String(await empty.onlyResponse()), '');
});

test('a conversation, and messages in batches', async (t) => {
  const { channel } = await connect(t, ECHOES);
  const call = channel.bidi(path('Bidi'));
  for (const text of ['one', 'two']) {
    await call.write(bytes(text));
    const { value } = await call.next();
    assert.equal(String(value), text);
  }
  call.end();
  assert.equal((await call.next()).done, true);
  assert.equal((await call.next()).done, true);
  const batches = channel.serverStream(path('ServerStream'), Buffer.alloc(1000, 'x'));
  let count = 0;
  for (let batch = await batches.nextBatch(); batch; batch = await batches.nextBatch()) {
    assert.ok(batch.length > 0);
    count += batch.length;
  }
  assert.equal(count, 1000);
});

test('metadata, headers and trailers, texts and bytes', async (t) => {
  const { channel } = await connect(t, {
    unary: {
      Echo: (call, done) => {
        assert.deepEqual(call.metadata.get('user-agent'), ['thanos-ts']);
        const trailers = new Metadata();
        for (const value of call.metadata.get('x-b-bin')) trailers.add('x-b-bin', value);
        const headers = new Metadata();
        for (const value of call.metadata.get('x-text')) headers.add('x-text', value);
        call.sendMetadata(headers);
        done(null, call.request, trailers);
      },
    },
  });
  const metadata = new GrpcMetadata({
    'X-Text': ['one', 'two, three'],
    'x-b-bin': [Uint8Array.of(0, 1, 255), Uint8Array.of()],
  });
  const call = channel.unaryCall(path('Echo'), bytes(''), { metadata });
  await call.onlyResponse();
  assert.deepEqual((await call.headers).getAll('x-text').join(', '), 'one, two, three');
  const got = call.trailers.getAll('x-b-bin').map((value) => [...Buffer.from(value as Uint8Array)]);
  assert.deepEqual(got, [[0, 1, 255], []]);
});

test('statuses become errors, after the messages before them', async (t) => {
  let error = oracleError(Status.INTERNAL, '');
  const { channel } = await connect(t, {
    unary: { Unary: (_call, done) => done(error) },
    serverStream: {
      Before: (call) => call.emit('error', error),
      After: (call) => {
        call.write(bytes('one'));
        call.write(bytes('two'));
        call.emit('error', error);
      },
    },
  });
  const f = async (code: Status, name: GrpcCode, details: string) => {
    error = oracleError(code, details);
    await fails(channel.unary(path('Unary'), bytes('')), name, details);
    await fails(channel.serverStream(path('Before'), bytes('')).next(), name, details);
    const got: string[] = [];
    const reading = (async () => {
      const call = channel.serverStream(path('After'), bytes(''));
      for await (const message of call) got.push(String(message));
    })();
    await fails(reading, name, details);
    assert.deepEqual(got, ['one', 'two']);
  };
  await f(Status.NOT_FOUND, 'NotFound', 'no such thing');
  await f(Status.CANCELLED, 'Canceled', '');
  await f(Status.UNAUTHENTICATED, 'Unauthenticated', 'böse 100 %\n\t日本');
  const metadata = new Metadata();
  metadata.set('x-why', 'because');
  error = oracleError(Status.ABORTED, 'no', metadata);
  const thrown = await channel.unary(path('Unary'), bytes('')).catch((e: unknown) => e);
  assert.ok(thrown instanceof GrpcError);
  assert.equal(thrown.metadata?.get('x-why'), 'because');
  assert.equal(thrown.code, 'execution');
  assert.equal(thrown.rpcText, 'rpc error: code = Aborted desc = no');
  await fails(channel.unary(path('Nothing'), bytes('')), 'Unimplemented', /Nothing/);
});

test('deadlines end calls here and are told to the server', async (t) => {
  const seen: (number | undefined)[] = [];
  const { channel } = await connect(t, {
    unary: {
      Wait: (call) => {
        seen.push(Number(call.getDeadline()) - Date.now());
      },
    },
  });
  // grpc-js says it in other words when its timer is the first.
  const late = /^(context d|D)eadline exceeded$/;
  await fails(channel.unary(path('Wait'), bytes(''), { timeoutMs: 100 }), 'DeadlineExceeded', late);
  assert.equal(seen.length, 1);
  assert.ok(seen[0] !== undefined && seen[0] > 0 && seen[0] <= 100);
  await fails(channel.unary(path('Wait'), bytes(''), { timeoutMs: 0 }), 'DeadlineExceeded', late);
  const signal = AbortSignal.timeout(20);
  await fails(channel.unary(path('Wait'), bytes(''), { signal }), 'DeadlineExceeded', late);
});

test('calls are canceled by signal, by cancel(), and by leaving the loop', async (t) => {
  let canceled = 0;
  const { channel } = await connect(t, {
    serverStream: {
      Endless: (call) => {
        call.on('cancelled', () => canceled++);
        const write = (): void => {
          while (!call.cancelled && call.write(Buffer.alloc(1000)));
          if (!call.cancelled) call.once('drain', write);
        };
        write();
      },
    },
  });
  const open = (signal?: AbortSignal) =>
    channel.serverStream(path('Endless'), bytes(''), { signal });
  for await (const message of open()) {
    assert.equal(message.length, 1000);
    break;
  }
  await until(() => canceled === 1);
  const call = open();
  await call.next();
  call.cancel();
  await fails(call.next(), 'Canceled', 'context canceled');
  await until(() => canceled === 2);
  const controller = new AbortController();
  const aborted = open(controller.signal);
  await aborted.next();
  const waiting = (async () => {
    for await (const _ of aborted);
  })();
  controller.abort();
  await fails(waiting, 'Canceled', 'context canceled');
  await until(() => canceled === 3);
  await fails(open(controller.signal).next(), 'Canceled', 'context canceled');
  assert.equal(canceled, 3);
});

test('requests of a stream after the server has ended it fail with its status', async (t) => {
  const { channel } = await connect(t, {
    clientStream: {
      Refuse: (_call: ServerReadableStream<Buffer, Buffer>, done) =>
        done(oracleError(Status.FAILED_PRECONDITION, 'enough')),
    },
    bidi: {
      Leave: (call: ServerDuplexStream<Buffer, Buffer>) => call.end(),
    },
  });
  const upload = channel.clientStream(path('Refuse'));
  const writing = (async () => {
    for (;;) await upload.write(Buffer.alloc(10_000));
  })();
  await fails(writing, 'FailedPrecondition', 'enough');
  await fails(upload.onlyResponse(), 'FailedPrecondition', 'enough');
  const left = channel.bidi(path('Leave'));
  assert.equal((await left.next()).done, true);
});

test('gzip in both directions', async (t) => {
  const { channel } = await connect(t, ECHOES, { compression: 'gzip' });
  const text = 'abc'.repeat(10_000);
  assert.equal(String(await channel.unary(path('Unary'), bytes(text))), `got ${text}`);
  const { channel: snappy } = await connect(t, ECHOES, { compression: 'snappy' });
  await fails(snappy.unary(path('Unary'), bytes('')), 'Unimplemented', /snappy/);
  const own = await snappy.unary(path('Unary'), bytes('a'), { compression: 'identity' });
  assert.equal(String(own), 'got a');
});

test('responses above the limit are refused, and a unary call has one', async (t) => {
  const { channel } = await connect(t, ECHOES, { messageBytesMax: 1000 });
  const request = Buffer.alloc(997);
  const text = 'grpc: received message larger than max (1001 vs. 1000)';
  await fails(channel.unary(path('Unary'), request), 'ResourceExhausted', text);
  assert.equal((await channel.unary(path('Unary'), request.subarray(1))).length, 1000);
  const violation = 'cardinality violation:';
  await fails(
    channel.unary(path('ServerStream'), bytes('ab')),
    'Internal',
    `${violation} expected <EOF> for non server-streaming RPCs, but received another message`,
  );
  await fails(
    channel.unary(path('ServerStream'), bytes('')),
    'Internal',
    `${violation} received no response message from non-server-streaming RPC`,
  );
});

test('metrics count calls and messages', async (t) => {
  const metrics = new ProcessMetrics();
  const { channel } = await connect(t, ECHOES, { metrics: new GrpcClientMetrics(metrics) });
  for await (const _ of channel.serverStream(path('ServerStream'), bytes('abc')));
  await channel.unary(path('Nothing'), bytes('')).catch(() => undefined);
  const lines = (await metrics.snapshot())
    .filter(({ name, value }) => /_(total|count)$/.test(name) && value > 0)
    .map(({ name, labels, value }) => `${name}{${labels.map((l) => l.join('=')).join()}} ${value}`);
  const labels = `grpc_method=ServerStream,grpc_service=${SERVICE},grpc_type=server_stream`;
  const unary = `grpc_method=Nothing,grpc_service=${SERVICE},grpc_type=unary`;
  assert.deepEqual(
    new Set(lines),
    new Set([
      `grpc_client_handled_total{grpc_code=OK,${labels}} 1`,
      `grpc_client_handled_total{grpc_code=Unimplemented,${unary}} 1`,
      `grpc_client_handling_seconds_count{${labels}} 1`,
      `grpc_client_handling_seconds_count{${unary}} 1`,
      `grpc_client_msg_received_total{${labels}} 3`,
      `grpc_client_msg_sent_total{${labels}} 1`,
      `grpc_client_msg_sent_total{${unary}} 1`,
      `grpc_client_started_total{${labels}} 1`,
      `grpc_client_started_total{${unary}} 1`,
    ]),
  );
});

test('a slow reader holds up the server, and gets everything', async (t) => {
  let written = 0;
  let blocked = 0;
  const messages = 2000;
  const { channel } = await connect(t, {
    serverStream: {
      Much: (call) => {
        const write = (): void => {
          while (written < messages) {
            written++;
            if (!call.write(Buffer.alloc(10_000))) {
              blocked++;
              call.once('drain', write);
              return;
            }
          }
          call.end();
        };
        write();
      },
    },
  });
  const call = channel.serverStream(path('Much'), bytes(''));
  await call.next();
  // Nobody reads: the server stops when our window and queue are full, long before its 20 MB.
  for (let seen = -1; seen !== blocked;) {
    seen = blocked;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(written < messages / 2, `${written} messages were written`);
  let count = 1;
  for await (const _ of call) count++;
  assert.equal(count, messages);
  assert.equal(written, messages);
});

test('names and values that cannot be sent are refused', () => {
  const f = (values: ConstructorParameters<typeof GrpcMetadata>[0], message: RegExp) =>
    assert.throws(() => new GrpcMetadata(values), message);
  f({ 'bad name': 'x' }, /header key "bad name" contains illegal characters/);
  f({ ':path': 'x' }, /illegal characters/);
  f({ 'grpc-status': 'x' }, /reserved/);
  f({ connection: 'x' }, /reserved/);
  f({ tenant: 'bö' }, /"tenant" contains value with non-printable ASCII characters/);
  f({ tenant: 'a\nb' }, /non-printable/);
  f({ 'x-bin': 'text' }, /"x-bin" takes bytes/);
  f({ x: Uint8Array.of(1) }, /"x" takes text/);
});
