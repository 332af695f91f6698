/**
 * The way of a newcomer: data made by thanosbench as the tutorials do, a process that adopts it, blocks in a bucket
 * whatever happens to the process, tools that list them, and a retention that removes what the bucket has.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { runThanos } from '../support/run-command.ts';
import { ROOT, SOURCE_COMMAND, ServerProcess, startAll } from '../support/server-process.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** As it stands in the tutorial, docker and its mounts apart. */
const SEED = `thanosbench block plan -p continuous-365d-tiny --labels 'cluster="eu1"' --max-time=6h | thanosbench block gen --output.dir prom-eu1`;
const KILLS = 8;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Meta {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly thanos: {
    readonly labels: Record<string, string>;
    readonly source: string;
    readonly files: readonly { readonly rel_path: string; readonly size_bytes?: number }[];
  };
}

interface ShipperFile {
  readonly version: number;
  readonly uploaded: readonly string[];
}

function blocksIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name));
}

function readMeta(block: string): Meta {
  return JSON.parse(readFileSync(join(block, 'meta.json'), 'utf8')) as Meta;
}

/** Blocks of a bucket that readers take for complete; asserts that they are, and answers what identifies their files. */
function completeBlocks(bucket: string): Map<string, string> {
  const complete = new Map<string, string>();
  for (const ulid of blocksIn(bucket)) {
    const directory = join(bucket, ulid);
    if (!existsSync(join(directory, 'meta.json'))) continue;
    const stats = readMeta(directory).thanos.files.map(({ rel_path: path, size_bytes: size }) => {
      const stat = statSync(join(directory, path));
      if (size !== undefined) assert.equal(stat.size, size, `${ulid}/${path}`);
      return `${path} ${stat.ino} ${stat.mtimeMs}`;
    });
    const meta = statSync(join(directory, 'meta.json'));
    const others = ['index', 'chunks/000001'].map((name) => statSync(join(directory, name)));
    for (const other of others)
      assert.ok(other.mtimeMs <= meta.mtimeMs, `${ulid}: meta.json is not last`);
    complete.set(ulid, stats.join('\n'));
  }
  return complete;
}

async function until(what: string, holds: () => boolean, everyMs = 100): Promise<void> {
  for (const deadline = performance.now() + 40_000; performance.now() < deadline;) {
    if (holds()) return;
    await sleep(everyMs);
  }
  assert.fail(`${what} did not come`);
}

