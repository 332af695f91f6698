import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { CommandSpec, FlagValues } from './flag-spec.ts';
import { parseArgs } from './flags.ts';
import { parseLabels } from './flag-labels.ts';

const command: CommandSpec = {
  name: 'thanos demo',
  description: 'Demonstrates.',
  flags: [
    { name: 'http-address', kind: 'string', default: '0.0.0.0:10902', help: 'Address.' },
    { name: 'store.limit', kind: 'int', default: '0', help: 'Limit.' },
    { name: 'query.timeout', kind: 'duration', default: '2m', help: 'Timeout.', group: 'Query' },
    { name: 'max-size', kind: 'bytes', default: '64MB', help: 'Size.' },
    { name: 'log.level', kind: 'enum', values: ['error', 'info'], default: 'info', help: 'Level.' },
    { name: 'web.cors', kind: 'bool', default: 'true', help: 'CORS.' },
    { name: 'ratio', kind: 'float', default: '0.9', help: 'Ratio.' },
    { name: 'wait', kind: 'bool', help: 'Wait.' },
    { name: 'label', kind: 'string', repeatable: true, help: 'Labels.', placeholder: 'k="v"' },
    { name: 'replica', kind: 'string', repeatable: true, default: ['a', 'b'], help: 'Replicas.' },
    { name: 'objstore.config', kind: 'string', help: 'Bucket.', placeholder: '<content>' },
    { name: 'secret-door', kind: 'string', help: 'Not for you.', hidden: true },
  ],
};

function values(...argv: string[]): FlagValues {
  const result = parseArgs(command, argv);
  assert.equal(result.kind, 'values', JSON.stringify(result));
  return (result as { values: FlagValues }).values;
}

test('values', () => {
  const f = (argv: string[], name: string, want: string) =>
    assert.equal(values(...argv).show()[name], want);
  f([], 'http-address', '0.0.0.0:10902');
  f(['--http-address=:1'], 'http-address', ':1');
  f(['--http-address', ':2'], 'http-address', ':2');
  f(['--http-address='], 'http-address', '');
  f(['--http-address=a=b'], 'http-address', 'a=b');
  f(['--store.limit=-5'], 'store.limit', '-5');
  f(['--query.timeout=1h30m'], 'query.timeout', '1h30m');
  f(['--query.timeout=15d'], 'query.timeout', '15d');
  f(['--query.timeout=1.5h'], 'query.timeout', '1h30m');
  f(['--query.timeout=1m30s500ms'], 'query.timeout', '1m30s500ms');
  f(['--query.timeout=-1m'], 'query.timeout', '-1m');
  f(['--max-size=512KiB'], 'max-size', '512KB');
  f(['--max-size=1000'], 'max-size', '1000B');
  f([], 'max-size', '64MB');
  f([], 'ratio', '0.9');
  f(['--ratio=.5e1'], 'ratio', '5');
  f([], 'web.cors', 'true');
  f(['--no-web.cors'], 'web.cors', 'false');
  f([], 'wait', 'false');
  f(['--wait'], 'wait', 'true');
  f(['--label', 'a', '--label=b'], 'label', 'a,b');
  f([], 'label', '');
  f([], 'replica', 'a,b');
  f(['--replica=c'], 'replica', 'c');
  f(['--objstore.config=type: S3'], 'objstore.config', '<REDACTED>');
  // compat: also when it is not set.
  f([], 'objstore.config', '<REDACTED>');
});

test('typed getters', () => {
  const v = values('--query.timeout=15d', '--max-size=64MB', '--wait', '--label=x');
  assert.equal(v.number('query.timeout'), 15 * 86_400_000);
  assert.equal(v.number('max-size'), 64 * 1024 * 1024);
  assert.equal(v.bool('wait'), true);
  assert.deepEqual(v.strings('label'), ['x']);
  assert.deepEqual(v.strings('replica'), ['a', 'b']);
  assert.equal(v.isSet('label'), true);
  assert.equal(v.isSet('replica'), false);
  assert.throws(() => v.string('nope'), /BUG/);
  assert.throws(() => v.number('label'), /BUG/);
});

