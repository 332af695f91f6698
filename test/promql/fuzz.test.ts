import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fuzz } from '../support/naive-promql/fuzz.ts';
import { runNaiveScript } from '../support/naive-promql/run-script.ts';

const CASES = Number(process.env['PROMQL_FUZZ_CASES'] ?? 2000);
const SEED = Number(process.env['PROMQL_FUZZ_SEED'] ?? 1);

test(`the engine answers ${CASES} random queries as a naive evaluator does, seed ${SEED}`, async (t) => {
  const { nonEmpty, failed, unspecified, leftOut, differences } = await fuzz({
    seed: SEED,
    from: 0,
    to: CASES,
  });
  t.diagnostic(`${nonEmpty} non-empty, ${failed} refused by both, ${unspecified} left open`);
  for (const [what, count] of leftOut) t.diagnostic(`${count}: ${what}`);
  assert.equal(differences.join('\n'), '');
  // Otherwise the generator has become idle.
  assert.ok(nonEmpty > CASES / 2, `${nonEmpty} of ${CASES} answers are not empty`);
  const others = [...leftOut.values()].reduce((a, b) => a + b, 0);
  assert.ok(others + unspecified < CASES / 10, `${others} left out, ${unspecified} left open`);
});

/** Scripts with what the naive evaluator leaves out: dates far away, whole queries that are strings, trims of numbers. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'functions-dates.test',
  'literals.test',
  'operators-precedence.test',
]);

test('the naive evaluator passes the scripts that the engine passes', () => {
  const folder = import.meta.dirname;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.test'))) {
    if (LEFT_OUT.has(file)) continue;
    const script = readFileSync(join(folder, file), 'utf8');
    // The naive runner knows scripts of floats.
    if (/\{\{|@st\b|with_nhcb|expect range vector/.test(script)) continue;
    const { passed, wrong } = runNaiveScript(script);
    assert.deepEqual(wrong, [], file);
    assert.ok(passed > 0, file);
  }
});
