/**
 * `thanos all` over a block of the golden bucket answers all that was asked of a Prometheus 3.14 over that block alone: values, error
 * texts, warnings, and -0.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  compareAnswers,
  isNonEmpty,
  queryOf,
  readGoldenQueries,
} from './support/golden-answers.ts';
import type { GoldenAnswer } from './support/golden-answers.ts';
import { startAll } from './support/server-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';
const BLOCK = '01M7YF2Z91SGB2KEBY4MJJ0436';

/** How many lines there are, and how many of them have an answer that is not empty, or an error. */
const LINES = 330;
const NON_EMPTY_MIN = 300;

test('golden answers of a Prometheus over one block, from a process', { skip }, async (t) => {
  using directory = temporaryDirectory();
  const tsdb = join(directory.path, 'prometheus');
  cpSync(join(GOLDEN, 'bucket', BLOCK), join(tsdb, BLOCK), { recursive: true });
  const all = await startAll({
    dataDir: join(directory.path, 'data'),
    args: [
      `--tsdb.path=${tsdb}`,
      '--tsdb.retention=100y',
      '--enable-feature=promql-experimental-functions',
    ],
  });
  t.after(() => all.process.stop('SIGKILL'));
  const counts = { agreed: 0, nonEmpty: 0, errors: 0, histograms: 0 };
  for (const file of ['prometheus-fixed', 'prometheus-fuzz']) {
    for (const golden of readGoldenQueries(join(GOLDEN, 'queries', `${file}.jsonl.gz`))) {
      const response = await fetch(`${all.api}${golden.path}?${golden.params}`);
      const text = await response.text();
      const problem = compareAnswers(JSON.parse(text) as GoldenAnswer, golden.response);
      if (problem === undefined) {
        counts.agreed++;
        if (isNonEmpty(golden.response)) counts.nonEmpty++;
        if (golden.response.error !== undefined) counts.errors++;
        if (/"histograms?":/.test(text)) counts.histograms++;
      }
      await t.test(queryOf(golden), () => assert.equal(problem, undefined));
    }
  }
  const { agreed, nonEmpty, errors, histograms } = counts;
  t.diagnostic(
    `${agreed} answers agree, ${nonEmpty} of them not empty: ${errors} are errors, ${histograms} have histograms`,
  );
  await t.test('all were compared', () => {
    assert.equal(agreed, LINES);
    assert.ok(nonEmpty >= NON_EMPTY_MIN, `${nonEmpty} not empty, at least ${NON_EMPTY_MIN} must`);
  });
});
