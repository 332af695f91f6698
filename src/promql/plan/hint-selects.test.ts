import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { changed, instantPlan, rangePlan } from '../../../test/support/plan-cases.ts';
import { hintSelects } from './hint-selects.ts';
import { printPlan } from './print-plan.ts';
import { pushAggregates } from './push-aggregates.ts';
import { shareSelects } from './share-selects.ts';

/** The lines of the selects. */
function selectsOf(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.startsWith('select'))
    .join('\n');
}

test('selects say what they are for', () => {
  const f = (query: string, before: string, hints: string) => {
    const plan = rangePlan(query);
    equal(selectsOf(printPlan(plan)), before);
    const want = `${before}${hints}`;
    equal(selectsOf(printPlan(hintSelects(plan))), want);
    equal(selectsOf(printPlan(hintSelects(changed(plan, pushAggregates)))), want);
  };
  const x = 'select 0 {__name__="x"} 10500001 to 14400000';
  f('x', x, ', step 1m');
  f('sum(x)', x, ', func sum, step 1m, by ()');
  f('sum by (a) (rate(x[5m]))', x, ', func rate, range 5m, step 1m, by (a)');
  f('stddev without (a, b) (x)', x, ', func stddev, step 1m, without (a, b)');
  // The labels of what is chosen are all seen.
  f('topk by (a) (1, x)', x, ', func topk, step 1m');
  // An aggregation further up sees what is between.
  f('sum by (a) (-x)', x, ', step 1m');
  f(
    'sum by (a) (x @ 60)',
    'select 0 {__name__="x"} -239999 to 60000',
    ', func sum, step 0s, by (a)',
  );
});

test('an instant query has no step', () => {
  equal(
    selectsOf(printPlan(hintSelects(instantPlan('rate(x[5m])')))),
    'select 0 {__name__="x"} 10500001 to 10800000, func rate, range 5m, step 0s',
  );
});

test('a shared select says what its scans agree on', () => {
  const f = (query: string, want: string) => {
    const plan = changed(rangePlan(query), pushAggregates);
    equal(selectsOf(printPlan(hintSelects(shareSelects(plan, 'exact')))), want);
  };
  f(
    'sum by (a) (rate(x[5m])) / sum by (a) (rate(x[30m]))',
    'select 0 {__name__="x"} 9000001 to 14400000, func rate, step 1m, by (a)',
  );
  f('sum by (a) (x) / count by (b) (x)', 'select 0 {__name__="x"} 10500001 to 14400000, step 1m');
});
