/**
 * `thanos tools bucket ls` and `inspect` over the recorded bucket, with what the Go program (0.43.0-dev of 2026-08-22)
 * prints over it, and their flags beside those of its `--help`.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runThanos, runThanosIn } from './support/run-command.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';
const OBJSTORE = `--objstore.config={type: FILESYSTEM, config: {directory: ${JSON.stringify(join(GOLDEN, 'bucket'))}}}`;

const RAW_A = '01M7YF2Z91SGB2KEBY4MJJ0436';
const RAW_B = '01M7YF2ZE24Q0RESYAH07PVC9Y';
const FIVE_MINUTES = '01M7YF2ZK8XRHYKTKAQ923MTET';
const ONE_HOUR = '01M7YF2ZP4BPXVNFXAKFT5DSE6';

/** Standard output of a command over the recorded bucket. */
async function tools(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runThanos('tools', 'bucket', ...args, OBJSTORE);
  assert.equal(code, 0, stderr);
  return stdout;
}

test('ls in each output', { skip }, async () => {
  const f = async (args: readonly string[], lines: readonly string[]) =>
    assert.equal(await tools('ls', ...args), lines.map((line) => `${line}\n`).join(''));
  const ends = '2023-11-14T22:00:00Z - 2023-11-26T21:59:00Z Diff: 287h59m0s, Compaction: 1,';
  const ulids = [RAW_A, RAW_B, FIVE_MINUTES, ONE_HOUR];
  await Promise.all([
    f([], ulids),
    f(
      ['--output=wide'],
      [
        `${RAW_A} -- ${ends} Downsample: 0, Source: bucket.upload`,
        `${RAW_B} -- 2023-11-14T22:00:17Z - 2023-11-26T21:59:17Z Diff: 287h59m0s, Compaction: 1, Downsample: 0, Source: bucket.upload`,
        `${FIVE_MINUTES} -- ${ends} Downsample: 300000, Source: compactor`,
        `${ONE_HOUR} -- ${ends} Downsample: 3600000, Source: compactor`,
      ],
    ),
    f(
      ['-o', '{{.Thanos.GroupKey}} {{.Stats.NumSamples}} {{.}} {{.Thanos.UploadTime}}'],
      [
        `0@2192398839346019852 240106 ${RAW_A} (min time: 1699999200000, max time: 1701035940001) 2026-11-21 07:10:47.363832369 +0000 UTC`,
        `0@8458665032009164195 233991 ${RAW_B} (min time: 1699999217000, max time: 1701035957001) 2026-11-21 07:10:59.406605987 +0000 UTC`,
        `300000@2192398839346019852 61074 ${FIVE_MINUTES} (min time: 1699999200000, max time: 1701035940001) 2026-11-21 07:10:47.488933756 +0000 UTC`,
        `3600000@2192398839346019852 5242 ${ONE_HOUR} (min time: 1699999200000, max time: 1701035940001) 2026-11-21 07:10:47.51830832 +0000 UTC`,
      ],
    ),
    f(
      [
        '-o',
        '{{range $k, $v := .Thanos.Labels}}{{$k}}={{$v}} {{end}}',
        '--max-time=2023-11-14T22:00:05Z',
      ],
      ['cluster=golden replica=a ', 'cluster=golden replica=a ', 'cluster=golden replica=a '],
    ),
    f(['--min-time=2023-11-26T21:59:10Z'], [RAW_B]),
    f(['--min-time=-1d'], []),
    f(['--exclude-delete'], ulids),
    f(['--selector.relabel-config=[{source_labels: [replica], regex: b, action: keep}]'], [RAW_B]),
    f(
      ['--selector.relabel-config=[{source_labels: [__block_id], regex: .*ZK8.*, action: drop}]'],
      [RAW_A, RAW_B, ONE_HOUR],
    ),
  ]);
});

test('ls as JSON prints the files of the bucket', { skip }, async () => {
  const metas = [RAW_A, RAW_B, FIVE_MINUTES, ONE_HOUR].map((ulid) =>
    readFileSync(join(GOLDEN, 'bucket', ulid, 'meta.json'), 'utf8'),
  );
  assert.equal(await tools('ls', '-ojson'), metas.join(''));
});

