import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { type RequestOptions, request as httpsRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { hashSync } from 'bcryptjs';
import { CertificateAuthority } from '../../test/support/certificates.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { type Logger, nopLogger } from '../lib/log.ts';
import { sendPieces } from './http-body.ts';
import { HttpMetrics } from './http-metrics.ts';
import { HttpServer } from './http-server.ts';
import { ProcessMetrics } from './metrics.ts';
import { Probe } from './probe.ts';
import { WebConfig } from './web-config.ts';

const CA = new CertificateAuthority('test CA');
const OTHER_CA = new CertificateAuthority('other CA');
const SERVER = CA.issue({ commonName: 'one', names: ['localhost', '127.0.0.1'] });
const SECOND = CA.issue({ commonName: 'two', names: ['localhost', '127.0.0.1'] });
const CLIENT = CA.issue({ commonName: 'client', names: ['client.example', '10.0.0.1'] });
const STRANGER = OTHER_CA.issue({ commonName: 'stranger', names: ['client.example'] });

/** A server under a configuration file that tests rewrite. */
async function start(t: TestContext, config: string, more: { log?: Logger; grace?: number } = {}) {
  const directory = temporaryDirectory();
  t.after(() => directory[Symbol.dispose]());
  const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
  write('server.crt', SERVER.cert);
  write('server.key', SERVER.key);
  write('ca.crt', CA.cert);
  write('web.yml', config);
  const { log = nopLogger, grace = 30_000 } = more;
  const web = await WebConfig.open(join(directory.path, 'web.yml'), { log });
  const metrics = new ProcessMetrics();
  const probe = new Probe('test', nopLogger, metrics);
  probe.ready();
  const server = new HttpServer({
    log,
    httpMetrics: new HttpMetrics(metrics, ''),
    gracePeriodMs: grace,
    probe,
    metrics,
    web,
  });
  server.app.get('/pieces', (request, reply) =>
    sendPieces(request, reply, 200, 'a/b', [Buffer.alloc(100_000, 'x')]),
  );
  server.app.post('/echo', { config: { handler: 'echo' } }, async (request) => {
    let n = 0;
    for await (const chunk of request.raw) n += (chunk as Buffer).length;
    return `${n} bytes by HTTP/${request.raw.httpVersion}`;
  });
  server.app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  const address = await server.listen('127.0.0.1:0');
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= server.close());
  t.after(close);
  return { address, port: Number(address.split(':')[1]), write, server, close };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** One request on a connection of its own. */
function get(url: string, options: RequestOptions & { body?: string } = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const send = url.startsWith('https') ? httpsRequest : httpRequest;
  const request = send(url, { agent: false, ca: CA.cert, ...options }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (body += chunk));
    response.on('error', reject);
    response.on('end', () => {
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
  });
  request.on('error', reject);
  request.end(options.body);
  return promise;
}

/** The subject of the certificate that a new connection is shown. */
async function subject(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: CA.cert, ...options });
  await once(socket, 'secureConnect');
  const name = socket.getPeerX509Certificate()?.subject ?? '';
  socket.destroy();
  return name;
}

const TLS = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n';

test('basic authentication guards every path, and headers are on every answer', async (t) => {
  const hash = hashSync('secret', 4);
  const { address } = await start(
    t,
    `basic_auth_users:\n  alice: ${hash}\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n`,
  );
  const f = async (path: string, auth: string | undefined, status: number, body?: string) => {
    const got = await get(`http://${address}${path}`, auth === undefined ? {} : { auth });
    assert.equal(got.status, status, path);
    assert.equal(got.headers['x-frame-options'], 'deny');
    assert.equal(got.headers['www-authenticate'], status === 401 ? 'Basic' : undefined);
    if (body !== undefined) assert.equal(got.body, body);
  };
  for (const path of ['/-/ready', '/metrics', '/pieces', '/nope', '/%zz']) {
    await f(path, undefined, 401, 'Unauthorized\n');
    await f(path, 'alice:wrong', 401, 'Unauthorized\n');
    await f(path, 'bob:secret', 401, 'Unauthorized\n');
  }
  await f('/-/ready', 'alice:secret', 200, 'OK');
  await f('/metrics', 'alice:secret', 200);
  await f('/pieces', 'alice:secret', 200, 'x'.repeat(100_000));
  await f('/nope', 'alice:secret', 404, '404 page not found\n');
  await f('/%zz', 'alice:secret', 400, '400 Bad Request');
  const body = 'y'.repeat(300_000);
  const posted = await get(`http://${address}/echo`, {
    method: 'POST',
    auth: 'alice:secret',
    body,
  });
  assert.equal(posted.body, '300000 bytes by HTTP/1.1');
});

