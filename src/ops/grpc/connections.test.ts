/** Connections that come and go: loss, GOAWAY, age, keepalive. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ServerHttp2Session,
  connect as connectHttp2,
  constants,
  createServer,
} from 'node:http2';
import {
  type AddressInfo,
  type Socket,
  connect as connectTcp,
  createServer as createTcpServer,
} from 'node:net';
import test, { type TestContext } from 'node:test';
import { status as Status } from '@grpc/grpc-js';
import { freePort } from '../../../test/support/free-port.ts';
import { OracleClient, SERVICE, startOracle } from '../../../test/support/grpc-oracle.ts';
import { openChannel, startGrpc, until } from '../../../test/support/grpc-peers.ts';
import { type Logger, nopLogger } from '../../lib/log.ts';
import type { GrpcServer } from './server.ts';
import { GrpcError } from './status.ts';

const ECHO = `/${SERVICE}/Echo`;
const HOLD = `/${SERVICE}/Hold`;

/** A method that answers, and one that answers when it is let go. */
function methods(held: PromiseWithResolvers<void>[] = []) {
  return (server: GrpcServer): void => {
    server.add(ECHO, 'unary', async (_call, request) => request);
    server.add(HOLD, 'unary', async (_call, request) => {
      const hold = Promise.withResolvers<void>();
      held.push(hold);
      await hold.promise;
      return request;
    });
  };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(
    () => assert.fail('the call succeeded'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof GrpcError, String(thrown));
  return thrown.rpcText;
}

const body = Buffer.from('x');

test('without a server calls fail with the reason, at once until the wait is over', async (t) => {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const channel = openChannel(t, address, { backoff: { baseMs: 100_000 } });
  const want = `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}: connect: connection refused"`;
  assert.equal(await failure(channel.unary(ECHO, body)), want);
  await startGrpc(t, methods(), { port });
  assert.equal(await failure(channel.unary(ECHO, body)), want, 'nobody tries again yet');
  assert.equal(channel.isReady, false);
});

test('who waits for ready gets his answer when the server is there, or his deadline', async (t) => {
  const port = await freePort();
  const channel = openChannel(t, `127.0.0.1:${port}`, { backoff: { baseMs: 5, maxMs: 20 } });
  const options = { waitForReady: true };
  const late = await failure(channel.unary(ECHO, body, { ...options, timeoutMs: 30 }));
  assert.match(late, /DeadlineExceeded/);
  const waiting = [1, 2, 3].map(() => channel.unary(ECHO, body, options));
  await startGrpc(t, methods(), { port });
  assert.deepEqual((await Promise.all(waiting)).map(String), ['x', 'x', 'x']);
});

test('a server that comes back is found again, by both clients', async (t) => {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const channel = openChannel(t, address, { backoff: { baseMs: 1, maxMs: 5 } });
  const oracle = new OracleClient(t, address, { 'grpc.initial_reconnect_backoff_ms': 100 });
  for (let round = 0; round < 3; round++) {
    const { server } = await startGrpc(t, methods(), { port });
    assert.equal(String(await channel.unary(ECHO, body, { waitForReady: true })), 'x');
    const deadline = Date.now() + 60_000;
    await new Promise<void>((resolve, reject) => {
      oracle.client.waitForReady(deadline, (error) => (error ? reject(error) : resolve()));
    });
    assert.equal((await oracle.call('Echo', { requests: [body] })).status.code, Status.OK);
    await server.close();
    await failure(channel.unary(ECHO, body));
  }
});

test('close lets calls at hand finish and takes no new ones', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { server, address } = await startGrpc(t, methods(held), { gracePeriodMs: 60_000 });
  const channel = openChannel(t, address);
  const oracle = new OracleClient(t, address);
  const calls = [channel.unary(HOLD, body), oracle.call('Hold', { requests: [body] })] as const;
  await until(() => held.length === 2);
  const closed = server.close();
  await until(() => !channel.isReady);
  assert.match(await failure(channel.unary(ECHO, body)), /Unavailable/);
  for (const hold of held) hold.resolve();
  assert.equal(String(await calls[0]), 'x');
  assert.equal((await calls[1]).status.code, Status.OK);
  await closed;
  assert.equal(server.close(), server.close());
});

test('close cuts what is left after the grace period', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { server, address } = await startGrpc(t, methods(held), { gracePeriodMs: 20 });
  const channel = openChannel(t, address);
  const call = failure(channel.unary(HOLD, body));
  await until(() => held.length === 1);
  await server.close();
  assert.match(await call, /^rpc error: code = Unavailable desc = /);
  held[0]?.resolve();
});

test('the end of a channel ends its calls', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { address } = await startGrpc(t, methods(held));
  const channel = openChannel(t, address);
  const call = failure(channel.unary(HOLD, body));
  await until(() => held.length === 1);
  channel.close();
  const want = 'rpc error: code = Canceled desc = grpc: the client connection is closing';
  assert.equal(await call, want);
  assert.equal(await failure(channel.unary(ECHO, body)), want);
  held[0]?.resolve();
});

test('connections of a certain age are replaced while calls go on', async (t) => {
  const { address } = await startGrpc(t, methods(), { maxConnectionAgeMs: 30 });
  const ports = new Set<string>();
  const { address: other } = await startGrpc(
    t,
    (server) =>
      server.add(ECHO, 'unary', async (call, request) => {
        ports.add(call.peer);
        return request;
      }),
    { maxConnectionAgeMs: 30 },
  );
  const channel = openChannel(t, other);
  const oracle = new OracleClient(t, address);
  while (ports.size < 5) assert.equal(String(await channel.unary(ECHO, body)), 'x');
  for (let i = 0; i < 100; i++) {
    const { status } = await oracle.call('Echo', { requests: [body] });
    assert.equal(status.code, Status.OK, status.details);
  }
});

