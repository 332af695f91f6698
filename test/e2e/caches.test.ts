/**
 * Caches on real servers: the suite that the servers inside unit tests pass as well, and what those do not have, kills
 * and restarts, clusters, sentinels and TLS.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cache } from '../../src/cache/cache.ts';
import { CacheMetrics } from '../../src/cache/cache-metrics.ts';
import { type CacheConfig, openCache, readCacheConfig } from '../../src/cache/open-cache.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { parseStrictYaml } from '../../src/lib/strict-yaml.ts';
import { ClientTls } from '../../src/ops/tls-files.ts';
import { type CacheUnderTest, testCache } from '../support/cache-acceptance.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { MetricValues } from '../support/metric-values.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const HOUR = 3600_000;

/** A running server, and what ends it. */
interface Running extends AsyncDisposable {
  readonly process: ServerProcess;
  readonly port: number;
}

/** Waits until something listens. @throws Error with the process' output when it ends or is late. */
async function start(command: string, args: readonly string[], port: number): Promise<Running> {
  const server = new ServerProcess(command, args);
  let over = false;
  void server.ended.then(() => (over = true));
  for (let i = 0; i < 500; i++) {
    if (over) throw new Error(`${command} ended:\n${server.output}`);
    if (await listens(port)) {
      const stop = async (): Promise<void> => void (await server.stop('SIGKILL'));
      return { process: server, port, [Symbol.asyncDispose]: stop };
    }
    await sleep(20);
  }
  throw new Error(`${command} does not listen:\n${server.output}`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', end(true)).on('error', end(false));
  });
}

async function memcached(port?: number): Promise<Running> {
  const at = port ?? (await freePort());
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
  return start('memcached', ['-l', '127.0.0.1', '-p', String(at), '-U', '0', ...user], at);
}

async function redis(args: readonly string[] = [], port?: number): Promise<Running> {
  const at = port ?? (await freePort());
  const common = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  return start('redis-server', ['--port', String(at), ...common, ...args], at);
}

async function open(type: CacheConfig['type'], config: string): Promise<Cache> {
  const yaml = await parseStrictYaml({ text: `config: ${config}`, name: 'cache.yaml' });
  return openCache('test', readCacheConfig(yaml, ['config'], type), {
    log: nopLogger,
    metrics: new CacheMetrics(new MetricValues().registry),
    clock: systemClock,
    loadTls: async ({ caFile, certFile, keyFile, serverName, insecureSkipVerify, minVersion }) => {
      const files = { caFile, certFile, keyFile, serverName, minVersion };
      const tls = await ClientTls.open({ ...files, skipVerify: insecureSkipVerify });
      return tls.connectOptions();
    },
  });
}

