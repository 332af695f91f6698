import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { nopLogger } from '../lib/log.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import { parseArgs } from '../ops/flags.ts';
import { limitWorkerHeaps } from '../ops/memory-limit.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { httpFlags } from './http-flags.ts';
import { commandRequestLogs, commandTracing, commandWeb, memoryBudget } from './process-setup.ts';
import { requestLoggingFlags } from './request-logging-flags.ts';

function valuesOf(...argv: string[]): FlagValues {
  const flags = [...GLOBAL_FLAGS, ...httpFlags(), ...requestLoggingFlags()];
  const result = parseArgs({ name: 'x', description: '', flags }, argv);
  if (result.kind === 'values') return result.values;
  throw new Error(JSON.stringify(result));
}

test('without flags there is nothing', async () => {
  const values = valuesOf();
  assert.equal(await commandWeb(values, nopLogger), undefined);
  assert.deepEqual(await commandRequestLogs(values, nopLogger), {
    http: undefined,
    grpc: undefined,
  });
  assert.equal(memoryBudget(values, nopLogger), undefined);
  const tracing = await commandTracing(values, nopLogger);
  assert.deepEqual(tracing.tracer.headers(), {});
  await tracing.close();
});

test('request logs from a file, and what is wrong in it', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'log.yml');
  const flag = `--request.logging-config-file=${path}`;
  writeFileSync(path, 'http: {options: {level: INFO, decision: {log_end: true}}}');
  const logs = await commandRequestLogs(valuesOf(flag), nopLogger);
  assert.ok(logs.http !== undefined && logs.grpc === undefined);
  writeFileSync(path, 'options:\n  decision: {log_end: true}');
  await assert.rejects(commandRequestLogs(valuesOf(flag), nopLogger), {
    message: `error while parsing config for request logging: ${path}:1: options.level: level field is empty`,
  });
  await assert.rejects(
    commandRequestLogs(valuesOf(flag, '--request.logging-config=options: {}'), nopLogger),
    /both request\.logging-config-file and request\.logging-config flags set\./,
  );
});

test('a web configuration that is not there', async () => {
  await assert.rejects(commandWeb(valuesOf('--http.config=/nowhere/web.yml'), nopLogger), /ENOENT/);
});

test('the memory budget', () => {
  try {
    const bytes = memoryBudget(valuesOf('--enable-auto-gomemlimit'), nopLogger) ?? 0;
    assert.ok(bytes > 64 * 1024 * 1024);
    const half = ['--enable-auto-gomemlimit', '--auto-gomemlimit.ratio=0.45'];
    const other = memoryBudget(valuesOf(...half), nopLogger) ?? 0;
    assert.ok(Math.abs(other * 2 - bytes) <= 2);
  } finally {
    limitWorkerHeaps(0);
  }
  assert.throws(
    () => memoryBudget(valuesOf('--auto-gomemlimit.ratio=0'), nopLogger),
    /ratio must be/,
  );
});
