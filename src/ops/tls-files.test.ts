import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type ConnectionOptions, type TLSSocket, connect, createServer } from 'node:tls';
import { CertificateAuthority, type Credentials } from '../../test/support/certificates.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { ClientTls, ServerTls, type TlsFiles } from './tls-files.ts';
import { tlsLimits } from './tls-names.ts';

const authority = new CertificateAuthority('authority');
const SERVER_NAMES = ['localhost', '127.0.0.1'];

/** Files of certificates in a directory of the test. */
class Files {
  readonly path: string;

  constructor(t: TestContext) {
    const directory = temporaryDirectory();
    t.after(() => directory[Symbol.dispose]());
    this.path = directory.path;
  }

  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path); // another inode, so that no clock has to tick
    return path;
  }

  writePair(name: string, pair: Credentials): { certFile: string; keyFile: string } {
    return {
      certFile: this.write(`${name}.crt`, pair.cert),
      keyFile: this.write(`${name}.key`, pair.key),
    };
  }
}

async function start(t: TestContext, files: TlsFiles): Promise<number> {
  const tls = await ServerTls.open(files, nopLogger);
  assert.ok(tls !== undefined);
  const server = createServer(tls.options, (socket) => {
    socket.on('error', () => undefined);
    socket.end(String(socket.getPeerCertificate().subject?.CN ?? 'nobody'));
  });
  tls.follow(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What a client learns of a connection: the server's name, and whom the server took it for. */
async function dial(port: number, options: ConnectionOptions) {
  const socket: TLSSocket = connect(port, '127.0.0.1', options);
  try {
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN;
    const [protocol, cipher] = [socket.getProtocol(), socket.getCipher().standardName];
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    if (text === '') throw new Error('the server closed the connection');
    return { name, protocol, cipher, text };
  } finally {
    socket.destroy();
  }
}

test('a server takes the certificate of the moment for each connection', async (t) => {
  const files = new Files(t);
  const pair = files.writePair(
    'server',
    authority.issue({ commonName: 'old', names: SERVER_NAMES }),
  );
  const port = await start(t, pair);
  const ask = async () => (await dial(port, { ca: authority.cert })).name;
  assert.equal(await ask(), 'old');
  const other = authority.issue({ commonName: 'new', names: SERVER_NAMES });
  files.write('server.crt', other.cert);
  assert.equal(await ask(), 'old', 'a certificate without its key is not taken');
  files.write('server.key', other.key);
  assert.equal(await ask(), 'new');
  files.write('server.crt', 'garbage');
  assert.equal(await ask(), 'new');
});

test('a mounted secret that moves its link is seen', async (t) => {
  const files = new Files(t);
  const a = files.writePair('a', authority.issue({ commonName: 'a', names: SERVER_NAMES }));
  const b = files.writePair('b', authority.issue({ commonName: 'b', names: SERVER_NAMES }));
  const link = (pair: typeof a) => {
    for (const [target, name] of [
      [pair.certFile, 'tls.crt'],
      [pair.keyFile, 'tls.key'],
    ] as const) {
      symlinkSync(target, join(files.path, 'link'));
      renameSync(join(files.path, 'link'), join(files.path, name));
    }
  };
  link(a);
  const port = await start(t, {
    certFile: join(files.path, 'tls.crt'),
    keyFile: join(files.path, 'tls.key'),
  });
  assert.equal((await dial(port, { ca: authority.cert })).name, 'a');
  link(b);
  assert.equal((await dial(port, { ca: authority.cert })).name, 'b');
});

test('clients prove who they are, by authorities and certificates that change', async (t) => {
  const files = new Files(t);
  const other = new CertificateAuthority('other');
  const caFile = files.write('ca.crt', authority.cert);
  const port = await start(t, {
    ...files.writePair('server', authority.issue({ commonName: 'server', names: SERVER_NAMES })),
    caFile,
  });
  const serverCa = files.write('server-ca.crt', authority.cert);
  const client = await ClientTls.open({
    ...files.writePair('client', authority.issue({ commonName: 'client one' })),
    caFile: serverCa,
  });
  const ask = async () => (await dial(port, await client.connectOptions())).text;
  assert.equal(await ask(), 'client one');
  files.writePair('client', other.issue({ commonName: 'client two' }));
  await assert.rejects(ask(), /alert|ECONNRESET|closed/);
  files.write('ca.crt', authority.cert + other.cert);
  assert.equal(await ask(), 'client two');
  files.write('client.key', 'garbage');
  assert.equal(await ask(), 'client two', 'what was read last stays in use');
  const anonymous = await ClientTls.open({ caFile: serverCa });
  await assert.rejects(
    async () => dial(port, await anonymous.connectOptions()),
    /alert|ECONNRESET|closed/,
  );
});

test('a client checks the server', async (t) => {
  const files = new Files(t);
  const pair = files.writePair(
    's',
    authority.issue({ commonName: 's', names: ['thanos.example'] }),
  );
  const port = await start(t, pair);
  const caFile = files.write('ca.crt', authority.cert);
  const ask = async (options: Parameters<typeof ClientTls.open>[0]) =>
    (await dial(port, await (await ClientTls.open(options)).connectOptions())).name;
  assert.equal(await ask({ caFile, serverName: 'thanos.example' }), 's');
  await assert.rejects(ask({ caFile }), /does not match certificate's altnames/);
  await assert.rejects(ask({ caFile, serverName: '127.0.0.2' }), /127\.0\.0\.2 is not in the cert/);
  await assert.rejects(
    ask({ serverName: 'thanos.example' }),
    /unable to verify|self-signed|issuer/,
  );
  assert.equal(await ask({ skipVerify: true }), 's');
  assert.equal(await ask({ skipVerify: true, serverName: 'elsewhere' }), 's');
});

test('versions, cipher suites and curves are kept to', async (t) => {
  const files = new Files(t);
  const rsa = files.writePair(
    'rsa',
    authority.issue({ commonName: 'rsa', names: SERVER_NAMES, rsa: true }),
  );
  const suite = 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384';
  const port = await start(t, {
    ...rsa,
    minVersion: '1.2',
    cipherSuites: [suite],
    curves: ['CurveP384'],
  });
  const ca = authority.cert;
  const old = await dial(port, { ca, maxVersion: 'TLSv1.2' });
  assert.equal(old.protocol, 'TLSv1.2');
  assert.equal(old.cipher, suite);
  assert.equal((await dial(port, { ca })).protocol, 'TLSv1.3');
  const refused = /handshake failure/;
  await assert.rejects(dial(port, { ca, ecdhCurve: 'X25519' }), refused);
  await assert.rejects(
    dial(port, { ca, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }),
    refused,
  );
  const strict = await start(t, { ...rsa, minVersion: '1.3' });
  await assert.rejects(dial(strict, { ca, maxVersion: 'TLSv1.2' }), /protocol version/);
  const lax = await start(t, { ...rsa, minVersion: '1.0' });
  const oldest = { ca, ...tlsLimits({ minVersion: '1.0', maxVersion: '1.0' }) };
  assert.equal((await dial(lax, oldest)).protocol, 'TLSv1');
  assert.equal((await dial(lax, { ca })).protocol, 'TLSv1.3');
});

test('what is wrong with the files is one sentence', async (t) => {
  const files = new Files(t);
  const pair = files.writePair('a', authority.issue({ commonName: 'a' }));
  const other = files.writePair('b', authority.issue({ commonName: 'b' }));
  const garbage = files.write(
    'garbage',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  );
  const empty = files.write('empty', '');
  const f = async (options: TlsFiles, message: RegExp, client = false) =>
    assert.rejects(
      async () => (client ? ClientTls.open(options) : ServerTls.open(options, nopLogger)),
      (thrown: unknown) => {
        assert.ok(thrown instanceof CodedError);
        assert.equal(thrown.code, 'bad_data');
        assert.match(thrown.message, message);
        return true;
      },
    );
  assert.equal(
    await ServerTls.open({ certFile: '', keyFile: '', caFile: '' }, nopLogger),
    undefined,
  );
  await f({ certFile: pair.certFile }, /^both server key and certificate must be provided$/);
  await f(
    { caFile: empty },
    /^when a client CA is used a server key and certificate must also be provided$/,
  );
  await f({ keyFile: pair.keyFile }, /^both client key and certificate must be provided$/, true);
  await f({ ...pair, keyFile: `${pair.keyFile}x` }, /a\.keyx: ENOENT|ENOENT.*a\.keyx/);
  await f({ ...pair, keyFile: other.keyFile }, /a\.crt" with key ".*b\.key": .*mismatch/);
  await f({ ...pair, certFile: garbage }, /TLS certificate ".*garbage"/);
  await f({ ...pair, caFile: empty }, /TLS authorities ".*empty": no PEM block of a certificate/);
  await f({ caFile: garbage }, /TLS authorities ".*garbage": /, true);
  await f(
    { ...pair, minVersion: 'TLS13' },
    /^invalid TLS version: TLS13, valid values are 1\.0, 1\.1, 1\.2, 1\.3$/,
  );
  await f(
    { ...pair, cipherSuites: ['RC4'] },
    /^invalid cipher suite: RC4, valid values are TLS_AES_128/,
  );
  await f(
    { ...pair, curves: ['P256'] },
    /^invalid curve: P256, valid values are CurveP256, CurveP384, CurveP521, SecP256r1MLKEM768, /,
  );
});