test('a changed file is in force at the next request; a broken one lets nobody in', async (t) => {
  const errors: string[] = [];
  const log: Logger = {
    ...nopLogger,
    with: () => log,
    error: (msg, fields) => errors.push(`${msg}: ${String(fields?.['err'])}`),
  };
  const { address, write } = await start(t, '', { log });
  const f = async (auth: string | undefined, status: number) => {
    const got = await get(`http://${address}/-/ready`, auth === undefined ? {} : { auth });
    assert.equal(got.status, status);
    return got;
  };
  await f(undefined, 200);
  write('web.yml', `basic_auth_users:\n  alice: ${hashSync('a', 4)}`);
  await f(undefined, 401);
  await f('alice:a', 200);
  write('web.yml', `basic_auth_users:\n  alice: ${hashSync('b', 4)}`);
  await f('alice:a', 401);
  await f('alice:b', 200);
  write('web.yml', 'basic_auth_userss: {}');
  assert.equal((await f('alice:b', 500)).body, 'Internal Server Error\n');
  assert.match(
    errors[0] ?? '',
    /Unable to parse configuration: .*web\.yml:1: basic_auth_userss: unknown field/,
  );
  write('web.yml', '');
  await f(undefined, 200);
});

test('requests beyond the rate limit', async (t) => {
  const { address } = await start(t, 'rate_limit: {interval: 1h, burst: 2}');
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await get(`http://${address}/-/ready`)).status);
  assert.deepEqual(statuses, [200, 200, 429]);
});

test('files that are wrong at the start', async (t) => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'web.yml');
  const f = async (text: string, want: RegExp) => {
    writeFileSync(path, text);
    await assert.rejects(WebConfig.open(path, { log: nopLogger }), want);
  };
  await f('x', /web\.yml:1: expected a mapping/);
  await f('basic_auth_users:\n  alice: secret', /alice: not a bcrypt hash/);
  await f(TLS, /failed to read cert_file \(.*server\.crt\): ENOENT/);
  writeFileSync(join(directory.path, 'server.crt'), 'garbage');
  writeFileSync(join(directory.path, 'server.key'), SERVER.key);
  await f(TLS, /failed to load X509KeyPair: /);
  writeFileSync(join(directory.path, 'server.crt'), SECOND.cert);
  await f(TLS, /failed to load X509KeyPair: .*key values mismatch/);
  writeFileSync(join(directory.path, 'server.crt'), SERVER.cert);
  await f(
    `${TLS}  client_ca: garbage\n  client_auth_type: RequestClientCert`,
    /failed to read the client CA/,
  );
  await assert.rejects(
    WebConfig.open(join(directory.path, 'none.yml'), { log: nopLogger }),
    /^CodedError: read .*none\.yml: ENOENT/,
  );
  t.diagnostic('a server cannot be made of any of them');
});

test('HTTPS, by HTTP/1.1 and by HTTP/2', async (t) => {
  const { address } = await start(t, TLS);
  const base = `https://${address}`;
  assert.equal((await get(`${base}/-/ready`)).body, 'OK');
  assert.equal((await get(`${base}/pieces`)).body.length, 100_000);
  const session = connectHttp2(base, { ca: CA.cert });
  t.after(() => session.destroy());
  const ask = async (headers: Record<string, string>, body?: string) => {
    const stream = session.request(headers);
    stream.setEncoding('utf8');
    stream.end(body);
    const [got] = (await once(stream, 'response')) as [Record<string, unknown>];
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return { status: got[constants.HTTP2_HEADER_STATUS], type: got['content-type'], text };
  };
  assert.deepEqual(await ask({ ':path': '/-/ready' }), {
    status: 200,
    type: 'text/plain; charset=utf-8',
    text: 'OK',
  });
  const pieces = await ask({ ':path': '/pieces' });
  assert.deepEqual([pieces.status, pieces.text.length], [200, 100_000]);
  assert.equal((await ask({ ':path': '/nope' })).text, '404 page not found\n');
  const posted = await ask({ ':path': '/echo', ':method': 'POST' }, 'z'.repeat(200_000));
  assert.equal(posted.text, '200000 bytes by HTTP/2.0');
});

test('HTTP/2 can be turned off', async (t) => {
  const { port } = await start(t, `${TLS}http_server_config:\n  http2: false\n`);
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: CA.cert,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  await once(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, 'http/1.1');
  socket.destroy();
});

test('new connections are shown new certificates; a broken pair ends handshakes until it is mended', async (t) => {
  const { port, write, address } = await start(t, TLS);
  assert.equal(await subject(port), 'CN=one');
  write('server.crt', SECOND.cert);
  await assert.rejects(subject(port));
  write('server.key', SECOND.key);
  assert.equal(await subject(port), 'CN=two');
  const inline = `tls_server_config:\n  cert: ${JSON.stringify(SERVER.cert)}\n  key: ${JSON.stringify(SERVER.key)}\n`;
  write('web.yml', inline);
  assert.equal(await subject(port), 'CN=one');
  write('web.yml', '');
  await assert.rejects(subject(port));
  write('web.yml', TLS);
  assert.equal((await get(`https://${address}/-/ready`)).body, 'OK');
});