test('errors are one line in the words of kingpin', () => {
  const f = (argv: string[], want: string) =>
    assert.deepEqual(parseArgs(command, argv), {
      kind: 'error',
      message: `Error parsing commandline arguments: ${want}`,
    });
  f(['--foo'], "unknown long flag '--foo'");
  f(['--foo=1'], "unknown long flag '--foo'");
  f(['--no-http-address'], "unknown long flag '--no-http-address'");
  f(['-z'], "unknown short flag '-z'");
  f(['extra'], 'unexpected extra');
  f(['--', 'extra'], 'unexpected extra');
  f(['--wait=true'], 'unexpected true');
  f(['--http-address'], "expected argument for flag '--http-address'");
  f(['--http-address', '--wait'], "expected argument for flag '--http-address'");
  f(['--wait', '--wait'], "flag 'wait' cannot be repeated");
  f(['--log.level=trace'], `flag '--log.level': enum value must be one of error,info, got "trace"`);
  f(['--query.timeout=soon'], `flag '--query.timeout': not a valid duration string: "soon"`);
  f(['--store.limit=1e3'], `flag '--store.limit': not a whole number: "1e3"`);
  f(['--ratio=half'], `flag '--ratio': not a number: "half"`);
  f(['--max-size=big'], `flag '--max-size': not a size in bytes such as 512KB or 64MB: "big"`);
});

test('arguments from a file', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'flags-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'args'), '--http-address=:9\n--label\na b\n');
  const v = values('--wait', `@${join(dir, 'args')}`);
  assert.equal(v.string('http-address'), ':9');
  assert.deepEqual(v.strings('label'), ['a b']);
  const missing = parseArgs(command, [`@${join(dir, 'none')}`]);
  assert.ok(missing.kind === 'error' && missing.message.includes('no such file'));
});

test('help and version', () => {
  const f = (argv: string[], want: string) => assert.equal(parseArgs(command, argv).kind, want);
  f(['--help'], 'help');
  f(['-h', '--foo'], 'help');
  f(['--help-long'], 'help');
  f(['--version'], 'version');
  const text = (flag: string) => {
    const result = parseArgs(command, [flag]);
    return result.kind === 'help' ? result.text : '';
  };
  assert.match(text('--help'), /^usage: thanos demo \[<flags>\]\n\nDemonstrates\.\n\nFlags:\n/);
  assert.match(text('--help'), / {6}--http-address="0\.0\.0\.0:10902"\n/);
  assert.match(text('--help'), / {6}--\[no-\]wait +Wait\.\n/);
  assert.match(text('--help'), / {6}--label=k="v" \.\.\. +Labels\.\n/);
  assert.match(text('--help'), /\nQuery:\n {6}--query\.timeout=2m +Timeout\.\n/);
  assert.doesNotMatch(text('--help'), /secret-door/);
  assert.match(text('--help-long'), /secret-door=SECRET-DOOR/);
});

test('label flags', () => {
  const f = (texts: string[], want: string) => assert.equal(parseLabels(texts).toString(), want);
  f([], '{}');
  f(['replica="0"'], '{replica="0"}');
  f(['b="2"', 'a="1"'], '{a="1", b="2"}');
  f(['a="x=\\"y\\"\\u0041"'], '{a="x=\\"y\\"A"}');
  f(['a=`raw\\n`'], '{a="raw\\\\n"}');
  const bad = (texts: string[], want: RegExp) => assert.throws(() => parseLabels(texts), want);
  bad(['replica'], /^CodedError: unrecognized label "replica"/);
  bad(['1a="x"'], /unsupported format for label 1a="x"/);
  bad(['a=x'], /unquote label value of a=x/);
  bad(['a="x'], /unquote label value/);
  bad(['a="\\q"'], /unquote label value/);
  bad(['a="1"', 'a="2"'], /label a is given twice/);
});
