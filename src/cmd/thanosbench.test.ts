import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isUlid } from '../model/ulid.ts';
import { readBlockMeta } from '../tsdb/block/meta.ts';
import { runThanosbench, runThanosbenchOn } from '../../test/support/run-command.ts';
import { ROOT } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

test('help, version, and what is wrong with a command line', async () => {
  const f = async (line: string, code: number, want: RegExp) => {
    const ended = await runThanosbench(...line.split(' ').filter((word) => word !== ''));
    assert.equal(ended.code, code, `${line}: ${ended.stderr}`);
    const [said, other] = code === 0 ? [ended.stdout, ended.stderr] : [ended.stderr, ended.stdout];
    assert.match(said, want, line);
    assert.equal(other, '', line);
  };
  await Promise.all([
    f(
      '--help',
      0,
      /^usage: thanosbench \[<flags>\] <command>.*\n {2}block gen .*\n {2}block plan /s,
    ),
    f(
      'block plan -h',
      0,
      / -p, --profile=PROFILE .*--max-time=30m .*--labels=<name>="<value>" \.\.\./s,
    ),
    f('block gen --help', 0, /--config-file=.*--objstore\.config=.*--output\.dir=.*--workers=/s),
    f('--version', 0, /^thanosbench, version \d+\.\d+\.\d+\n$/),
  ]);
  await Promise.all([
    f('', 2, /^thanosbench: error: .*command not specified\n$/),
    f('block', 2, /must select a subcommand of 'block'\n$/),
    f('blok', 2, /expected command but got "blok"\n$/),
    f('block plan', 2, /required flag\(s\) '--profile' not provided\n$/),
    f(
      'block plan -p tiny',
      2,
      /enum value must be one of realistic-k8s-2d-small,.*, got "tiny"\n$/,
    ),
    f(
      'block plan -p continuous-30d-tiny --max-time=soon',
      2,
      /not a valid duration string: "soon"\n$/,
    ),
    f('block plan -p continuous-30d-tiny --labels=x', 1, /unrecognized label "x"/),
    f('walgen', 1, /^thanosbench: error: walgen is not implemented yet\n$/),
  ]);
});

test('a plan is made into blocks', async () => {
  using directory = temporaryDirectory();
  const out = join(directory.path, 'new', 'prom-eu1');
  const plan = await runThanosbench(
    'block',
    'plan',
    '-p',
    'continuous-365d-tiny',
    '--labels',
    'cluster="eu1"',
    '--max-time=6h',
  );
  assert.equal(plan.code, 0, plan.stderr);
  const gen = await runThanosbenchOn(plan.stdout, 'block', 'gen', '--output.dir', out);
  assert.equal(gen.code, 0, gen.stderr);
  assert.equal(gen.stdout, '');
  const names = readdirSync(out);
  assert.equal(names.length, 13);
  assert.ok(names.every(isUlid), names.join(' '));
  // 365 days of the profile, in a scrape of 15 s: the lengths of its blocks are 2, 2, 2, 8, 4 * 176, 5 * 67 * 24 hours.
  const metas = names.map((name) => readBlockMeta(join(out, name)));
  const samples = metas.map(({ stats }) => stats.numSamples).toSorted((a = 0, b = 0) => a - b);
  const hours = [2, 2, 2, 8, 176, 176, 176, 176, 1608, 1608, 1608, 1608, 1608];
  assert.deepEqual(
    samples,
    hours.map((h) => 5 * h * 240),
  );
  const thanos = { labels: { cluster: 'eu1' }, downsample: { resolution: 0 }, source: 'blockgen' };
  for (const { ulid, extra, compaction, stats } of metas) {
    assert.deepEqual(extra, { thanos });
    assert.deepEqual(compaction, { level: 1, sources: [ulid] });
    assert.equal(stats.numSeries, 5);
  }
  // The newest block ends at the even hour behind now + 6 h; its last sample is 1 ms late, and maxTime lies behind it.
  const end = Math.max(...metas.map(({ maxTime }) => maxTime)) - 2;
  assert.equal(end % 7_200_000, 0);
  assert.ok(end > Date.now() + 5 * 3600_000 && end < Date.now() + 8.1 * 3600_000);
  const lines = gen.stderr.match(/msg="generated block"/g) ?? [];
  assert.equal(lines.length, 13);
  assert.match(gen.stderr, /count="13 of 13" .* series=5 samples=1929600 chunks=16080 /);
});

test('the same plan gives the same bytes, from stdin, a file or a flag', async () => {
  using directory = temporaryDirectory();
  const path = join(ROOT, 'test/golden/blockgen/generators.plan.yaml');
  const plan = readFileSync(path, 'utf8');
  const at = (name: string): string => join(directory.path, name);
  const outcomes = await Promise.all([
    runThanosbenchOn(plan, 'block', 'gen', `--output.dir=${at('a')}`),
    runThanosbench('block', 'gen', `--output.dir=${at('b')}`, `--config-file=${path}`),
    runThanosbench('block', 'gen', `--output.dir=${at('c')}`, `--config=${plan}`, '--workers=3'),
  ]);
  for (const { code, stderr } of outcomes) assert.equal(code, 0, stderr);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => {
    const [block = '', ...others] = readdirSync(at(name));
    assert.deepEqual(others, []);
    const file = (part: string): string =>
      readFileSync(join(at(name), block, part)).toString('base64');
    return [file('index'), file('chunks/000001')];
  });
  assert.deepEqual(b, a);
  assert.deepEqual(c, a);
});