test('the five kinds of client authentication', async (t) => {
  const { address, write } = await start(t, TLS);
  const f = async (auth: string, want: Record<'none' | 'known' | 'stranger', boolean>) => {
    const ca = auth === 'NoClientCert' ? '' : '  client_ca_file: ca.crt\n';
    write('web.yml', `${TLS}${ca}  client_auth_type: ${auth}\n`);
    const credentials = { none: {}, known: CLIENT, stranger: STRANGER };
    for (const who of ['none', 'known', 'stranger'] as const) {
      const got = await get(`https://${address}/-/ready`, credentials[who]).then(
        ({ body }) => body === 'OK',
        () => false,
      );
      assert.equal(got, want[who], `${auth} ${who}`);
    }
  };
  await f('NoClientCert', { none: true, known: true, stranger: true });
  await f('RequestClientCert', { none: true, known: true, stranger: true });
  await f('RequireAnyClientCert', { none: false, known: true, stranger: true });
  await f('RequireClientCert', { none: false, known: true, stranger: true });
  await f('VerifyClientCertIfGiven', { none: true, known: true, stranger: false });
  await f('RequireAndVerifyClientCert', { none: false, known: true, stranger: false });
});

test('names that a client must have', async (t) => {
  const { address, write } = await start(t, TLS);
  const f = async (sans: string, want: boolean, credentials: object = CLIENT) => {
    write(
      'web.yml',
      `${TLS}  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: ${sans}\n`,
    );
    const got = await get(`https://${address}/-/ready`, credentials).then(
      ({ body }) => body === 'OK',
      () => false,
    );
    assert.equal(got, want, sans);
  };
  await f('[client.example]', true);
  await f('[other, 10.0.0.1]', true);
  await f('[client]', false);
  await f('["*.example"]', false);
  await f('[]', false);
  await f('[client.example]', false, STRANGER);
});

test('versions and cipher suites', async (t) => {
  const rsa = CA.issue({ commonName: 'rsa', names: ['127.0.0.1'], rsa: true });
  const { port, write } = await start(t, TLS);
  write('server.crt', rsa.cert);
  write('server.key', rsa.key);
  const negotiated = async (options: ConnectionOptions) => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: CA.cert, ...options });
    await once(socket, 'secureConnect');
    const got = `${socket.getProtocol()} ${socket.getCipher().name}`;
    socket.destroy();
    return got;
  };
  write(
    'web.yml',
    `${TLS}  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n`,
  );
  assert.equal(await negotiated({}), 'TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384');
  await assert.rejects(negotiated({ minVersion: 'TLSv1.3' }));
  write('web.yml', `${TLS}  min_version: TLS13\n`);
  assert.match(await negotiated({}), /^TLSv1\.3 /);
  await assert.rejects(negotiated({ maxVersion: 'TLSv1.2' }));
});

test('what is no TLS, and clients that say nothing, do no harm; a stop waits for neither', async (t) => {
  const { address, port, close } = await start(t, TLS);
  const noise = connectPlain(port, '127.0.0.1');
  noise.on('error', () => undefined);
  noise.write('GET / HTTP/1.1\r\n\r\n');
  noise.resume();
  await once(noise, 'close');
  const silent = connectPlain(port, '127.0.0.1');
  silent.on('error', () => undefined);
  silent.resume();
  await once(silent, 'connect');
  const cut = connectTls({ port, host: '127.0.0.1', ca: CA.cert });
  cut.on('error', () => undefined);
  await once(cut, 'secureConnect');
  cut.write('GET /pieces HTTP/1.1\r\nhost: x\r\n\r\n');
  cut.destroy();
  assert.equal((await get(`https://${address}/-/ready`)).body, 'OK');
  const session = connectHttp2(`https://${address}`, { ca: CA.cert });
  t.after(() => session.destroy());
  await once(session, 'connect');
  const gone = [once(session, 'close'), once(silent, 'close')];
  await close();
  await Promise.all(gone);
});

test('what outlives the grace period is cut off under TLS, too', async (t) => {
  const { address, close } = await start(t, TLS, { grace: 1 });
  const inside = connectHttp2(`https://${address}`, { ca: CA.cert });
  inside.on('error', () => undefined);
  t.after(() => inside.destroy());
  const stream = inside.request({ ':path': '/echo', ':method': 'POST' });
  stream.on('error', () => undefined);
  // A stream that nobody reads may be closed and yet never destroyed.
  stream.resume();
  stream.write('never ended');
  await once(inside, 'remoteSettings');
  const ended = once(stream, 'close');
  await close();
  await ended;
});
