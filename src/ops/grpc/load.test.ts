/** Much of everything: large messages, many small ones, slow readers, calls that are canceled. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import test from 'node:test';
import { status as Status } from '@grpc/grpc-js';
import { OracleClient, SERVICE, startOracle } from '../../../test/support/grpc-oracle.ts';
import { openChannel, startGrpc, until } from '../../../test/support/grpc-peers.ts';
import type { GrpcServer } from './server.ts';

const path = (method: string): string => `/${SERVICE}/${method}`;
const ECHO = path('Echo');
const LARGE = Buffer.alloc(16 << 20, 'thanos ');

function addEcho(server: GrpcServer): void {
  server.add(ECHO, 'unary', async (_call, request) => request);
}

test('messages of 16 MB, both ways, plain and compressed, with both peers', async (t) => {
  const ours = await startGrpc(t, addEcho);
  const theirs = await startOracle(t, {
    unary: { Echo: (call, done) => done(null, call.request) },
  });
  const oracle = new OracleClient(t, ours.address);
  const { messages } = await oracle.call('Echo', { requests: [LARGE] });
  assert.ok(messages[0]?.equals(LARGE));
  for (const compression of ['identity', 'gzip', 'snappy'] as const) {
    const own = openChannel(t, ours.address, { compression });
    assert.ok(LARGE.equals(await own.unary(ECHO, LARGE)), compression);
    const parts = [LARGE.subarray(0, 3), LARGE.subarray(3, 9_000_000), LARGE.subarray(9_000_000)];
    assert.ok(LARGE.equals(await own.unary(ECHO, parts)), compression);
    if (compression === 'snappy') continue; // grpc-js does not know it
    const foreign = openChannel(t, theirs.address, { compression });
    assert.ok(LARGE.equals(await foreign.unary(ECHO, LARGE)), compression);
  }
});

test('parts in shared memory can be sent', async (t) => {
  const { address } = await startGrpc(t, addEcho);
  for (const compression of ['identity', 'gzip', 'snappy'] as const) {
    const channel = openChannel(t, address, { compression });
    for (const size of [10, 100_000]) {
      const shared = Buffer.from(new SharedArrayBuffer(size)).fill('x');
      const got = await channel.unary(ECHO, [Buffer.from('y'), shared]);
      assert.equal(Buffer.from(got).toString(), `y${'x'.repeat(size)}`);
      assert.equal((await channel.unary(ECHO, shared)).length, size);
    }
  }
});

/** Message `i` of a stream: of a size between 0 and 200, and different from its neighbours. */
function numbered(i: number): Buffer {
  return Buffer.alloc(i % 201, `${i},`);
}

test('100,000 small messages arrive in order, with both peers', async (t) => {
  const count = 100_000;
  const ours = await startGrpc(t, (server) => {
    server.add(path('Many'), 'server-stream', async (call) => {
      for (let i = 0; i < count; i++) await call.write(numbered(i));
    });
    server.add(path('Sum'), 'client-stream', async (_call, requests) => {
      let i = 0;
      for await (const request of requests) assert.ok(numbered(i++).equals(request));
      return Buffer.from(`${i}`);
    });
  });
  const theirs = await startOracle(t, {
    serverStream: {
      Many: (call) => {
        let i = 0;
        const write = (): void => {
          while (i < count) if (!call.write(numbered(i++))) return void call.once('drain', write);
          call.end();
        };
        write();
      },
    },
  });
  for (const { address } of [ours, theirs]) {
    const channel = openChannel(t, address);
    let i = 0;
    for await (const message of channel.serverStream(path('Many'), Buffer.of())) {
      assert.ok(numbered(i++).equals(message));
    }
    assert.equal(i, count);
  }
  const { messages } = await new OracleClient(t, ours.address).call('Many', {
    requests: [Buffer.of()],
  });
  assert.equal(messages.length, count);
  assert.ok(messages.every((message, i) => numbered(i).equals(message)));
  const upload = openChannel(t, ours.address).clientStream(path('Sum'));
  for (let i = 0; i < count; i++) await upload.write(numbered(i));
  upload.end();
  assert.equal(Buffer.from(await upload.onlyResponse()).toString(), `${count}`);
});