test('blocks go to a bucket, too', async () => {
  using directory = temporaryDirectory();
  const bucket = join(directory.path, 'bucket');
  const path = join(ROOT, 'test/golden/blockgen/generators.plan.yaml');
  const { code, stderr } = await runThanosbench(
    'block',
    'gen',
    `--output.dir=${join(directory.path, 'out')}`,
    `--config-file=${path}`,
    `--objstore.config={type: FILESYSTEM, config: {directory: ${JSON.stringify(bucket)}}}`,
  );
  assert.equal(code, 0, stderr);
  const [ulid = ''] = readdirSync(join(directory.path, 'out'));
  assert.ok(existsSync(join(bucket, ulid, 'index')));
  const { extra } = readBlockMeta(join(bucket, ulid));
  assert.deepEqual(
    (extra['thanos'] as { files: { rel_path: string }[] }).files.map((file) => file.rel_path),
    ['chunks/000001', 'index', 'meta.json'],
  );
});

test('what cannot be made says why and leaves nothing', async () => {
  using directory = temporaryDirectory();
  const out = join(directory.path, 'out');
  const f = async (plan: string, want: RegExp, ...flags: string[]) => {
    const args = flags.length > 0 ? flags : ['--output.dir', out];
    const { code, stderr } = await runThanosbenchOn(plan, 'block', 'gen', ...args);
    assert.equal(code, 1, stderr);
    const last = stderr.trimEnd().split('\n').at(-1) ?? '';
    assert.match(last, want);
    if (existsSync(out)) assert.deepEqual(readdirSync(out), []);
  };
  const series = (more: string) =>
    `series:\n- labels:\n    a: b\n  type: GAUGE\n  scrapeInterval: 15s\n${more}`;
  await f('', /^thanosbench: error: the plan in stdin is empty, expected YAML as/);
  await f(
    'series:\n- type: GAGE\n',
    /^thanosbench: error: stdin:2: series\[0\]\.type: unknown type/,
  );
  await f(
    series('  mintime: 5\n'),
    /error: generate block 1 of 1: no series appended; aborting\.$/,
  );
  await f(
    series('') + series('').replace('series:\n', ''),
    /generate block 1 of 1: the plan has the series \{__blockgen_target__="0", a="b"\} twice$/,
  );
  await f(
    '',
    /both config-file and config flags set/,
    `--output.dir=${out}`,
    '--config=a',
    '--config-file=b',
  );
  await f(
    '',
    /loading file nope for config-file: ENOENT/,
    `--output.dir=${out}`,
    '--config-file=nope',
  );
  const file = join(directory.path, 'file');
  writeFileSync(file, '');
  await f(series(''), /error: --output\.dir \S+ cannot be written: /, `--output.dir=${file}`);
  await f(series(''), /error: --output\.dir \S+ cannot be written: /, `--output.dir=${file}/below`);
  if (process.getuid?.() === 0) return; // root writes anywhere
  const locked = join(directory.path, 'locked');
  mkdirSync(locked);
  chmodSync(locked, 0o555);
  await f(series(''), /error: --output\.dir \S+ cannot be written: /, `--output.dir=${locked}`);
});

test('a signal ends the work and leaves whole blocks only', async () => {
  using directory = temporaryDirectory();
  const plan = join(directory.path, 'plan.yaml');
  writeFileSync(plan, (await runThanosbench('block', 'plan', '-p', 'continuous-1w-small')).stdout);
  const out = join(directory.path, 'out');
  const args = ['block', 'gen', '--output.dir', out, '--config-file', plan];
  const child = spawn(join(ROOT, 'bin/thanosbench'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const before = stderr;
    stderr += chunk.toString();
    // The second block is under way.
    if (!before.includes('generated block') && stderr.includes('generated block')) {
      child.kill('SIGINT');
    }
  });
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /msg="caught signal\. Exiting\." signal=SIGINT/);
  assert.match(stderr, /thanosbench: error: generate block \d of 9: stopped by SIGINT\n$/);
  const names = readdirSync(out);
  assert.ok(names.length >= 1 && names.length < 9 && names.every(isUlid), names.join(' '));
});

test('a reader that has enough ends the plan quietly', async () => {
  const args = ['block', 'plan', '-p', 'realistic-k8s-30d-tiny'];
  const child = spawn(join(ROOT, 'bin/thanosbench'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.once('data', () => child.stdout.destroy());
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  assert.equal(stderr, '');
  assert.equal(code, 141);
});
