/** `thanos tools` over buckets of our own; test/golden-tools.test.ts has the recorded one. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runThanos } from '../../test/support/run-command.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { commandIndex } from './command-word.ts';
import { runTools } from './tools.ts';

const ULIDS = [1, 2, 3, 4, 5, 6].map((n) => `01M7YF2Z91SGB2KEBY4MJJ000${n}`) as [
  string,
  string,
  string,
  string,
  string,
  string,
];

function objstore(directory: string): string {
  return `--objstore.config={type: FILESYSTEM, config: {directory: ${JSON.stringify(directory)}}}`;
}

function meta(ulid: string, minTime: number, maxTime: number, thanos?: object): string {
  return JSON.stringify({
    ulid,
    minTime,
    maxTime,
    stats: { numSamples: 1234567, numSeries: 1000, numChunks: 99 },
    compaction: { level: 2, sources: [ulid], failed: true },
    version: 1,
    thanos,
  });
}

/** A bucket with odd labels, a marked block, one without meta.json and one with half of it. */
function fillBucket(directory: string): void {
  const [odd, marked, fine, coarse, partial, corrupt] = ULIDS;
  const write = (name: string, text: string): void => {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  write(
    `${odd}/meta.json`,
    meta(odd, 0, 7_200_000, {
      version: 1,
      labels: { b: 'x,"y"', a: '日本語é😀', c: 'line1\nline2' },
      downsample: { resolution: 0 },
      source: 'sidecar',
      files: [{ rel_path: 'index', size_bytes: 3, hash: { hashFunc: 'SHA256', value: 'ab' } }],
      extensions: { k: [1, { z: null }] },
    }),
  );
  write(`${marked}/meta.json`, meta(marked, -5500, 172_800_000));
  const mark = { id: marked, version: 1, deletion_time: 1_700_000_000 };
  write(`${marked}/deletion-mark.json`, JSON.stringify(mark));
  const labels = { ' sp': ' lead', q: 'tab\there' };
  write(
    `${fine}/meta.json`,
    meta(fine, 1_600_000_000_001, 1_600_000_000_002, {
      labels,
      downsample: { resolution: 300_000 },
      source: '',
    }),
  );
  write(
    `${coarse}/meta.json`,
    meta(coarse, 1_600_000_000_001, 1_600_864_000_001, {
      labels: {},
      downsample: { resolution: 3_600_000 },
      source: 'x.y',
    }),
  );
  write(`${partial}/index`, 'x');
  write(`${corrupt}/meta.json`, '{"ulid": ');
  write('debug/metas/x.json', '{}');
}

test('ls lists what is sound and names the rest', async () => {
  using directory = temporaryDirectory();
  fillBucket(directory.path);
  const [odd, marked, fine, coarse, partial, corrupt] = ULIDS;
  const f = async (args: readonly string[], want: readonly string[]) => {
    const { code, stdout, stderr } = await runThanos(
      'tools',
      'bucket',
      'ls',
      ...args,
      objstore(directory.path),
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, want.map((line) => `${line}\n`).join(''), args.join(' '));
    return stderr;
  };
  const log = await f([], [odd, marked, fine, coarse]);
  const warnings = log.split('\n').filter((line) => line.includes('level=warn'));
  assert.equal(warnings.length, 2);
  assert.ok(warnings[0]?.includes(`meta.json of a block cannot be read`), log);
  assert.ok(warnings[0]?.includes(`block=${corrupt} err="not JSON: `), log);
  assert.ok(warnings[1]?.includes('a block has no meta.json'), log);
  assert.ok(warnings[1]?.includes(`block=${partial}`), log);
  assert.match(log, /msg="successfully synchronized block metadata" .* returned=4 partial=2\n/);
  assert.match(log, /level=info msg="ls done" objects=4\n$/);
  const [excluded] = await Promise.all([
    f(['--exclude-delete', '--timeout=59s'], [odd, fine, coarse]),
    f(
      ['--output=wide', '--max-time=1970-01-01T00:00:00Z'],
      [
        `${odd} -- 1970-01-01T00:00:00Z - 1970-01-01T02:00:00Z Diff: 2h0m0s, Compaction: 2, Downsample: 0, Source: sidecar`,
        // compat: whole seconds, cut off towards zero.
        `${marked} -- 1969-12-31T23:59:55Z - 1970-01-03T00:00:00Z Diff: 48h0m5s, Compaction: 2, Downsample: 0, Source: `,
      ],
    ),
    f(
      [
        '-o',
        '{{.Compaction.Failed}} {{.Thanos.Labels.b}} {{with .Thanos.Extensions}}{{.k}}{{else}}-{{end}} {{range .Thanos.Files}}{{.RelPath}}:{{.Hash.Func}}{{end}}',
        '--max-time=1970-01-01T00:00:00Z',
      ],
      ['true x,"y" [1 map[z:<nil>]] index:SHA256', 'true <no value> - '],
    ),
  ]);
  assert.match(excluded, /level=warn msg="Timeout less than 1m could lead to frequent failures"/);
});

// As the Go program prints this bucket.
const TABLE = `|            ULID            |         FROM         |        UNTIL         |   RANGE   |   UNTIL-DOWN   | #SERIES | #SAMPLES  | #CHUNKS | COMP-LEVEL | COMP-FAILED |           LABELS            | RESOLUTION | SOURCE  |
|----------------------------|----------------------|----------------------|-----------|----------------|---------|-----------|---------|------------|-------------|-----------------------------|------------|---------|
| 01M7YF2Z91SGB2KEBY4MJJ0002 | 1969-12-31T23:59:55Z | 1970-01-03T00:00:00Z | 48h0m5.5s | -8h0m5.5s      | 1,000   | 1,234,567 | 99      | 2          | true        |                             | 0s         |         |
| 01M7YF2Z91SGB2KEBY4MJJ0001 | 1970-01-01T00:00:00Z | 1970-01-01T02:00:00Z | 2h0m0s    | 38h0m0s        | 1,000   | 1,234,567 | 99      | 2          | true        | a=日本語é😀,b=x,"y",c=line1 | 0s         | sidecar |
|                            |                      |                      |           |                |         |           |         |            |             | line2                       |            |         |
| 01M7YF2Z91SGB2KEBY4MJJ0003 | 2020-09-13T12:26:40Z | 2020-09-13T12:26:40Z | 1ms       | 239h59m59.999s | 1,000   | 1,234,567 | 99      | 2          | true        |  sp= lead,q=tab\there         | 5m0s       |         |
| 01M7YF2Z91SGB2KEBY4MJJ0004 | 2020-09-13T12:26:40Z | 2020-09-23T12:26:40Z | 240h0m0s  | -              | 1,000   | 1,234,567 | 99      | 2          | true        |                             | 1h0m0s     | x.y     |
`;

test('inspect draws odd labels', async () => {
  using directory = temporaryDirectory();
  fillBucket(directory.path);
  const f = async (args: readonly string[], want: string) => {
    const { code, stdout, stderr } = await runThanos(
      'tools',
      'bucket',
      'inspect',
      ...args,
      objstore(directory.path),
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, want);
  };
  const [header = ''] = TABLE.split('\n');
  const csv = `${header.replaceAll(/[| ]+/g, ',').replaceAll(/^,|,$/g, '')}\n`;
  await Promise.all([
    f([], TABLE),
    f(
      ['--output=csv', '--selector=q="tab\\there"'],
      `${csv}${ULIDS[2]},2020-09-13T12:26:40Z,2020-09-13T12:26:40Z,1ms,239h59m59.999s,"1,000","1,234,567",99,2,true," sp= lead,q=tab\there",5m0s,\n`,
    ),
    // A label that is there but empty is none that a block can have.
    f(['--output=csv', '--selector=q=""'], csv),
  ]);
});

/** Runs a command line of `thanos tools` in this process: for what ends before it prints anything. */
async function runHere(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const program = {
    version: 'v\n',
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
  };
  const quiet = args.some((arg) => arg.startsWith('--log.level')) ? [] : ['--log.level=error'];
  assert.equal([...quiet, ...args][commandIndex([...quiet, ...args])], 'tools');
  return { code: await runTools(program, [...quiet, ...args]), out, err };
}

test('what is wrong is said in one sentence', async () => {
  using directory = temporaryDirectory();
  fillBucket(directory.path);
  const bucket = objstore(directory.path);
  const f = async (args: readonly string[], code: number, want: RegExp) => {
    const ended = await runHere(...args);
    assert.equal(ended.code, code, ended.err);
    assert.match(ended.err, /^thanos: error: [^\n]*\n$/);
    assert.match(ended.err.trimEnd(), want);
    assert.equal(ended.out, '');
  };
  const ls = ['tools', 'bucket', 'ls'];
  await f(
    ['tools'],
    2,
    /^thanos: error: Error parsing commandline arguments: must select a subcommand of 'tools'$/,
  );
  await f(['tools', 'bucket'], 2, /must select a subcommand of 'tools bucket'$/);
  await f(['tools', 'bucket', 'lss'], 2, /expected command but got "lss"$/);
  await f(
    ['tools', 'bucket', 'verify', '--repair'],
    1,
    /^thanos: error: tools bucket verify is not implemented yet$/,
  );
  await f(
    ['--log.level', 'error', 'tools', 'rules-check'],
    1,
    /tools rules-check is not implemented yet$/,
  );
  await f(
    ls,
    1,
    /error: flag objstore\.config-file or objstore\.config is required for running this command/,
  );
  await f(
    [...ls, '--objstore.config=type: S3'],
    1,
    /--objstore\.config:1: config: missing, expected a mapping/,
  );
  await f(
    [...ls, '--objstore.config=x', '--objstore.config-file=y'],
    1,
    /both objstore\.config-file and objstore\.config flags set/,
  );
  await f(
    [...ls, bucket, '-o', '{{.Foo'],
    1,
    /^thanos: error: invalid template: template: :1: unclosed action$/,
  );
  await f(
    [...ls, bucket, '-o', 'a{{.Foo}}'],
    1,
    /^thanos: error: execute template: template: :1:3: executing "" at <\.Foo>: can't evaluate field Foo in type \*\*metadata\.Meta$/,
  );
  await f(
    [...ls, bucket, '--selector.relabel-config=[{target_label: x}]'],
    1,
    /--selector\.relabel-config:1: \[0\]\.action: unsupported relabel action: replace, expected keep/,
  );
  await f(
    [...ls, bucket, '--timeout=0s'],
    1,
    /error: reading the metadata of blocks took longer than 0s$/,
  );
  await f(
    [...ls, bucket, '--min-time=soon'],
    2,
    /flag '--min-time': not a valid duration string: "soon"$/,
  );
  await f(
    ['tools', 'bucket', 'inspect', bucket, '-l', 'x'],
    1,
    /error: error parsing selector flag: unrecognized label "x"/,
  );
  await f(
    ['tools', 'bucket', 'inspect', bucket, '--sort-by=SIZE'],
    2,
    /flag '--sort-by': enum value must be one of ULID,FROM,.*, got "SIZE"$/,
  );
  const nowhere = await runThanos(...ls, objstore(join(directory.path, 'nowhere')));
  assert.equal(nowhere.code, 0);
  assert.equal(nowhere.stdout, '');
  assert.match(
    nowhere.stderr,
    /level=warn msg="the directory of the bucket does not exist, so there are no blocks"/,
  );
  const file = join(directory.path, 'file');
  writeFileSync(file, '');
  await f([...ls, objstore(file)], 1, /^thanos: error: the bucket .*file is not a directory$/);
});

test('help at each level, version', async () => {
  const f = async (line: string, ...wants: RegExp[]) => {
    const { code, out, err } = await runHere(...line.split(' '));
    assert.equal(code, 0, err);
    assert.equal(err, '');
    for (const want of wants) assert.match(out, want);
  };
  await f(
    'tools --help',
    /^usage: thanos tools \[<flags>\] <command>/,
    /tools bucket ls/,
    /tools rules-check/,
  );
  await f('tools bucket -h', /^usage: thanos tools bucket /, /--objstore\.config=<content>/);
  await f('tools bucket ls --help', /-o, --output=""/, /--log\.level=info/);
  await f('tools bucket inspect --help', /-l, --selector=<name>=\\"<value>\\" \.\.\./);
  await f('tools --version', /^v\n$/);
  const { stdout } = await runThanos('--help');
  assert.match(stdout, /\n {2}tools {2}/);
  const { code, stdout: version } = await runThanos('--log.level=error', 'tools', '--version');
  assert.equal(code, 0);
  assert.match(version, /^thanos, version \d/);
});

test('tools: the global flags', async () => {
  using directory = temporaryDirectory();
  const list = ['tools', 'bucket', 'ls', objstore(directory.path)];
  const f = async (flags: string[], code: number, stderr: RegExp) => {
    const got = await runThanos(...list, ...flags);
    assert.equal(got.code, code, got.stderr);
    assert.match(got.stderr, stderr);
  };
  await f(
    ['--tracing.config=type: OTLP'],
    1,
    /--tracing\.config:1: config\.client_type: otlp: invalid/,
  );
  const otlp = 'type: OTLP\nconfig: {client_type: http, insecure: true, endpoint: "127.0.0.1:1"}';
  await f([`--tracing.config=${otlp}`, '--debug.name=n1'], 0, / name=n1 msg="loading tracing/);
  await f(['--auto-gomemlimit.ratio=1.5'], 1, /--auto-gomemlimit\.ratio must be greater than 0/);
  await f(['--enable-auto-gomemlimit', '--log.level=debug'], 0, /msg="memory limit set" bytes=\d+/);
});
