import assert from 'node:assert/strict';
import test from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { parseRequestLogConfig } from './request-log-config.ts';

const parse = (text: string) => parseRequestLogConfig({ name: 'log.yml', text });
const all = new Set(['debug', 'info', 'warn', 'error']);
const options = (level: string, start: boolean, end: boolean) =>
  `options: {level: "${level}", decision: {log_start: ${start}, log_end: ${end}}}\n`;

test('without a configuration, and by one that decides for nothing, nothing is logged', async () => {
  const none = { http: undefined, grpc: undefined };
  assert.deepEqual(await parseRequestLogConfig(undefined), none);
  assert.deepEqual(await parse(''), none);
  assert.deepEqual(await parse('options: {}'), none);
  assert.deepEqual(await parse(options('DEBUG', false, false)), none);
});

test('options of a protocol replace the common ones', async () => {
  const common = { levels: new Set(['error']), start: false, end: true, only: undefined };
  assert.deepEqual(await parse(options('ERROR', false, true)), { http: common, grpc: common });
  const got = await parse(`${options('ERROR', false, true)}http:
  ${options('DEBUG', true, true)}  config:
  - {path: /api/v1/query, port: 10902}
  - {path: /api/v1/labels, port: 9090}
grpc:
  config:
  - service: thanos.Store
    method: Series
`);
  assert.deepEqual(got, {
    http: {
      levels: all,
      start: true,
      end: true,
      only: new Set(['/api/v1/query:10902', '/api/v1/labels:9090']),
    },
    grpc: { ...common, only: new Set(['/thanos.Store/Series']) },
  });
});

test('levels by their names', async () => {
  const f = async (level: string, want: ReadonlySet<string>) =>
    assert.deepEqual((await parse(options(level, false, true))).http?.levels, want);
  await f('DEBUG', all);
  await f('INFO', new Set(['info', 'warn', 'error']));
  await f('WARNING', all);
  await f('ERROR', new Set(['error']));
});

test('what is wrong is said with file, line and field, in the words of Thanos', async () => {
  const bad = (text: string, want: string) =>
    assert.rejects(parse(text), (thrown: unknown) => {
      assert.ok(thrown instanceof CodedError);
      assert.equal(thrown.message, want);
      return true;
    });
  await bad(options('', true, true), 'log.yml:1: options.level: level field is empty');
  await bad(
    options('info', false, true),
    'log.yml:1: options.level: the format of level is invalid. Expected INFO/DEBUG/ERROR/WARNING, got this info',
  );
  await bad(
    options('WARN', false, false),
    'log.yml:1: options.level: the format of level is invalid. Expected INFO/DEBUG/ERROR/WARNING, got this WARN',
  );
  await bad(
    options('INFO', true, false),
    'log.yml:1: options.decision: log start call is not supported',
  );
  await bad(
    `grpc:\n  ${options('INFO', true, false)}`,
    'log.yml:2: grpc.options.decision: log decision combination is not supported',
  );
  await bad(
    'http:\n  config:\n  - {path: /, prot: 1}',
    'log.yml:3: http.config[0].prot: unknown field, expected port',
  );
  await bad('option: {}', 'log.yml:1: option: unknown field, expected options');
});
