import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { instantPlan, rangePlan } from '../../../test/support/plan-cases.ts';
import type { CounterView } from '../funcs/counter-view.ts';
import { markStats } from './mark-stats.ts';
import { printPlan } from './print-plan.ts';
import { shareSelects } from './share-selects.ts';

test('scans of the same series use one select', () => {
  const f = (query: string, before: string, after: string) => {
    const plan = rangePlan(query);
    equal(printPlan(plan), before);
    equal(printPlan(shareSelects(plan, 'exact')), after);
  };
  f(
    'x{a="1"} / x{a="1"}',
    `[binary] /
  [scan] value {a="1",__name__="x"}, select 0
  [scan] value {a="1",__name__="x"}, select 1
select 0 {a="1",__name__="x"} 10500001 to 14400000
select 1 {a="1",__name__="x"} 10500001 to 14400000`,
    `[binary] /
  [scan] value {a="1",__name__="x"}, select 0
  [scan] value {a="1",__name__="x"}, select 0
select 0 {a="1",__name__="x"} 10500001 to 14400000`,
  );
  // The wider select serves, wherever it stands; others are numbered anew.
  f(
    'rate(x[5m]) / on (a) y - rate(x[30m])',
    `[binary] -
  [binary] / on (a)
    [scan] rate {__name__="x"}[5m], select 0
    [scan] value {__name__="y"}, select 1
  [scan] rate {__name__="x"}[30m], select 2
select 0 {__name__="x"} 10500001 to 14400000
select 1 {__name__="y"} 10500001 to 14400000
select 2 {__name__="x"} 9000001 to 14400000`,
    `[binary] -
  [binary] / on (a)
    [scan] rate {__name__="x"}[5m], select 1
    [scan] value {__name__="y"}, select 0
  [scan] rate {__name__="x"}[30m], select 1
select 0 {__name__="y"} 10500001 to 14400000
select 1 {__name__="x"} 9000001 to 14400000`,
  );
});

test('the order of matchers does not matter', () => {
  const { selects } = shareSelects(rangePlan('x{a="1",b!="2"} - x{b!="2",a="1"}'), 'exact');
  equal(selects.length, 1);
});

test('how many selects are left', () => {
  const f = (query: string, want: number, view: CounterView = 'exact') => {
    const { root, selects } = rangePlan(query);
    equal(shareSelects({ root: markStats(root), selects }, view).selects.length, want, query);
  };
  f('x + x + x', 1);
  f('max_over_time(x[30m:1m]) - x offset 5m', 1);
  f('quantile_over_time(scalar(x), x[5m])', 1);
  // Other matchers.
  f('x + y', 2);
  f('x{a="1"} + x{a!="1"}', 2);
  f('x{a="1"} + x{a=~"1"}', 2);
  f('x + x{a=""}', 2);
  // Neither range holds the other.
  f('x - x offset 5m', 2);
  // What timestamp() with `@` sees depends on what is selected.
  f('timestamp(x) + x', 2);
  f('timestamp(x @ 60 offset 1m) + timestamp(x @ 60)', 2);
  f('timestamp(x) + x + x', 2);
  // Extended ranges look for the samples beside theirs.
  f('rate(x[5m] anchored) + rate(x[5m])', 2);
  f('x smoothed + x', 2);
  // The hints of histograms without buckets depend on the first sample that is read.
  f('histogram_count(x) + histogram_sum(x)', 2);
  // So do Thanos' counters.
  f('rate(x[5m]) / rate(x[30m])', 2, 'thanos');
  f('delta(x[5m]) / delta(x[30m])', 1, 'thanos');
});

test('nobody reads much more than needed', () => {
  const f = (query: string, want: number) => {
    equal(shareSelects(instantPlan(query), 'exact').selects.length, want, query);
  };
  f('x - avg_over_time(x[10m])', 1);
  f('x - avg_over_time(x[20m])', 1);
  f('x - avg_over_time(x[21m])', 2);
  f('max_over_time(x[16h]) - avg_over_time(x[1d])', 1);
  f('max_over_time(x[15h]) - avg_over_time(x[1d])', 2);
});
