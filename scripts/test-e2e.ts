/**
 * Runs the end-to-end tests against real servers: `npm run test:e2e`, `npm run test:e2e -- crash`.
 *
 * What they need is installed when we are root, and named otherwise. `N passed, N failed` is the last line.
 */
import { installPackages } from './debian-packages.ts';
import { findTests, runSerially } from './serial-tests.ts';

/** limit: one test may take this long; the longest scrapes for two minutes. */
const TEST_TIMEOUT_MS = 600_000;

const problem = await installPackages();
if (problem !== undefined) {
  console.log(`test:e2e: ${problem}\n0 passed, 1 failed`);
  process.exit(1);
}
const files = findTests('test/e2e/**/*.test.ts', process.argv.slice(2));
process.exit((await runSerially(files, TEST_TIMEOUT_MS)) ? 0 : 1);
