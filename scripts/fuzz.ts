/**
 * Random queries asked of the engine and of a naive evaluator: `npm run fuzz -- --cases 100000 [--seed N]`.
 *
 * `--from N` begins with another case.
 *
 * Prints each difference with all that repeats it, shrunk, then what was left out, and last
 * `N cases, M non-empty, D differences`. Exits with 1 when there are any.
 */
import { parseArgs } from 'node:util';
import { fuzz } from '../test/support/naive-promql/fuzz.ts';

/** limit: cases between two signs of life. */
const BATCH = 5000;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    from: { type: 'string', default: '0' },
  },
});
const [cases, seed, from] = [Number(values.cases), Number(values.seed), Number(values.from)];
if (![cases, seed, from].every(Number.isInteger) || cases < 1 || from < 0) {
  console.error('usage: fuzz [--cases <number>] [--seed <number>] [--from <number>]');
  process.exit(2);
}

console.log(`seed ${seed}`);
const sums = { nonEmpty: 0, failed: 0, unspecified: 0, differences: 0 };
const leftOut = new Map<string, number>();
for (let at = from; at < from + cases; at += BATCH) {
  const report = await fuzz({ seed, from: at, to: Math.min(from + cases, at + BATCH) });
  for (const difference of report.differences) console.log(difference);
  sums.nonEmpty += report.nonEmpty;
  sums.failed += report.failed;
  sums.unspecified += report.unspecified;
  sums.differences += report.differences.length;
  for (const [what, count] of report.leftOut) {
    leftOut.set(what, (leftOut.get(what) ?? 0) + count);
  }
}
for (const [what, count] of leftOut) console.log(`${count}: ${what}`);
console.log(`${sums.failed} refused by both, ${sums.unspecified} left open by Prometheus`);
console.log(`${cases} cases, ${sums.nonEmpty} non-empty, ${sums.differences} differences`);
process.exit(sums.differences > 0 ? 1 : 0);