test('a client that does not read holds up its handler, and nobody else', async (t) => {
  let written = 0;
  let waiting = false;
  const { address } = await startGrpc(t, (server) => {
    addEcho(server);
    server.add(path('Endless'), 'server-stream', async (call) => {
      for (;;) {
        const room = call.write(Buffer.alloc(8192));
        written += 8192;
        waiting = true;
        await room;
        waiting = false;
      }
    });
  });
  const session = connectHttp2(`http://${address}`);
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': path('Endless'),
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  stream.end(Buffer.alloc(5));
  stream.pause();
  // HTTP/2's own window is 64 KiB: more the handler cannot get rid of.
  for (let seen = -1; seen !== written;) {
    seen = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(waiting);
  assert.ok(written < 512 * 1024, `${written} bytes were written`);
  const channel = openChannel(t, address);
  assert.equal((await channel.unary(ECHO, Buffer.from('abc'))).length, 3);
  // It goes on as soon as somebody reads.
  stream.resume();
  const before = written;
  await until(() => written > before + 2_000_000);
});

test('a server that does not read holds up its client', async (t) => {
  const go = Promise.withResolvers<void>();
  let read = 0;
  const { address } = await startGrpc(t, (server) => {
    server.add(path('Read'), 'client-stream', async (_call, requests) => {
      await go.promise;
      for await (const request of requests) read += request.length;
      return Buffer.of();
    });
  });
  const upload = openChannel(t, address).clientStream(path('Read'));
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 2000; i++) {
      written += 10_000;
      await upload.write(Buffer.alloc(10_000));
    }
    upload.end();
  })();
  for (let seen = -1; seen !== written;) {
    seen = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // A window of 1 MB, a queue and a buffer of 256 KiB each, and what lies in sockets.
  assert.ok(written < 10_000_000, `${written} bytes were written`);
  go.resolve();
  await writing;
  await upload.onlyResponse();
  assert.equal(read, 20_000_000);
});

test('10,000 canceled calls leave a connection healthy, with each client', async (t) => {
  let begun = 0;
  let ended = 0;
  const peers = new Set<string>();
  const { address, metrics } = await startGrpc(t, (server) => {
    server.add(ECHO, 'unary', async (call, request) => {
      peers.add(call.peer);
      return request;
    });
    server.add(path('Endless'), 'server-stream', async (call) => {
      begun++;
      peers.add(call.peer);
      try {
        // More than a window of all calls together, had those of ended calls not been given back.
        for (let i = 0; i < 4; i++) await call.write(Buffer.alloc(8192));
        await once(call.signal, 'abort');
      } finally {
        ended++;
      }
    });
  });
  const count = 10_000;
  const channel = openChannel(t, address);
  for (let i = 0; i < count; i++) {
    const call = channel.serverStream(path('Endless'), Buffer.of());
    // Some at once, some in the middle.
    if (i % 3 > 0) await call.next();
    call.cancel();
  }
  assert.equal((await channel.unary(ECHO, Buffer.from('abc'))).length, 3);
  assert.equal(peers.size, 1);
  const oracle = new OracleClient(t, address);
  for (let i = 0; i < 1000; i++) {
    const { status } = await oracle.call('Endless', { requests: [Buffer.of()], cancelAfter: 1 });
    assert.equal(status.code, Status.CANCELLED);
  }
  const { status } = await oracle.call('Echo', { requests: [Buffer.from('abc')] });
  assert.equal(status.code, Status.OK);
  assert.equal(peers.size, 2);
  await until(() => begun === ended);
  assert.ok(begun > (count * 2) / 3);
  const samples = await metrics.snapshot();
  const counted = samples.filter(
    ({ name, labels }) =>
      name === 'grpc_server_handled_total' && labels.some(([, value]) => value === 'Canceled'),
  );
  assert.equal(counted.reduce((n, sample) => n + sample.value, 0) >= begun, true);
});

test('many calls at once on one connection', async (t) => {
  const { address } = await startGrpc(t, addEcho);
  const channel = openChannel(t, address);
  const oracle = new OracleClient(t, address);
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => channel.unary(ECHO, Buffer.from(`${i}`))),
  );
  assert.ok(answers.every((answer, i) => Buffer.from(answer).toString() === `${i}`));
  const theirs = await Promise.all(
    Array.from({ length: 200 }, (_, i) => oracle.call('Echo', { requests: [Buffer.from(`${i}`)] })),
  );
  assert.ok(theirs.every(({ messages }, i) => String(messages[0]) === `${i}`));
});
