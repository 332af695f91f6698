/** Peers that do not speak gRPC as they should, on both sides. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  connect as connectHttp2,
  constants,
  createServer,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net';
import test, { type TestContext } from 'node:test';
import { openChannel, startGrpc, until } from '../../../test/support/grpc-peers.ts';
import { type GrpcCode, GrpcError } from './status.ts';

const PATH = '/test.Test/Echo';
const HEADERS = {
  ':method': 'POST',
  ':path': PATH,
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** Our server with a method that reads all and answers how much it was. */
async function start(t: TestContext, options: Parameters<typeof startGrpc>[2] = {}) {
  const ends: string[] = [];
  const started = await startGrpc(
    t,
    (server) => {
      server.add(PATH, 'unary', async (_call, request) => Buffer.from(`${request.length}`));
      server.add('/test.Test/Read', 'client-stream', async (call, requests) => {
        let count = 0;
        try {
          for await (const _ of requests) count++;
          ends.push(`${count}`);
        } catch (thrown) {
          ends.push(`${count} ${(thrown as GrpcError).rpcText} ${call.signal.aborted}`);
          throw thrown;
        }
        return Buffer.from(`${count}`);
      });
    },
    options,
  );
  const session = connectHttp2(`http://${started.address}`);
  session.on('error', () => undefined);
  t.after(() => session.destroy());
  return { ...started, session, ends };
}

