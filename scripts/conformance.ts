/**
 * Runs PromQL test scripts against the engine:
 *
 *   node scripts/conformance.ts --dir ../shared/promqltest [--verbose] [--only name]
 *
 * Prints a line a script (with --verbose also one a case that did not pass) and, last, the sums. What this version
 * does not have counts as skipped. Exits with 1 when anything failed.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runScript } from '../test/support/promqltest.ts';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
if (values.dir === undefined) {
  console.error('usage: conformance --dir <folder of .test scripts> [--verbose] [--only <name>]');
  process.exit(2);
}
const { dir, only, verbose } = values;
const sums = { passed: 0, failed: 0, skipped: 0 };
const files = readdirSync(dir).filter((file) => file.endsWith('.test'));
for (const file of files.sort((a, b) => (a < b ? -1 : 1))) {
  if (only !== undefined && !file.includes(only)) continue;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { line, expr, status, reason } of await runScript(
    readFileSync(join(dir, file), 'utf8'),
  )) {
    counts[status]++;
    sums[status]++;
    if (verbose && status !== 'passed') {
      console.log(`${file}:${line}: ${status}: ${expr}\n    ${reason}`);
    }
  }
  const { passed, failed, skipped } = counts;
  console.log(`${file}: ${passed} passed, ${failed} failed, ${skipped} not yet`);
}
console.log(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exit(sums.failed > 0 ? 1 : 0);
