import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import type { Logger, LogLevel, LogValue } from '../lib/log.ts';
import { createLogger, type LogFormat } from './log.ts';
import { logfmtField, logfmtValue } from './logfmt.ts';

test('logfmt values', () => {
  const f = (value: LogValue, want: string) => assert.equal(logfmtValue(value), want);
  f('plain', 'plain');
  f('', '');
  f('two words', '"two words"');
  f('a=b', '"a=b"');
  f('say "hi"', '"say \\"hi\\""');
  f('back\\slash', 'back\\slash');
  f('back\\slash and space', '"back\\\\slash and space"');
  f('line\nbreak\ttab', '"line\\nbreak\\ttab"');
  f('\u0001', '"\\u0001"');
  f('null', '"null"');
  f(null, 'null');
  f('grüße', 'grüße');
  f('\ud800', '"\ufffd"');
  f(1.5, '1.5');
  f(true, 'true');
  f(new Error('open x: no such file'), '"open x: no such file"');
  assert.equal(logfmtField('a b="c"', 1), ' abc=1');
  assert.equal(logfmtField('gone', undefined), '');
});

/** The lines that `act` writes. */
function lines(format: LogFormat, level: LogLevel, act: (log: Logger) => void): string {
  let out = '';
  const clock = new FakeClock(Date.UTC(2026, 10, 21, 5, 53, 41, 494));
  act(createLogger({ level, format, clock, write: (line) => (out += line) }));
  return out;
}

test('shape of a line', () => {
  const act = (log: Logger) =>
    log
      .with({ caller: 'db.ts:1', component: 'tsdb' })
      .info('head block', { took: 2, err: new Error('x y') });
  assert.equal(
    lines('logfmt', 'info', act),
    'ts=2026-11-21T05:53:41.494Z caller=db.ts:1 level=info component=tsdb msg="head block" took=2 err="x y"\n',
  );
  assert.equal(
    lines('json', 'info', act),
    '{"caller":"db.ts:1","component":"tsdb","err":"x y","level":"info","msg":"head block","took":2,"ts":"2026-11-21T05:53:41.494Z"}\n',
  );
  assert.equal(
    lines('journald', 'info', act),
    '<6>ts=2026-11-21T05:53:41.494Z caller=db.ts:1 level=info component=tsdb msg="head block" took=2 err="x y"\n',
  );
});

test('levels', () => {
  const act = (log: Logger) => {
    log.error('e');
    log.warn('w');
    log.info('i');
    log.debug('d');
  };
  const f = (level: LogLevel, want: string) => {
    const got = [...lines('logfmt', level, act).matchAll(/msg=(.)/g)].map((m) => m[1]);
    assert.equal(got.join(''), want);
  };
  f('error', 'e');
  f('warn', 'ew');
  f('info', 'ewi');
  f('debug', 'ewid');
});

test('context of nested loggers', () => {
  const got = lines('logfmt', 'info', (log) => {
    const outer = log.with({ component: 'all', caller: 'a.ts' });
    outer.with({ caller: 'b.ts', tenant: 't 1' }).warn('one');
    outer.info('two');
  });
  assert.equal(
    got.replaceAll(/ts=\S+ /g, ''),
    'caller=b.ts level=warn component=all tenant="t 1" msg=one\ncaller=a.ts level=info component=all msg=two\n',
  );
});
