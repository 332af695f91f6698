import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ChannelCredentials, ServerCredentials, status as Status } from '@grpc/grpc-js';
import { CertificateAuthority, type Credentials } from '../../../test/support/certificates.ts';
import { OracleClient, SERVICE, startOracle } from '../../../test/support/grpc-oracle.ts';
import { openChannel, startGrpc } from '../../../test/support/grpc-peers.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { nopLogger } from '../../lib/log.ts';
import { ClientTls, ServerTls } from '../tls-files.ts';
import { GrpcError } from './status.ts';

const ECHO = `/${SERVICE}/Echo`;
const authority = new CertificateAuthority('authority');
const stranger = new CertificateAuthority('stranger');
const NAMES = ['localhost', '127.0.0.1'];
const body = Buffer.from('x');
/** grpc-js cannot check addresses on Node 26, which does not send them as server names. */
const BY_NAME = { 'grpc.ssl_target_name_override': 'localhost' };

/** Files in a directory of the test. */
function files(t: TestContext) {
  const directory = temporaryDirectory();
  t.after(() => directory[Symbol.dispose]());
  const write = (name: string, text: string): string => {
    const path = join(directory.path, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return path;
  };
  const pair = (name: string, { cert, key }: Credentials) => ({
    certFile: write(`${name}.crt`, cert),
    keyFile: write(`${name}.key`, key),
  });
  return { write, pair };
}

/** Our server with TLS, which asks for a certificate when `mutual`. */
async function start(t: TestContext, mutual: boolean) {
  const { write, pair } = files(t);
  const certs = pair('server', authority.issue({ commonName: 'server', names: NAMES }));
  const caFile = write('ca.crt', authority.cert);
  const tls = await ServerTls.open(
    { ...certs, caFile: mutual ? caFile : '', minVersion: '1.3' },
    nopLogger,
  );
  const { address } = await startGrpc(
    t,
    (server) => server.add(ECHO, 'unary', async (_call, request) => request),
    { tls },
  );
  const connect = async (options: Parameters<typeof ClientTls.open>[0] = {}) =>
    openChannel(t, address, { tls: await ClientTls.open({ caFile, ...options }) });
  return { address, write, pair, connect };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(
    () => assert.fail('the call succeeded'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof GrpcError, String(thrown));
  assert.equal(thrown.grpcCode, 'Unavailable');
  return thrown.message;
}

test('TLS, with each client', async (t) => {
  const { address, connect } = await start(t, false);
  assert.equal(String(await (await connect()).unary(ECHO, body)), 'x');
  const credentials = ChannelCredentials.createSsl(Buffer.from(authority.cert));
  const oracle = new OracleClient(t, address, BY_NAME, credentials);
  assert.equal((await oracle.call('Echo', { requests: [body] })).status.code, Status.OK);
});

test('a client that does not trust the server says why', async (t) => {
  const { address, write, connect } = await start(t, false);
  const f = async (channel: ReturnType<typeof openChannel>, message: RegExp) =>
    assert.match(await failure(channel.unary(ECHO, body)), message);
  const other = await connect({ caFile: write('other.crt', stranger.cert) });
  await f(
    other,
    /^connection error: desc = "transport: authentication handshake failed: unable to verify/,
  );
  await f(
    await connect({ serverName: 'elsewhere' }),
    /handshake failed: Hostname\/IP does not match/,
  );
  const blind = await connect({ caFile: '', skipVerify: true });
  assert.equal(String(await blind.unary(ECHO, body)), 'x');
  await f(openChannel(t, address), /error reading server preface/);
});

test('a client with TLS at a server without', async (t) => {
  const { address } = await startGrpc(t, () => undefined);
  const channel = openChannel(t, address, { tls: await ClientTls.open({ skipVerify: true }) });
  assert.match(await failure(channel.unary(ECHO, body)), /authentication handshake failed/);
});

test('both sides prove who they are, with each client', async (t) => {
  const { address, pair, connect } = await start(t, true);
  const mine = authority.issue({ commonName: 'client' });
  assert.equal(String(await (await connect(pair('client', mine))).unary(ECHO, body)), 'x');
  const anonymous = await failure((await connect()).unary(ECHO, body));
  assert.match(anonymous, /error reading server preface: (tls: .*certificate required|EOF)/);
  const foreign = pair('foreign', stranger.issue({ commonName: 'client' }));
  await failure((await connect(foreign)).unary(ECHO, body));
  const ask = async (credentials: ChannelCredentials) => {
    const oracle = new OracleClient(t, address, BY_NAME, credentials);
    return (await oracle.call('Echo', { requests: [body] })).status.code;
  };
  const [ca, key, cert] = [authority.cert, mine.key, mine.cert].map((text) => Buffer.from(text));
  assert.equal(await ask(ChannelCredentials.createSsl(ca, key, cert)), Status.OK);
  assert.equal(await ask(ChannelCredentials.createSsl(ca)), Status.UNAVAILABLE);
});

test('a server of grpc-js that asks for certificates', async (t) => {
  const { write, pair } = files(t);
  const { cert, key } = authority.issue({ commonName: 'server', names: NAMES });
  const { address } = await startOracle(
    t,
    { unary: { Echo: (call, done) => done(null, call.request) } },
    {
      credentials: ServerCredentials.createSsl(
        Buffer.from(authority.cert),
        [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }],
        true,
      ),
    },
  );
  const caFile = write('ca.crt', authority.cert);
  const client = pair('client', authority.issue({ commonName: 'client' }));
  const tls = await ClientTls.open({ caFile, ...client });
  assert.equal(String(await openChannel(t, address, { tls }).unary(ECHO, body)), 'x');
  const anonymous = await ClientTls.open({ caFile });
  await failure(openChannel(t, address, { tls: anonymous }).unary(ECHO, body));
});

test('new certificates are taken while old connections go on', async (t) => {
  const { write, pair, connect } = await start(t, true);
  const client = pair('client', authority.issue({ commonName: 'client' }));
  const old = await connect(client);
  assert.equal(String(await old.unary(ECHO, body)), 'x');
  // The authority is replaced on both sides: who connects from now on trusts only the new one.
  const next = new CertificateAuthority('next');
  pair('server', next.issue({ commonName: 'server', names: NAMES }));
  write('ca.crt', next.cert);
  assert.equal(String(await old.unary(ECHO, body)), 'x');
  await failure((await connect(client)).unary(ECHO, body));
  pair('client', next.issue({ commonName: 'client' }));
  assert.equal(String(await (await connect(client)).unary(ECHO, body)), 'x');
  assert.equal(String(await old.unary(ECHO, body)), 'x');
});