/** Sends headers and bytes, and answers what comes back. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer) {
  const stream = session.request(headers, { endStream: body === undefined });
  stream.on('error', () => undefined);
  let got: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (response) => (got = { ...got, ...response }));
  stream.on('trailers', (trailers) => (got = { ...got, ...trailers }));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (body !== undefined) stream.end(body);
  await once(stream, 'close');
  return {
    http: got[':status'],
    code: got['grpc-status'],
    message: decodeURIComponent(String(got['grpc-message'] ?? '')),
    accepts: got['grpc-accept-encoding'],
    body: Buffer.concat(chunks),
  };
}

const framed = (text: string): Buffer =>
  Buffer.concat([Buffer.of(0, 0, 0, 0, text.length), Buffer.from(text)]);

test('requests that are no gRPC are told so', async (t) => {
  const { session } = await start(t);
  const f = async (
    headers: OutgoingHttpHeaders,
    want: readonly [http: number, code: string, message: string],
  ) => {
    const { http, code, message } = await ask(session, { ...HEADERS, ...headers }, framed('abc'));
    assert.deepEqual([http, code, message], want);
  };
  await f({}, [200, '0', '']);
  await f({ 'content-type': 'application/grpc+proto' }, [200, '0', '']);
  const type = 'invalid gRPC request content-type';
  await f({ 'content-type': 'text/html' }, [415, '3', `${type} "text/html"`]);
  await f({ 'content-type': undefined }, [415, '3', `${type} ""`]);
  await f({ ':method': 'PUT' }, [
    405,
    '13',
    'Received a HEADERS frame with :method "PUT" which should be POST',
  ]);
  await f({ 'grpc-timeout': '1x' }, [
    400,
    '13',
    'malformed grpc-timeout: transport: timeout unit is not recognized: "1x"',
  ]);
  await f({ ':path': '/' }, [200, '12', 'malformed method name: "/"']);
  await f({ ':path': '/one' }, [200, '12', 'malformed method name: "/one"']);
  await f({ ':path': '/a/b' }, [200, '12', 'unknown service a']);
  const get = await ask(session, { ':method': 'GET', ':path': PATH });
  assert.deepEqual([get.http, get.code], [415, '3']);
});

test('an encoding that we do not have is answered with those that we have', async (t) => {
  const { session } = await start(t);
  const headers = { ...HEADERS, 'grpc-encoding': 'zstd' };
  const { http, code, message, accepts } = await ask(session, headers, framed('abc'));
  assert.deepEqual(
    [http, code, message, accepts],
    [
      200,
      '12',
      'grpc: Decompressor is not installed for grpc-encoding "zstd"',
      'identity,gzip,snappy',
    ],
  );
});

test('bytes that are no messages end the call, not the connection', async (t) => {
  const { session } = await start(t, { messageBytesMax: 1000 });
  const f = async (body: Buffer, code: number, message: string) => {
    const answer = await ask(session, HEADERS, body);
    assert.deepEqual([answer.code, answer.message], [String(code), message]);
  };
  await f(Buffer.of(0), 13, 'unexpected EOF');
  await f(framed('abc').subarray(0, -1), 13, 'unexpected EOF');
  await f(Buffer.concat([framed('abc'), Buffer.of(0, 0)]), 13, 'unexpected EOF');
  await f(
    Buffer.of(1, 0, 0, 0, 1, 65),
    13,
    'grpc: compressed flag set with identity or empty encoding',
  );
  await f(Buffer.of(7, 0, 0, 0, 0), 13, 'grpc: received unexpected payload format 7');
  const large = 'grpc: received message larger than max (4294967295 vs. 1000)';
  await f(Buffer.of(0, 255, 255, 255, 255), 8, large);
  const { code, body } = await ask(session, HEADERS, framed('abc'));
  assert.deepEqual([code, String(body.subarray(5))], ['0', '3']);
});

test('a client that resets or leaves in the middle is an error for the reader', async (t) => {
  const { session, ends, address } = await start(t);
  const headers = { ...HEADERS, ':path': '/test.Test/Read' };
  const reset = session.request(headers, { endStream: false });
  reset.on('error', () => undefined);
  // Node would end the stream before it resets it.
  Object.assign(reset, { _final: (done: () => void) => done() });
  reset.write(Buffer.concat([framed('abc'), framed('abc').subarray(0, 6)]));
  const gone = connectHttp2(`http://${address}`);
  gone.on('error', () => undefined);
  const left = gone.request(headers, { endStream: false });
  left.on('error', () => undefined);
  left.write(framed('abc'));
  await once(left, 'ready');
  await until(() => left.bufferSize === 0 && reset.bufferSize === 0);
  reset.close(constants.NGHTTP2_CANCEL);
  gone.socket.destroy();
  await until(() => ends.length === 2);
  for (const end of ends) {
    assert.match(end, /^[01] rpc error: code = Canceled desc = context canceled true$/);
  }
});

test('a client that has sent its half waits for the answer', async (t) => {
  const { session, ends } = await start(t);
  const headers = { ...HEADERS, ':path': '/test.Test/Read' };
  const { code, body } = await ask(session, headers, Buffer.concat([framed('a'), framed('b')]));
  assert.deepEqual([code, String(body.subarray(5)), ends], ['0', '2', ['2']]);
});

test('garbage and HTTP/1.1 end their connection and nothing else', async (t) => {
  const { session, address } = await start(t);
  const port = Number(address.split(':').at(-1));
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'x'.repeat(100_000),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame'.repeat(100),
    '\0',
  ]) {
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.end(bytes);
    await once(socket, 'close');
  }
  assert.equal((await ask(session, HEADERS, framed('abc'))).code, '0');
});

/** A server on HTTP/2 that answers every request with `answer`. */
async function startRaw(t: TestContext, answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.resume();
    answer(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return openChannel(t, `127.0.0.1:${(server.address() as AddressInfo).port}`);
}

test('answers that are no gRPC become errors', async (t) => {
  const f = async (
    answer: (stream: ServerHttp2Stream) => void,
    code: GrpcCode,
    message: string,
  ) => {
    const channel = await startRaw(t, answer);
    await assert.rejects(channel.unary(PATH, Buffer.from('x')), (thrown: unknown) => {
      assert.ok(thrown instanceof GrpcError);
      assert.deepEqual([thrown.grpcCode, thrown.message], [code, message]);
      return true;
    });
    channel.close();
  };
  const http = 'unexpected HTTP status code received from server:';
  const html = 'transport: received unexpected content-type "text/html"';
  const page = (status: number) => (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': status, 'content-type': 'text/html' });
    stream.end('<html>');
  };
  await f(page(404), 'Unimplemented', `${http} 404 (Not Found); ${html}`);
  await f(page(503), 'Unavailable', `${http} 503 (Service Unavailable); ${html}`);
  await f(page(401), 'Unauthenticated', `${http} 401 (Unauthorized); ${html}`);
  await f(page(403), 'PermissionDenied', `${http} 403 (Forbidden); ${html}`);
  await f(page(400), 'Internal', `${http} 400 (Bad Request); ${html}`);
  await f(page(418), 'Unknown', `${http} 418 (I'm a Teapot); ${html}`);
  await f(
    (stream) => stream.respond({ ':status': 502 }, { endStream: true }),
    'Unavailable',
    `${http} 502 (Bad Gateway); malformed header: missing HTTP content-type`,
  );
  const grpc = { ':status': 200, 'content-type': 'application/grpc' };
  await f(
    (stream) => {
      stream.respond(grpc);
      stream.end(framed('abc'));
    },
    'Internal',
    'server closed the stream without sending trailers',
  );
  await f(
    (stream) => stream.respond({ ...grpc, 'grpc-status': 'x' }, { endStream: true }),
    'Unknown',
    'transport: malformed grpc-status: "x"',
  );
  await f(
    (stream) =>
      stream.respond({ ...grpc, 'grpc-status': '99', 'grpc-message': 'm' }, { endStream: true }),
    'Unknown',
    'm',
  );
  await f(
    (stream) => stream.respond({ ...grpc, 'grpc-encoding': 'br' }),
    'Internal',
    'grpc: Decompressor is not installed for grpc-encoding "br"',
  );
  const trailers = (body: Buffer) => (stream: ServerHttp2Stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.respond(grpc, { waitForTrailers: true });
    stream.end(body);
  };
  await f(trailers(framed('abc').subarray(0, 6)), 'Internal', 'unexpected EOF');
  await f(
    trailers(Buffer.of(9, 0, 0, 0, 0)),
    'Internal',
    'grpc: received unexpected payload format 9',
  );
  const resets: readonly (readonly [number, GrpcCode, string])[] = [
    [constants.NGHTTP2_CANCEL, 'Canceled', 'CANCEL'],
    [constants.NGHTTP2_INTERNAL_ERROR, 'Internal', 'INTERNAL_ERROR'],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'ResourceExhausted', 'ENHANCE_YOUR_CALM'],
    [constants.NGHTTP2_REFUSED_STREAM, 'Unavailable', 'REFUSED_STREAM'],
  ];
  for (const [number, code, name] of resets) {
    const text = `stream terminated by RST_STREAM with error code: ${name}`;
    await f((stream) => stream.close(number), code, text);
  }
});

test('a port where nobody speaks HTTP/2 is Unavailable', async (t) => {
  const f = async (answer: string, message: RegExp) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(answer);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const channel = openChannel(t, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    await assert.rejects(channel.unary(PATH, Buffer.from('x')), (thrown: unknown) => {
      assert.ok(thrown instanceof GrpcError);
      assert.equal(thrown.grpcCode, 'Unavailable');
      assert.match(thrown.message, message);
      return true;
    });
  };
  const preface = /^connection error: desc = "error reading server preface: /;
  await f('', preface);
  await f('HTTP/1.1 400 Bad Request\r\n\r\n', preface);
  await f('x'.repeat(10_000), preface);
});
