/**
 * The crash tests in full: `npm run soak`, `npm run soak -- --rounds=20 --seed=7`. Takes an hour.
 *
 * The kind with the process killed runs so many rounds, 500 by default, the others, which are about the log alone, two
 * fifths of that; on a fresh directory now and then. Seeds are printed and repeat a run as far as a seed can. Problems are
 * printed, and `N passed, N failed` (directories) is the last line.
 */
import { parseArgs } from 'node:util';
import { runCrashRounds } from '../test/support/crash-rounds.ts';
import type { CrashOptions } from '../test/support/crash-rounds.ts';

/** limit: every round reads back all samples, so that a directory cannot go on for ever. */
const ROUNDS_PER_DIRECTORY = 25;

type Kind = Pick<CrashOptions, 'fsync' | 'droppingWriteBack'>;

const KINDS: readonly Kind[] = [
  { fsync: 'segment' },
  { fsync: 'interval' },
  { fsync: 'always', droppingWriteBack: 0 },
  { fsync: 'interval', droppingWriteBack: 0 },
  { fsync: 'interval', droppingWriteBack: 0.3 },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const rounds = Number(values.rounds);
const firstSeed = Number(values.seed);
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(firstSeed)) {
  console.error('usage: soak [--rounds=<number>] [--seed=<number>]');
  process.exit(2);
}

let [passed, failed] = [0, 0];
for (const kind of KINDS) {
  let seed = firstSeed;
  const share = kind.fsync === 'segment' ? rounds : Math.ceil((rounds * 2) / 5);
  for (let left = share; left > 0; left -= ROUNDS_PER_DIRECTORY) {
    const good = await soak(kind, seed++, Math.min(left, ROUNDS_PER_DIRECTORY));
    if (good) passed++;
    else failed++;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

/** Runs one directory. Answers whether nothing is wrong. */
async function soak(kind: Kind, seed: number, count: number): Promise<boolean> {
  const started = performance.now();
  const { fsync, droppingWriteBack } = kind;
  const files =
    droppingWriteBack === undefined ? 'kill' : `machine, write back ${droppingWriteBack}`;
  const name = `--wal.fsync=${fsync}, ${files}, ${count} rounds, --seed=${seed}`;
  const lines: string[] = [];
  let problems: readonly string[];
  try {
    const report = await runCrashRounds({
      ...kind,
      seed,
      rounds: count,
      say: (line) => lines.push(line),
    });
    problems = report.problems;
  } catch (thrown) {
    problems = [thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)];
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (problems.length === 0) {
    console.log(`✔ ${name}: ${seconds} s; ${lines.slice(-2).join('; ')}`);
    return true;
  }
  console.log(
    `✖ ${name}: ${seconds} s\n${[...lines, ...problems].join('\n').replaceAll(/^/gm, '    ')}`,
  );
  return false;
}
