import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrashLedger } from './crash-ledger.ts';
import type { Verdict } from './crash-ledger.ts';
import type { RawSeries } from './raw-samples.ts';

const BASE_MS = 1_700_000_000_000;

/** A ledger with two acknowledged, two lost and two doubtful samples of one series, and what a server could have. */
function makeLedger(): { ledger: CrashLedger; samples: [number, string][] } {
  const ledger = new CrashLedger(BASE_MS);
  ledger.addSeries('other');
  const series = ledger.addSeries('a');
  const parts = [0, 1, 2].map(() => ledger.take(series, 2));
  const [first, second] = parts;
  assert.ok(first !== undefined && second !== undefined);
  ledger.acknowledge([first]);
  ledger.refuse([second]);
  const samples = ledger
    .request(parts)
    .flatMap((s) => s.samples.map(([t, v]): [number, string] => [t / 1000, String(v)]));
  return { ledger, samples };
}

test('crash ledger: judges what a server answers', () => {
  const f = (
    pick: (samples: [number, string][]) => unknown[],
    want: Partial<Verdict>,
    problem?: RegExp,
    labels: Record<string, string> = { series: '1' },
  ): void => {
    const { ledger, samples } = makeLedger();
    const values = pick(samples) as [number, string][];
    const answer: RawSeries[] = values.length === 0 ? [] : [{ metric: labels, values }];
    const { problems, ...sums } = ledger.check('a', answer);
    assert.deepEqual({ ...sums, ...want }, sums);
    assert.equal(problems.length, problem === undefined ? 0 : 1, problems.join('\n'));
    if (problem !== undefined) assert.match(problems[0] ?? '', problem);
  };
  f(([a, b]) => [a, b], { acknowledged: 2, kept: 0, lost: 2, missing: 0 });
  f(([a, b, , , e]) => [a, b, e], { acknowledged: 2, kept: 1, lost: 1, missing: 0 });
  f(([a]) => [a], { missing: 1 }, /1 acknowledged samples are missing, first 1/);
  f(() => [], { missing: 2 }, /2 acknowledged samples are missing, first 0/);
  f(([a, b, c]) => [a, b, c], { missing: 0 }, /sample 2 had been refused or lost, and came back/);
  f(([a, b]) => [a, b, b], { missing: 0 }, /sample 1 is there twice/);
  f(
    ([a, b, , , e, g]) => [a, b, g, e],
    { missing: 0 },
    /sample 4 is there twice, or after sample 5/,
  );
  f(([a, b]) => [a, b, [b?.[0], '1000006']], { missing: 0 }, /1000006 at .* was never sent/);
  f(([a, b]) => [a, b, [b?.[0], '5']], { missing: 0 }, /5 at .* was never sent/);
  f(([a, b, , , e]) => [a, b, [b?.[0], e?.[1]]], {}, /sample 4 is at .*, was sent for/);
});

test('crash ledger: series of nobody, and what is sent again', () => {
  const { ledger, samples } = makeLedger();
  const values = samples.slice(0, 2);
  const stranger = ledger.check('a', [
    { metric: { series: '1' }, values },
    { metric: { series: '0' }, values: [] },
    { metric: { series: '1' }, values },
  ]);
  assert.equal(stranger.problems.length, 2);
  const lost = { series: 1, from: 2, count: 2 };
  ledger.retake([lost]);
  const again = ledger.check('a', [{ metric: { series: '1' }, values: samples.slice(0, 4) }]);
  assert.deepEqual(again, { acknowledged: 2, kept: 2, lost: 0, missing: 0, problems: [] });
  // What was there once is as good as acknowledged.
  const after = ledger.check('a', [{ metric: { series: '1' }, values }]);
  assert.equal(after.missing, 2);
});
