/** Runs our own scripts in Prometheus' test language. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { runScript } from '../support/promqltest.ts';

const FOLDER = new URL('./', import.meta.url);

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.test'))) {
  test(file, async () => {
    const outcomes = await runScript(readFileSync(new URL(file, FOLDER), 'utf8'), { strict: true });
    const wrong = outcomes.filter(({ status }) => status !== 'passed');
    assert.deepEqual(wrong, []);
    assert.notEqual(outcomes.length, 0);
  });
}

test('a script that expects what is not so fails', async () => {
  const f = async (expectation: string, reason: RegExp, expr = 'x') => {
    const script = `load 1m\n  x 1 2\n\neval instant at 1m ${expr}\n  ${expectation}\n`;
    const [outcome] = await runScript(script);
    assert.equal(outcome?.status, 'failed');
    assert.match(outcome.reason, reason);
  };
  await f('x 3', /is 2, want 3/);
  await f('x {{count:2}}', /is 2, want \{\{.*count:2/);
  await f('x{a="b"} 2', /unexpected x/);
  await f('', /unexpected x/);
  await f('2', /want a scalar/);
  await f('expect fail', /did not fail/);
  await f('expect warn', /no warn/);
  await f('expect info msg: another', /no info like another, got PromQL info/, 'rate(x[2m])');
  await f('expect no_info', /unexpected info: PromQL info/, 'rate(x[2m])');
  await f('expect string "a"', /got the string "b"/, '"b"');
});

test('a strict script tells annotations and counter reset hints', async () => {
  const f = async (expectation: string, reason: RegExp, expr = 'x', value = '1 2') => {
    const script = `load 1m\n  x ${value}\n\neval instant at 1m ${expr}\n  ${expectation}\n`;
    const [lax] = await runScript(script);
    assert.equal(lax?.status, 'passed');
    const [outcome] = await runScript(script, { strict: true });
    assert.equal(outcome?.status, 'failed');
    assert.match(outcome.reason, reason);
  };
  await f('{} 0.0166666666', /unexpected info: PromQL info/, 'rate(x[2m])');
  await f('', /unexpected warn: PromQL warning/, 'sum({__name__=~"x|y"})', '1\n  y {{count:1}}');
  await f('x {{count:2}}', /gauge\}\}, want/, 'x', '{{count:2 counter_reset_hint:gauge}}');
});

test('a series with histograms is no reason to skip', async () => {
  const script = 'load 1m\n  x{a="b"} {{count:1}}\n  x 1\n\neval instant at 0 absent(y)\n  {} 2\n';
  const [outcome] = await runScript(script);
  assert.equal(outcome?.status, 'failed');
});
