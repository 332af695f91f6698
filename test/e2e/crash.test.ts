/**
 * `kill -9` at random moments under mixed load (floats, histograms, samples out of order, deletions, blocks that are cut):
 * every acknowledged sample is there after the restart, once, none that was never sent, and none that was deleted. The
 * seeds are printed; `npm run soak` runs many more rounds.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { runCrashRounds } from '../support/crash-rounds.ts';
import type { CrashOptions, CrashReport } from '../support/crash-rounds.ts';
import { keepCompiled } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ROUNDS = 10;
/** Of the kinds whose difference is in the log alone. */
const FEW_ROUNDS = 5;

/** A seed from outside reproduces a run as far as a seed can. */
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

const directory = temporaryDirectory();
before(() => keepCompiled(directory.path));
after(() => directory[Symbol.dispose]());

function run(t: TestContext, options: Omit<CrashOptions, 'seed' | 'say'>): Promise<CrashReport> {
  t.diagnostic(`CRASH_SEED=${SEED}`);
  return runCrashRounds({ ...options, seed: SEED, say: (line) => t.diagnostic(line) });
}

function assertSound({
  acknowledged,
  histograms,
  late,
  missing,
  lost,
  problems,
}: CrashReport): void {
  assert.deepEqual(problems, []);
  assert.equal(missing, 0);
  assert.ok(acknowledged > 1000, `${acknowledged} acknowledged samples`);
  assert.ok(histograms > 300, `${histograms} of them histograms`);
  assert.ok(late > 100, `${late} of them late`);
  assert.ok(lost > 0, 'requests were under way when the process was killed');
}

test('a killed process loses nothing that it acknowledged', async (t) => {
  const report = await run(t, { rounds: ROUNDS, fsync: 'segment' });
  assertSound(report);
  const { chunks, blocks, deleted } = report;
  assert.ok(chunks > 20, `${chunks} chunks came from files`);
  assert.ok(blocks > 0, 'no block was cut');
  assert.ok(deleted > 0, 'nothing was deleted');
});

test('--wal.fsync=always: nor does the machine', async (t) => {
  assertSound(await run(t, { rounds: FEW_ROUNDS, fsync: 'always', droppingWriteBack: 0 }));
});

test('--wal.fsync=interval: nor does the machine', async (t) => {
  assertSound(await run(t, { rounds: FEW_ROUNDS, fsync: 'interval', droppingWriteBack: 0 }));
});

test('--wal.fsync=interval on a disk that writes back in any order', async (t) => {
  assertSound(await run(t, { rounds: FEW_ROUNDS, fsync: 'interval', droppingWriteBack: 0.3 }));
});

test('the file layer drops: --wal.fsync=segment loses what it acknowledged with the machine', async (t) => {
  const report = await run(t, { rounds: 1, fsync: 'segment', droppingWriteBack: 0 });
  assert.ok(report.missing > 0, 'without fsync nothing survives');
});
