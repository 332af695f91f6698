/**
 * `kill -9` at random moments under load: every acknowledged sample is there after the restart, once, and none that
 * was never sent. The seeds are printed; `npm run soak` runs many more rounds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { runCrashRounds } from '../support/crash-rounds.ts';
import type { CrashOptions, CrashReport } from '../support/crash-rounds.ts';

const ROUNDS = 10;

/** A seed from outside reproduces a run as far as a seed can. */
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

function run(t: TestContext, options: Omit<CrashOptions, 'seed' | 'say'>): Promise<CrashReport> {
  t.diagnostic(`CRASH_SEED=${SEED}`);
  return runCrashRounds({ ...options, seed: SEED, say: (line) => t.diagnostic(line) });
}

function assertSound({ acknowledged, missing, lost, chunks, problems }: CrashReport): void {
  assert.deepEqual(problems, []);
  assert.equal(missing, 0);
  assert.ok(acknowledged > 5000, `${acknowledged} acknowledged samples`);
  assert.ok(lost > 0, 'requests were under way when the process was killed');
  assert.ok(chunks > 20, `${chunks} chunks came from files`);
}

test('a killed process loses nothing that it acknowledged', async (t) => {
  assertSound(await run(t, { rounds: ROUNDS, fsync: 'segment' }));
});

test('--wal.fsync=always: nor does the machine', async (t) => {
  assertSound(await run(t, { rounds: ROUNDS, fsync: 'always', droppingWriteBack: 0 }));
});

test('--wal.fsync=interval: nor does the machine', async (t) => {
  assertSound(await run(t, { rounds: ROUNDS, fsync: 'interval', droppingWriteBack: 0 }));
});

test('--wal.fsync=interval on a disk that writes back in any order', async (t) => {
  assertSound(await run(t, { rounds: ROUNDS, fsync: 'interval', droppingWriteBack: 0.3 }));
});

test('the file layer drops: --wal.fsync=segment loses what it acknowledged with the machine', async (t) => {
  const report = await run(t, { rounds: 1, fsync: 'segment', droppingWriteBack: 0 });
  assert.ok(report.missing > 0, 'without fsync nothing survives');
});
