/**
 * The fuzz tests with a million cases a codec: `npm run soak:fuzz`, `npm run soak:fuzz -- --cases=50000 block`. Takes hours.
 *
 * Runs one file of fuzz tests after the other, each in a process of its own; words behind the options are parts of their
 * paths. The seed is printed and repeats a run. `N passed, N failed` (files) is the last line.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const REPOSITORY = resolve(import.meta.dirname, '..');
/** limit: a file of tests whose codec hangs must not hang the run; the longest takes hours. */
const FILE_TIMEOUT_MS = 12 * 3_600_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed)) {
  console.error('usage: soak-fuzz [--cases=<number>] [--seed=<number>] [<part of a path>…]');
  process.exit(2);
}

const files = globSync('src/**/*.fuzz.test.ts', { cwd: REPOSITORY })
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .toSorted((a, b) => (a < b ? -1 : 1));
console.log(`${files.length} files, ${cases} cases, --seed=${seed}`);
let failed = files.length === 0 ? 1 : 0;
for (const file of files) if (!run(file)) failed++;
console.log(`${Math.max(0, files.length - failed)} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

/** Runs one file. Answers whether all of it passed. */
function run(file: string): boolean {
  const started = performance.now();
  const env = {
    ...process.env,
    TSDB_FUZZ_CASES: String(cases),
    TSDB_FUZZ_SEED: String(seed),
  };
  // The runner of `npm test` ends a test after two minutes; a file that is run by itself has no such limit.
  const { status, stdout } = spawnSync(process.execPath, ['--test-reporter=spec', file], {
    cwd: REPOSITORY,
    env,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: FILE_TIMEOUT_MS,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const mark = status === 0 ? '✔' : '✖';
  console.log(`${mark} ${file}: ${seconds} s${status === 0 ? '' : `\n${stdout}`}`);
  return status === 0;
}