const TABLE = `|            ULID            |         FROM         |        UNTIL         |     RANGE     |   UNTIL-DOWN   | #SERIES | #SAMPLES | #CHUNKS | COMP-LEVEL | COMP-FAILED |          LABELS          | RESOLUTION |    SOURCE     |
|----------------------------|----------------------|----------------------|---------------|----------------|---------|----------|---------|------------|-------------|--------------------------|------------|---------------|
| 01M7YF2Z91SGB2KEBY4MJJ0436 | 2023-11-14T22:00:00Z | 2023-11-26T21:59:00Z | 287h59m0.001s | -247h59m0.001s | 26      | 240,106  | 2,196   | 1          | false       | cluster=golden,replica=a | 0s         | bucket.upload |
| 01M7YF2ZK8XRHYKTKAQ923MTET | 2023-11-14T22:00:00Z | 2023-11-26T21:59:00Z | 287h59m0.001s | -47h59m0.001s  | 26      | 61,074   | 364     | 1          | false       | cluster=golden,replica=a | 5m0s       | compactor     |
| 01M7YF2ZP4BPXVNFXAKFT5DSE6 | 2023-11-14T22:00:00Z | 2023-11-26T21:59:00Z | 287h59m0.001s | -              | 26      | 5,242    | 68      | 1          | false       | cluster=golden,replica=a | 1h0m0s     | compactor     |
| 01M7YF2ZE24Q0RESYAH07PVC9Y | 2023-11-14T22:00:17Z | 2023-11-26T21:59:17Z | 287h59m0.001s | -247h59m0.001s | 26      | 233,991  | 2,099   | 1          | false       | cluster=golden,replica=b | 0s         | bucket.upload |
`;

const HEADER =
  'ULID,FROM,UNTIL,RANGE,UNTIL-DOWN,#SERIES,#SAMPLES,#CHUNKS,COMP-LEVEL,COMP-FAILED,LABELS,RESOLUTION,SOURCE';

test('inspect in each layout', { skip }, async () => {
  const f = async (args: readonly string[], want: string) =>
    assert.equal(await tools('inspect', ...args), want, args.join(' '));
  const range = '287h59m0.001s';
  await Promise.all([
    f([], TABLE),
    f(
      ['--output=csv', '--sort-by=#SAMPLES'],
      `${HEADER}
${ONE_HOUR},2023-11-14T22:00:00Z,2023-11-26T21:59:00Z,${range},-,26,"5,242",68,1,false,"cluster=golden,replica=a",1h0m0s,compactor
${FIVE_MINUTES},2023-11-14T22:00:00Z,2023-11-26T21:59:00Z,${range},-47h59m0.001s,26,"61,074",364,1,false,"cluster=golden,replica=a",5m0s,compactor
${RAW_B},2023-11-14T22:00:17Z,2023-11-26T21:59:17Z,${range},-247h59m0.001s,26,"233,991","2,099",1,false,"cluster=golden,replica=b",0s,bucket.upload
${RAW_A},2023-11-14T22:00:00Z,2023-11-26T21:59:00Z,${range},-247h59m0.001s,26,"240,106","2,196",1,false,"cluster=golden,replica=a",0s,bucket.upload
`,
    ),
    f(
      ['--output=tsv', '-l', 'replica="b"', '-l', 'cluster="golden"'],
      `${HEADER.replaceAll(',', '\t')}
${RAW_B}	2023-11-14T22:00:17Z	2023-11-26T21:59:17Z	${range}	-247h59m0.001s	26	233,991	2,099	1	false	cluster=golden,replica=b	0s	bucket.upload
`,
    ),
    f(['--output=csv', '--selector=replica="b"', '--selector=cluster="x"'], `${HEADER}\n`),
  ]);
  const { stdout } = await runThanosIn('Asia/Kolkata', 'tools', 'bucket', 'ls', '-owide', OBJSTORE);
  assert.match(
    stdout,
    / -- 2023-11-15T03:30:00\+05:30 - 2023-11-27T03:29:00\+05:30 Diff: 287h59m0s,/,
  );
});

/** A flag as the recorded list has it. */
interface RecordedFlag {
  readonly name: string;
  readonly bool: boolean;
  readonly short: string | null;
  readonly value: string | null;
  readonly repeatable: boolean;
}

/** The flags of a help text. */
function flagsOf(help: string): RecordedFlag[] {
  return help.split('\n').flatMap((line) => {
    const match = /^ {2}(?:-(\w), | {4})--(\[no-\])?([\w.-]+)(?:=(\S+))?( \.\.\.)?(?: |$)/.exec(
      line,
    );
    if (match === null) return [];
    const [, short = null, bool, name = '', value = null, more] = match;
    return [{ name, bool: bool !== undefined, short, value, repeatable: more !== undefined }];
  });
}

test('the flags are those of the Go program', { skip }, async (t) => {
  const recorded = JSON.parse(readFileSync(join(GOLDEN, 'flags.json'), 'utf8')) as Readonly<
    Record<string, readonly RecordedFlag[]>
  >;
  const byName = (a: RecordedFlag, b: RecordedFlag): number => (a.name < b.name ? -1 : 1);
  for (const command of ['tools bucket ls', 'tools bucket inspect']) {
    const { code, stdout } = await runThanos(...command.split(' '), '--help');
    assert.equal(code, 0);
    const want = [...(recorded['global'] ?? []), ...(recorded[command] ?? [])].toSorted(byName);
    assert.ok(want.length > 10);
    const got = flagsOf(stdout).toSorted(byName);
    // compat: our help shows how every text is given, the Go program's shows enums without quotes as well.
    assert.deepEqual(got, want, command);
    t.diagnostic(`${command}: ${want.length} flags`);
  }
});
