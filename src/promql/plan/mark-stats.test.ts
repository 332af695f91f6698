import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { rangePlan } from '../../../test/support/plan-cases.ts';
import { markStats } from './mark-stats.ts';
import { printPlan } from './print-plan.ts';

test('scans whose histograms give count and sum only are marked', () => {
  const f = (query: string, before: string, after: string) => {
    const plan = rangePlan(query);
    const select = 'select 0 {__name__="x"} 10500001 to 14400000';
    equal(printPlan(plan), `${before}\n${select}`);
    equal(printPlan({ ...plan, root: markStats(plan.root) }), `${after}\n${select}`);
  };
  f(
    'histogram_count(rate(x[5m]))',
    `[call] histogram_count\n  [scan] rate {__name__="x"}[5m], select 0`,
    `[call] histogram_count\n  [scan] rate {__name__="x"}[5m], without buckets, select 0`,
  );
  f(
    'histogram_sum(sum(x))',
    `[call] histogram_sum\n  [aggregate] sum\n    [scan] value {__name__="x"}, select 0`,
    `[call] histogram_sum\n  [aggregate] sum\n    [scan] value {__name__="x"}, without buckets, select 0`,
  );
});

test('scans whose buckets are looked at are not', () => {
  const f = (query: string) => {
    const plan = rangePlan(query);
    equal(printPlan({ ...plan, root: markStats(plan.root) }), printPlan(plan));
  };
  f('x');
  f('histogram_quantile(0.9, x)');
  f('histogram_count(x </ 2)');
  f('histogram_count(last_over_time(x[5m:1m]))');
});