test('calls of an old connection may finish, until the grace is over', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { address } = await startGrpc(t, methods(held), {
    maxConnectionAgeMs: 10,
    maxConnectionAgeGraceMs: 50,
  });
  const channel = openChannel(t, address);
  const call = failure(channel.unary(HOLD, body));
  assert.match(await call, /Unavailable/);
  for (const hold of held) hold.resolve();
  const patient = await startGrpc(t, methods(held), { maxConnectionAgeMs: 10 });
  const second = openChannel(t, patient.address);
  const slow = second.unary(HOLD, body);
  await until(() => held.length === 2);
  await until(() => !second.isReady);
  held[1]?.resolve();
  assert.equal(String(await slow), 'x');
});

test('a server of grpc-js that ages its connections loses no call of ours', async (t) => {
  const { address } = await startOracle(
    t,
    { unary: { Echo: (call, done) => done(null, call.request) } },
    { options: { 'grpc.max_connection_age_ms': 20 } },
  );
  const channel = openChannel(t, address);
  for (let round = 0; round < 100; round++) {
    const answers = await Promise.all([1, 2, 3].map(() => channel.unary(ECHO, body)));
    assert.deepEqual(answers.map(String), ['x', 'x', 'x']);
  }
});

/** A server on HTTP/2 whose sessions the test looks after. */
async function startRaw(t: TestContext, onSession: (session: ServerHttp2Session) => void) {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    onSession(session);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('calls that a leaving server did not begin go to the next connection', async (t) => {
  let sessions = 0;
  const refused: string[] = [];
  const address = await startRaw(t, (session) => {
    const number = ++sessions;
    session.on('stream', (stream) => {
      stream.on('error', () => undefined);
      if (number === 1) {
        refused.push('refused');
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
        if (refused.length === 2) session.goaway(constants.NGHTTP2_NO_ERROR);
        return;
      }
      stream.resume();
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' },
        { endStream: true },
      );
    });
  });
  const channel = openChannel(t, address);
  assert.match(await failure(channel.unary(ECHO, body)), /NotFound/);
  assert.equal(sessions, 2);
  assert.equal(refused.length, 2);
});

test('a server that does not answer pings is given up', async (t) => {
  const sockets: Socket[] = [];
  // Settings without anything, their acknowledgement, and then nothing.
  const frames = Buffer.from('000000040000000000000000040100000000', 'hex');
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.write(frames);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const channel = openChannel(t, address, { keepaliveMs: 20, keepaliveTimeoutMs: 20 });
  assert.equal(
    await failure(channel.unary(ECHO, body)),
    'rpc error: code = Unavailable desc = keepalive ping failed to receive ACK within timeout',
  );
});

test('a slow call outlives many pings, and a client that does not answer them is cut', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { address } = await startGrpc(t, methods(held), {
    keepaliveMs: 10,
    keepaliveTimeoutMs: 40,
    minPingIntervalMs: 0,
  });
  const channel = openChannel(t, address, { keepaliveMs: 5, keepaliveTimeoutMs: 20_000 });
  const slow = channel.unary(HOLD, body);
  // A client of which nothing comes after its preface and its settings.
  const dead = connectTcp(Number(address.split(':').at(-1)), '127.0.0.1');
  dead.on('error', () => undefined);
  dead.on('data', () => undefined);
  dead.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  dead.write(Buffer.from('000000040000000000', 'hex'));
  await once(dead, 'close');
  let pings = 0;
  const live = connectHttp2(`http://${address}`);
  live.on('error', () => undefined);
  t.after(() => live.destroy());
  live.on('ping', () => pings++);
  await until(() => pings >= 10);
  held[0]?.resolve();
  assert.equal(String(await slow), 'x');
});

test('clients that ping too often are sent away, and ping half as often afterwards', async (t) => {
  const held: PromiseWithResolvers<void>[] = [];
  const { address } = await startGrpc(t, methods(held), { minPingIntervalMs: 60_000 });
  const warnings: unknown[] = [];
  const log: Logger = {
    ...nopLogger,
    warn: (_msg, fields) => warnings.push(fields?.['keepalive_ms']),
  };
  const channel = openChannel(t, address, { keepaliveMs: 5, log });
  const text = await failure(channel.unary(HOLD, body));
  assert.match(text, /^rpc error: code = Unavailable desc = .*ENHANCE_YOUR_CALM.*too_many_pings/);
  assert.deepEqual(warnings, [10]);
  for (const hold of held) hold.resolve();
  const oracle = new OracleClient(t, address, {
    'grpc.keepalive_time_ms': 5,
    'grpc.keepalive_permit_without_calls': 1,
  });
  const { status } = await oracle.call('Hold', { requests: [body] });
  assert.equal(status.code, Status.RESOURCE_EXHAUSTED); // its word for ENHANCE_YOUR_CALM
  for (const hold of held) hold.resolve();
});

test('a client may ping while it is sent to', async (t) => {
  const { address } = await startGrpc(t, (server) => {
    server.add(`/${SERVICE}/Stream`, 'server-stream', async (call) => {
      for (let i = 0; i < 50; i++) {
        await call.write(body);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
  });
  const session = connectHttp2(`http://${address}`);
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${SERVICE}/Stream`,
    'content-type': 'application/grpc',
  });
  stream.end(Buffer.alloc(5));
  let chunks = 0;
  stream.on('data', () => {
    chunks++;
    session.ping(() => undefined);
  });
  const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>];
  assert.equal(trailers['grpc-status'], '0');
  assert.ok(chunks > 3);
});
