/** How the real process starts and ends: exit codes, one clear line for what is wrong, nothing lost. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import manifest from '../../package.json' with { type: 'json' };
import { Random } from '../../src/lib/prng.ts';
import { CrashLedger } from '../support/crash-ledger.ts';
import { CrashLoad } from '../support/crash-load.ts';
import { verifyLedger } from '../support/crash-verify.ts';
import { runThanos } from '../support/run-command.ts';
import type { Ended } from '../support/run-command.ts';
import { SOURCE_COMMAND, ServerProcess, startAll } from '../support/server-process.ts';
import { freePort } from '../support/free-port.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** limit: what must end "within seconds" has this long on the slowest machine; the grace period is two minutes. */
const STOP_MAX_MS = 20_000;

const ANY_PORTS: readonly string[] = [
  '--http-address=127.0.0.1:0',
  '--remote-write.address=127.0.0.1:0',
  '--grpc-address=127.0.0.1:0',
];

/** Whether two arguments give the same flag. */
function sameFlag(a: string, b: string): boolean {
  return a.split('=')[0] === b.split('=')[0];
}

/** The one line that is no log line. */
function complaint({ stderr, stdout }: Ended): string {
  assert.equal(stdout, '');
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('ts='));
  assert.equal(lines.length, 1, stderr);
  assert.doesNotMatch(stderr, /level=(?:warn|error)|\n\s+at /);
  return lines[0] ?? '';
}

test('a wrong command line: exit 2 and one line', async () => {
  const f = async (args: string[], want: RegExp): Promise<void> => {
    const ended = await runThanos(...args);
    assert.equal(ended.code, 2, ended.stderr);
    assert.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr);
    assert.match(complaint(ended), want);
  };
  await f(['all', '--no-such-flag'], /^thanos: error: .*unknown long flag '--no-such-flag'$/);
  await f(['all', '--wal.fsync=never'], /'--wal.fsync'.*segment,interval,always, got "never"$/);
  await f(['all', '--query.timeout=soon'], /'--query.timeout'.*"soon"/);
  await f(['all', '--label=replica'], /"replica", expected name="value"$/);
  await f(['all', '--query.max-concurrent=0'], /'--query.max-concurrent': must be at least 1$/);
  await f(['all', '--query.mode=distributed'], /'--query.mode'.*local, got "distributed"$/);
  await f(['everything'], /expected command but got "everything"$/);
});

test('--help and --version: exit 0, on standard output', async () => {
  const f = async (args: string[], want: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await runThanos(...args);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, want);
  };
  await f(['--help'], /^usage: thanos .*Commands:\n {2}all /s);
  await f(['all', '--help'], /^usage: thanos all .*--data-dir.*--wal\.fsync/s);
  const version = new RegExp(`^thanos, version ${manifest.version.replaceAll('.', '\\.')} `);
  await f(['--version'], version);
  await f(['all', '--version'], version);
});

test('an address that cannot be had: exit 1, one line, and the directory is given free', async (t) => {
  using directory = temporaryDirectory();
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const f = async (args: string[], want: string): Promise<void> => {
    const others = ANY_PORTS.filter((flag) => !args.some((arg) => sameFlag(arg, flag)));
    const ended = await runThanos('all', `--data-dir=${directory.path}`, ...others, ...args);
    assert.equal(ended.code, 1, ended.stderr);
    assert.equal(complaint(ended), `thanos: error: ${want}`);
    assert.ok(!existsSync(join(directory.path, 'tsdb/default-tenant/lock')));
  };
  const inUse = `listen on ${taken}: the address is already in use by another process`;
  await f([`--http-address=${taken}`], inUse);
  await f([`--remote-write.address=${taken}`], inUse);
  await f([`--grpc-address=${taken}`], inUse);
  await f(
    ['--http-address=here'],
    'not a listen address: "here", expected host:port such as 127.0.0.1:10902',
  );
});

test('a directory that another instance has: exit 1, one line, and that one lives on', async (t) => {
  using directory = temporaryDirectory();
  const all = await startAll({ dataDir: directory.path });
  t.after(() => all.process.stop('SIGKILL'));
  const ended = await runThanos('all', `--data-dir=${directory.path}`, ...ANY_PORTS);
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(complaint(ended), new RegExp(`^thanos: error: directory .* ${all.process.pid} `));
  assert.equal((await fetch(`${all.api}/-/ready`)).status, 200);
  assert.equal(await all.process.stop(), 0, all.process.output);
});

