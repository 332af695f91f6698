import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { changed, rangePlan } from '../../../test/support/plan-cases.ts';
import { printPlan } from './print-plan.ts';
import { pushAggregates } from './push-aggregates.ts';

test('aggregations right above a scan become part of it', () => {
  const f = (query: string, before: string, after: string) => {
    const plan = rangePlan(query);
    const select = 'select 0 {__name__="x"} 10500001 to 14400000';
    equal(printPlan(plan), `${before}\n${select}`);
    equal(printPlan(changed(plan, pushAggregates)), `${after}\n${select}`);
  };
  f(
    'sum by (a, b) (rate(x[5m]))',
    `[aggregate] sum by (a, b)\n  [scan] rate {__name__="x"}[5m], select 0`,
    `[scan] rate {__name__="x"}[5m], sum by (a, b), select 0`,
  );
  f(
    'count without (a) (x)',
    `[aggregate] count without (a)\n  [scan] value {__name__="x"}, select 0`,
    `[scan] value {__name__="x"}, count without (a), select 0`,
  );
  // The outer one needs the groups of the inner one.
  f(
    'max(avg by (a) (x))',
    `[aggregate] max\n  [aggregate] avg by (a)\n    [scan] value {__name__="x"}, select 0`,
    `[aggregate] max\n  [scan] value {__name__="x"}, avg by (a), select 0`,
  );
});

test('other aggregations stay above', () => {
  const f = (query: string) => {
    const plan = rangePlan(query);
    equal(printPlan(changed(plan, pushAggregates)), printPlan(plan));
  };
  f('topk(1, x)');
  f('quantile(0.5, x)');
  f('stddev(x)');
  f('sum(-x)');
  // Series that lose their names may become one, and a scan sees each alone.
  f('sum(timestamp(x))');
});
