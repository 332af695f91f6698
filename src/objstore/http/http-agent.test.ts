import { equal, match, rejects } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { CertificateAuthority } from '../../../test/support/certificates.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { DEFAULT_HTTP_CONFIG, type HttpConfig } from './http-config.ts';
import { openAgent } from './http-agent.ts';

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

function configOf(tls: Partial<HttpConfig['tls']>, more: Partial<HttpConfig> = {}): HttpConfig {
  return { ...DEFAULT_HTTP_CONFIG, ...more, tls: { ...DEFAULT_HTTP_CONFIG.tls, ...tls } };
}

async function get(config: HttpConfig, url: string, env = {}): Promise<string> {
  const agent = await openAgent(config, env);
  try {
    const { origin, pathname } = new URL(url);
    const answer = await agent.request({ origin, path: pathname, method: 'GET' });
    return await answer.body.text();
  } finally {
    await agent.destroy();
  }
}

test('http agent: authorities, names and certificates', async () => {
  using directory = temporaryDirectory();
  const write = (name: string, content: string): string => {
    const file = join(directory.path, name);
    writeFileSync(file, content);
    return file;
  };
  const authority = new CertificateAuthority('ours');
  const server = authority.issue({ commonName: 'store', names: ['store.example.org'] });
  const client = authority.issue({ commonName: 'thanos' });
  const tls = createTlsServer(
    { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
    (request, answer) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      answer.end(`client ${String(subject?.CN)}`);
    },
  );
  const url = `https://127.0.0.1:${await listen(tls)}/`;
  const caFile = write('ca.pem', authority.cert);
  const [certFile, keyFile] = [write('c.pem', client.cert), write('k.pem', client.key)];
  const serverName = 'store.example.org';
  try {
    equal(await get(configOf({ caFile, serverName }), url), 'client undefined');
    equal(await get(configOf({ caFile, serverName, certFile, keyFile }), url), 'client thanos');
    equal(await get(configOf({}, { insecureSkipVerify: true }), url), 'client undefined');
    // Another name than the certificate's, and an authority that nobody knows.
    await rejects(get(configOf({ caFile }), url), /127\.0\.0\.1/);
    await rejects(get(configOf({ serverName }), url));
    const other = write('other.pem', new CertificateAuthority('other').cert);
    await rejects(get(configOf({ caFile: other, serverName }), url));
  } finally {
    tls.closeAllConnections();
    await new Promise((resolve) => tls.close(resolve));
  }
});

test('http agent: certificates that change are used by the next connection', async () => {
  using directory = temporaryDirectory();
  const [before, after] = [new CertificateAuthority('before'), new CertificateAuthority('after')];
  const names = ['127.0.0.1'];
  const tls = createTlsServer(before.issue({ commonName: 'a', names }), (_, answer) => {
    answer.writeHead(200, { connection: 'close' });
    answer.end('ok');
  });
  const origin = `https://127.0.0.1:${await listen(tls)}`;
  const caFile = join(directory.path, 'ca.pem');
  writeFileSync(caFile, before.cert);
  const agent = await openAgent(configOf({ caFile }), {});
  const ask = async (): Promise<string> =>
    (await agent.request({ origin, path: '/', method: 'GET' })).body.text();
  try {
    equal(await ask(), 'ok');
    tls.setSecureContext(after.issue({ commonName: 'a', names }));
    await rejects(ask());
    // Half of a file changes nothing, the whole of it does.
    writeFileSync(caFile, after.cert.slice(0, 100));
    await rejects(ask());
    writeFileSync(caFile, `${after.cert}\n`);
    equal(await ask(), 'ok');
  } finally {
    await agent.destroy();
    tls.closeAllConnections();
    await new Promise((resolve) => tls.close(resolve));
  }
  const missing = configOf({ caFile: join(directory.path, 'none.pem') });
  await rejects(openAgent(missing, {}), { code: 'bad_data', message: /none\.pem/ });
});

test('http agent: proxies of the environment', async () => {
  const seen: string[] = [];
  const store = createServer((_, answer) => answer.end('store'));
  const port = await listen(store);
  const proxy = createServer((request, answer) => {
    seen.push(`${request.method} ${request.url}`);
    const { pathname } = new URL(request.url ?? '');
    forward({ host: '127.0.0.1', port, path: pathname }, (inner) => inner.pipe(answer)).end();
  });
  proxy.on('connect', (request, socket, head) => {
    seen.push(`CONNECT ${request.url}`);
    const inner = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inner.write(head);
      inner.pipe(socket).pipe(inner);
    });
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
  });
  const env = { http_proxy: `http://127.0.0.1:${await listen(proxy)}` };
  try {
    equal(await get(configOf({}), 'http://store.example.org/a', env), 'store');
    equal(seen.length, 1);
    match(seen[0] ?? '', /store\.example\.org/);
    const direct = { ...env, NO_PROXY: '127.0.0.1' };
    equal(await get(configOf({}), `http://127.0.0.1:${port}/`, direct), 'store');
    equal(seen.length, 1);
  } finally {
    for (const server of [proxy, store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
});