test('a directory that cannot be made: exit 1, one line', async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, 'file');
  writeFileSync(file, '');
  const ended = await runThanos('all', `--data-dir=${file}/data`, ...ANY_PORTS);
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(complaint(ended), /^thanos: error: .*not a directory.*\/file\/data/);
});

test('SIGTERM under load: exit 0 soon, and nothing that was acknowledged is lost', async (t) => {
  using directory = temporaryDirectory();
  const ledger = new CrashLedger(Date.now() - 3_600_000);
  const load = new CrashLoad(ledger, new Random(1));
  for (let round = 0; round < 3; round++) {
    const all = await startAll({ dataDir: directory.path });
    t.after(() => all.process.stop('SIGKILL'));
    const before = load.acknowledged;
    const running = load.run(all, true);
    while (load.acknowledged < before + 50) await sleep(5);
    assert.equal(await stopSoon(all), 0, all.process.output);
    load.stop();
    await running;
    assert.doesNotMatch(all.process.output, /level=error/);
  }
  const all = await startAll({ dataDir: directory.path });
  t.after(() => all.process.stop('SIGKILL'));
  const { acknowledged, problems } = await verifyLedger(all.api, ledger, load.groups);
  assert.deepEqual(problems, []);
  t.diagnostic(`${acknowledged} acknowledged samples are there`);
  assert.ok(acknowledged > 10_000, `${acknowledged} samples`);
});

test('/-/ready is 503 until everything works, and /-/healthy 200 before that', async (t) => {
  using directory = temporaryDirectory();
  const address = `127.0.0.1:${await freePort()}`;
  const [command, ...before] = SOURCE_COMMAND;
  const server = new ServerProcess(command, [
    ...before,
    'all',
    `--data-dir=${directory.path}`,
    `--http-address=${address}`,
    '--remote-write.address=127.0.0.1:0',
    '--grpc-address=127.0.0.1:0',
  ]);
  t.after(() => server.stop('SIGKILL'));
  const seen: string[] = [];
  const deadline = performance.now() + 60_000;
  while (seen.at(-1) !== 'ready 200, healthy 200' && performance.now() < deadline) {
    const ready = await statusOf(`http://${address}/-/ready`);
    const healthy = await statusOf(`http://${address}/-/healthy`);
    const state = `ready ${ready}, healthy ${healthy}`;
    if (state !== seen.at(-1)) seen.push(state);
  }
  const states = seen.join('; ');
  // Between the two questions of one look the state may change.
  assert.match(states, /ready 503, healthy 200; ready 200, healthy 200$/);
  assert.doesNotMatch(states, /ready 200.*ready 503/);
});

test('a second SIGTERM ends a process that waits for a request; the next start works', async (t) => {
  using directory = temporaryDirectory();
  const all = await startAll({ dataDir: directory.path });
  t.after(() => all.process.stop('SIGKILL'));
  const stuck = await hangingRequest(`${all.write}/api/v1/receive`);
  t.after(() => stuck.destroy());
  all.process.child.kill('SIGTERM');
  while (!all.process.output.includes('caught signal')) await sleep(5);
  const first = await Promise.race([all.process.ended, sleep(1000, 'still waiting')]);
  assert.equal(first, 'still waiting');
  assert.equal(await stopSoon(all), 1, all.process.output);
  assert.match(all.process.output, /level=warn .*caught another signal while stopping/);
  const again = await startAll({ dataDir: directory.path });
  assert.equal(await again.process.stop(), 0);
});

/** Sends SIGTERM; the exit code, or a text when the process does not end in time. */
function stopSoon({ process: server }: ThanosAll): Promise<number | string> {
  const late = sleep(STOP_MAX_MS, 'not ended in time', { ref: false });
  return Promise.race([server.stop(), late]);
}

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** A request whose body never ends; resolves when the server has its head. */
async function hangingRequest(url: string): Promise<{ destroy(): void }> {
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'content-length': '1000',
    expect: '100-continue',
  };
  const hanging = request(url, { method: 'POST', headers });
  hanging.on('error', () => undefined);
  hanging.flushHeaders();
  await new Promise((resolve) => hanging.once('continue', resolve));
  hanging.write('x');
  return hanging;
}