function underTest(cache: Cache, servers: readonly Running[]): CacheUnderTest {
  return {
    cache,
    pass: (ms) => sleep(ms),
    [Symbol.asyncDispose]: async () => {
      await cache.close();
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

for (const count of [1, 2]) {
  testCache(`${count} memcached`, async () => {
    const servers = await Promise.all(Array.from({ length: count }, () => memcached()));
    const addresses = servers.map(({ port }) => `"127.0.0.1:${port}"`).join(', ');
    const config = `{addresses: [${addresses}], timeout: 5s, max_item_size: 0}`;
    return underTest(await open('MEMCACHED', config), servers);
  });
}

testCache('redis', async () => {
  const server = await redis();
  return underTest(await open('REDIS', `{addr: "127.0.0.1:${server.port}", prefix: "p:"}`), [
    server,
  ]);
});

testCache('redis with a password, in database 5', async () => {
  const server = await redis(['--requirepass', 'secret']);
  const config = `{addr: "127.0.0.1:${server.port}", password: secret, db: 5}`;
  return underTest(await open('REDIS', config), [server]);
});

testCache('redis cluster of one node', async () => {
  const directory = temporaryDirectory();
  const args = ['--cluster-enabled', 'yes', '--dir', directory.path];
  const server = await redis([...args, '--cluster-port', String(await freePort())]);
  const slots = ['cluster', 'addslotsrange', '0', '16383'];
  const ready = new ServerProcess('redis-cli', ['-p', String(server.port), ...slots]);
  await ready.ended;
  while (!(await clusterInfo(server.port)).includes('cluster_state:ok')) await sleep(50);
  const cache = await open('REDIS', `{addr: "127.0.0.1:${server.port}"}`);
  const made = underTest(cache, [server]);
  return {
    ...made,
    [Symbol.asyncDispose]: async () => {
      await made[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
});

async function clusterInfo(port: number): Promise<string> {
  const asking = new ServerProcess('redis-cli', ['-p', String(port), 'cluster', 'info']);
  await asking.ended;
  return asking.output;
}

testCache('redis behind a sentinel', async () => {
  const directory = temporaryDirectory();
  const master = await redis();
  const port = await freePort();
  const file = join(directory.path, 'sentinel.conf');
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory.path}`,
      `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    ].join('\n'),
  );
  const sentinel = await start('redis-server', [file, '--sentinel'], port);
  const cache = await open('REDIS', `{addr: "127.0.0.1:${port}", master_name: main}`);
  const made = underTest(cache, [sentinel, master]);
  return {
    ...made,
    [Symbol.asyncDispose]: async () => {
      await made[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
});

test('redis with TLS, and with a certificate that nobody has signed', async () => {
  using directory = temporaryDirectory();
  const write = (name: string, text: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, text);
    return path;
  };
  const authority = new CertificateAuthority('tests');
  const { cert, key } = authority.issue({ commonName: 'redis', names: ['127.0.0.1', 'localhost'] });
  const ca = write('ca.pem', authority.cert);
  const files = [
    '--tls-cert-file',
    write('cert.pem', cert),
    '--tls-key-file',
    write('key.pem', key),
  ];
  const port = await freePort();
  const args = ['--port', '0', '--bind', '127.0.0.1', '--save', '', '--tls-port', String(port)];
  await using _server = await start(
    'redis-server',
    [...args, ...files, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'],
    port,
  );
  const config = (tls: string): string =>
    `{addr: "127.0.0.1:${port}", tls_enabled: true, tls_config: {${tls}}}`;
  const stored = async (tls: string): Promise<number> => {
    const cache = await open('REDIS', config(tls));
    cache.store(new Map([['a', Buffer.from('1')]]), HOUR);
    await cache.settled();
    const { size } = await cache.fetch(['a']);
    await cache.close();
    return size;
  };
  equal(await stored(''), 0);
  equal(await stored(`ca_file: ${ca}`), 1);
  equal(await stored('insecure_skip_verify: true'), 1);
  equal(await stored(`ca_file: ${ca}, server_name: other`), 0);
});

const SERVERS = { MEMCACHED: memcached, REDIS: (port?: number) => redis([], port) };

for (const type of ['MEMCACHED', 'REDIS'] as const) {
  test(`${type}: a server that is killed, is away and comes back; one that is stopped and goes on`, async () => {
    const first = await SERVERS[type]();
    const address = `127.0.0.1:${first.port}`;
    const config =
      type === 'REDIS'
        ? `{addr: "${address}", read_timeout: 300ms}`
        : `{addresses: ["${address}"]}`;
    const cache = await open(type, config);
    const store = async (): Promise<number> => {
      cache.store(new Map([['a', Buffer.from('1')]]), HOUR);
      await cache.settled();
      return (await cache.fetch(['a'])).size;
    };
    equal(await store(), 1);
    await first.process.stop('SIGKILL');
    equal(await store(), 0);
    equal(await store(), 0);
    await using second = await SERVERS[type](first.port);
    while ((await store()) === 0) await sleep(50);
    second.process.child.kill('SIGSTOP');
    equal((await cache.fetch(['a'])).size, 0);
    equal((await cache.fetch(['a'])).size, 0);
    second.process.child.kill('SIGCONT');
    while ((await cache.fetch(['a'])).size === 0) await sleep(50);
    deepEqual([...(await cache.fetch(['a'])).keys()], ['a']);
    await cache.close();
  });
}
