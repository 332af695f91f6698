/**
 * Replays recorded answers of the Go programs: `npm run test:golden`, `npm run test:golden -- golden-head`. They lie
 * beside the checkout, in ../shared; without them every test is skipped, with the reason.
 */
import { findTests, runSerially } from './serial-tests.ts';

/** limit: one test may take this long; the longest takes seconds. */
const TEST_TIMEOUT_MS = 300_000;

const good = await runSerially(
  findTests('test/golden-*.test.ts', process.argv.slice(2)),
  TEST_TIMEOUT_MS,
);
process.exit(good ? 0 : 1);
