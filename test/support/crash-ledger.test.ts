import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrashLedger, noSums } from './crash-ledger.ts';
import type { Verdict } from './crash-ledger.ts';
import { lineOfTest } from './histogram-line.ts';
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
  const samples = ledger
    .request(parts)
    .flatMap((s) => s.samples.map(([t, v]): [number, string] => [t / 1000, String(v)]));
  ledger.acknowledge([first]);
  ledger.refuse([second]);
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
  ledger.request([ledger.again({ series: 1, numbers: [1, 2, 3] })]);
  const again = ledger.check('a', [{ metric: { series: '1' }, values: samples.slice(0, 4) }]);
  assert.deepEqual(again, { ...noSums(), acknowledged: 2, kept: 2, problems: [] });
  // What was there once is as good as acknowledged.
  const after = ledger.check('a', [{ metric: { series: '1' }, values }]);
  assert.equal(after.missing, 2);
});

test('crash ledger: what is deleted stays away, once the deletion is acknowledged or was seen to be done', () => {
  const ledger = new CrashLedger(BASE_MS);
  const series = [ledger.addSeries('a'), ledger.addSeries('a')];
  const stretches = series.map((one) => ledger.take(one, 10));
  const request = ledger.request(stretches);
  ledger.acknowledge(stretches);
  const answer = (gone: readonly (readonly [series: number, n: number])[]): RawSeries[] =>
    request.map(({ samples }, i) => ({
      metric: { series: String(i) },
      values: samples
        .filter((_, n) => !gone.some(([s, g]) => s === i && g === n))
        .map(([t, v]) => [t / 1000, String(v)]),
    }));
  const deletion = ledger.beginDelete([1], { from: 2, to: 4 });
  assert.equal(deletion.selector, '{group="a",series=~"1"}');
  assert.equal(deletion.startMs, request[1]?.samples[2]?.[0]);
  assert.equal(deletion.endMs, request[1]?.samples[4]?.[0]);
  assert.deepEqual(deletion.samples, [{ series: 1, numbers: [2, 3, 4] }]);
  // In doubt: what is there stays, what is gone is deleted, whatever the answer was.
  const inDoubt = ledger.check('a', answer([[1, 3]]));
  assert.deepEqual(inDoubt, { ...noSums(), acknowledged: 19, deleted: 1, problems: [] });
  const missing = ledger.check(
    'a',
    answer([
      [1, 3],
      [1, 2],
    ]),
  );
  assert.equal(missing.missing, 1);
  const back = ledger.check('a', answer([]));
  assert.match(back.problems.join(), /sample 3 had been deleted, and came back/);
  ledger.endDelete(ledger.beginDelete([0, 1], { from: 8, to: 9 }));
  const all = ledger.check('a', answer([[1, 3]]));
  assert.equal(all.problems.length, 2);
  assert.match(all.problems[0] ?? '', /series 0 \(float\): sample 8 had been deleted/);
});

test('crash ledger: histograms are known by their sum, and all else of them is checked', () => {
  const f = (change: (line: string) => string, problem?: RegExp): void => {
    const ledger = new CrashLedger(BASE_MS);
    const series = ledger.addSeries('a', { kind: 'floatHistogram', takesLate: true });
    const stretch = { ...ledger.take(series, 4), numbers: [2, 0, 3, 1] };
    const [{ histograms = [] } = {}] = ledger.request([stretch]);
    ledger.acknowledge([stretch]);
    const values = histograms
      .toSorted((a, b) => a.t - b.t)
      .map((one): [number, string] => [one.t / 1000, change(lineOfTest(one))]);
    const verdict = ledger.check('a', [{ metric: { series: '0' }, values }]);
    if (problem !== undefined) assert.match(verdict.problems.join(), problem);
    else {
      const want = { acknowledged: 4, histograms: 4, late: 2, problems: [] };
      assert.deepEqual(verdict, { ...noSums(), ...want });
    }
  };
  f((line) => line);
  f((line) => line.replace('float', 'int'), /sample 0 is \{sum=0 int .*, want \{sum=0 float/);
  f((line) => line.replace('sum=3', 'sum=9'), /was never sent/);
  f((line) => line.replace(/count=\d+/, 'count=1000'), /sample 0 is/);
});