test('from thanosbench to the bucket, through kills, and out of the data directory again', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  using directory = temporaryDirectory();
  const tsdb = join(directory.path, 'prom-eu1');
  const dataDir = join(directory.path, 'data');
  const bucket = join(dataDir, 'bucket');
  const path = `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`;
  execFileSync('sh', ['-c', SEED], {
    cwd: directory.path,
    env: { ...process.env, PATH: path },
    stdio: 'pipe',
  });
  const generated = blocksIn(tsdb);
  assert.equal(generated.length, 13);
  assert.match(
    execFileSync('promtool', ['tsdb', 'list', tsdb], { encoding: 'utf8' }),
    new RegExp(generated[0] ?? '-'),
  );

  await t.test('killed while it uploads: no half block, and none is sent twice', async (st) => {
    let done = new Map<string, string>();
    let kills = 0;
    for (; kills < KILLS; kills++) {
      const child = new ServerProcess(SOURCE_COMMAND[0], [
        ...SOURCE_COMMAND.slice(1),
        'all',
        `--data-dir=${dataDir}`,
        `--tsdb.path=${tsdb}`,
        `--http-address=127.0.0.1:${await freePort()}`,
        `--remote-write.address=127.0.0.1:${await freePort()}`,
        '--grpc-address=127.0.0.1:0',
      ]);
      const uploads = 1 + random.below(2);
      st.after(() => child.stop('SIGKILL'));
      const sent = (): number => child.output.split('upload new block').length - 1;
      // An upload takes some milliseconds, so it is looked for all the time.
      await until(
        'an upload',
        () => sent() >= uploads || done.size + sent() >= generated.length,
        1,
      );
      await sleep(random.below(8));
      await child.stop('SIGKILL');
      const now = completeBlocks(bucket);
      for (const [ulid, files] of done)
        assert.equal(now.get(ulid), files, `${ulid} was sent again`);
      if (now.size === generated.length) break;
      done = now;
    }
    st.diagnostic(`${kills} kills, ${done.size} blocks were complete before the last start`);
    assert.ok(kills >= 2, 'not a single upload was interrupted');
  });

  const reload = '--tsdb.block-reload-interval=1s';
  let all = await startAll({ dataDir, args: [`--tsdb.path=${tsdb}`, reload] });
  t.after(() => all.process.stop('SIGKILL'));
  await until('the rest of the blocks', () => completeBlocks(bucket).size === generated.length);

  await t.test('a block that is cut from the head follows', async () => {
    const end = Math.max(...generated.map((ulid) => readMeta(join(tsdb, ulid)).maxTime));
    const start = Math.ceil(end / (2 * HOUR_MS)) * 2 * HOUR_MS;
    const sender = new RemoteWriteSender(all.write);
    for (let time = start; time <= start + 3 * HOUR_MS + MINUTE_MS; time += MINUTE_MS) {
      const samples = [[time, time / 1000]] as const;
      const answer = await sender.send([{ labels: [['__name__', 'live']], samples }]);
      assert.equal(answer.status, 200, answer.text);
    }
    await sender.close();
    await until('the new block', () => completeBlocks(bucket).size === generated.length + 1);
    const fresh = blocksIn(bucket).find((ulid) => !generated.includes(ulid)) ?? '';
    const meta = readMeta(join(bucket, fresh));
    assert.deepEqual([meta.minTime, meta.maxTime], [start, start + 2 * HOUR_MS]);
    assert.deepEqual(meta.thanos.labels, { replica: '0' });
    assert.equal(meta.thanos.source, 'receive');
    // Written behind the upload.
    const shipped = () =>
      JSON.parse(readFileSync(join(tsdb, 'thanos.shipper.json'), 'utf8')) as ShipperFile;
    await until('its entry', () => shipped().uploaded.includes(fresh));
    assert.equal(shipped().version, 1);
    assert.deepEqual(new Set(shipped().uploaded), new Set(blocksIn(tsdb)));
    const query = new URLSearchParams({
      query: 'count_over_time(live[4h])',
      time: String((start + 3 * HOUR_MS + MINUTE_MS) / 1000),
    });
    const answer = (await (await fetch(`${all.api}/api/v1/query?${query.toString()}`)).json()) as {
      data: { result: { value: [number, string] }[] };
    };
    assert.equal(answer.data.result[0]?.value[1], '182');
  });

  await t.test('the tools list what is there', async () => {
    const config = join(directory.path, 'bucket.yml');
    writeFileSync(config, `type: FILESYSTEM\nconfig:\n  directory: ${bucket}\n`);
    const objstore = `--objstore.config-file=${config}`;
    const ls = await runThanos('tools', 'bucket', 'ls', objstore, '-o', 'json');
    assert.equal(ls.code, 0, ls.stderr);
    const listed = ls.stdout
      .trim()
      .split(/\n(?=\{)/)
      .map((text) => (JSON.parse(text) as Meta).ulid);
    assert.deepEqual(new Set(listed), new Set(blocksIn(bucket)));
    const inspect = await runThanos('tools', 'bucket', 'inspect', objstore);
    assert.equal(inspect.code, 0, inspect.stderr);
    for (const ulid of blocksIn(bucket)) assert.ok(inspect.stdout.includes(ulid), ulid);
  });

  await t.test(
    'retention removes what the bucket has, when it is asked to, and nothing else',
    async () => {
      const there = blocksIn(tsdb);
      const times = new Map(there.map((ulid) => [ulid, readMeta(join(tsdb, ulid)).maxTime]));
      const newest = Math.max(...times.values());
      const old = there.filter((ulid) => newest - (times.get(ulid) ?? 0) >= 240 * HOUR_MS);
      assert.ok(old.length >= 3, `${old.length} blocks are older than ten days`);
      assert.equal(
        blocksIn(tsdb).length,
        generated.length + 1,
        'an adopted directory keeps its blocks',
      );
      assert.equal(await all.process.stop(), 0, all.process.output);
      // The bucket has lost a part of one of them, and the whole of another.
      const [half, lost, ...safe] = old as [string, string, ...string[]];
      writeFileSync(join(bucket, half, 'chunks/000001'), 'short');
      rmSync(join(bucket, lost), { recursive: true });
      const before = blocksIn(bucket);
      all = await startAll({
        dataDir,
        args: [`--tsdb.path=${tsdb}`, reload, '--tsdb.retention=10d'],
      });
      await until('removal', () => safe.every((ulid) => !existsSync(join(tsdb, ulid))));
      await sleep(2500);
      const left = new Set(there.filter((ulid) => !safe.includes(ulid)));
      assert.ok(left.has(half));
      // What is lost in the bucket is sent again by nobody: thanos.shipper.json says that it was uploaded.
      assert.deepEqual(new Set(blocksIn(tsdb)), left);
      assert.deepEqual(blocksIn(bucket), before);
      assert.match(all.process.output, new RegExp(`block is beyond retention and stays.*${half}`));
      assert.match(all.process.output, new RegExp(`block is beyond retention and stays.*${lost}`));
    },
  );
});
