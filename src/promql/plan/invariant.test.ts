import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { instantPlan, rangePlan } from '../../../test/support/plan-cases.ts';
import { printPlan } from './print-plan.ts';

test('what is the same at all steps is computed at one', () => {
  const f = (query: string, want: string) => equal(printPlan(rangePlan(query)), want);
  f(
    'x @ 60 / x',
    `[binary] /
  [invariant]
    [scan] value {__name__="x"} @ 60, select 0
  [scan] value {__name__="x"}, select 1
select 0 {__name__="x"} -239999 to 60000
select 1 {__name__="x"} 10500001 to 14400000`,
  );
  f(
    'sum(rate(x[5m] @ end()))',
    `[invariant]
  [aggregate] sum
    [scan] rate {__name__="x"}[5m] @ 14400, select 0
select 0 {__name__="x"} 14100001 to 14400000`,
  );
  f(
    'timestamp(x @ 60)',
    `[invariant]
  [scan] timestamp {__name__="x"} @ 60, select 0
select 0 {__name__="x"} -239999 to 60000`,
  );
});

test('what changes with the time of evaluation is not', () => {
  const f = (query: string, want: string) => equal(printPlan(rangePlan(query)), want);
  f('time()', '[call] time');
  f('hour(vector(1))', '[call] hour\n  [invariant]\n    [call] vector\n      [number] 1');
  f(
    'predict_linear(x[5m] @ 600, 60)',
    `[scan] predict_linear {__name__="x"}[5m] @ 600, select 0
  [number] 60
select 0 {__name__="x"} 300001 to 600000`,
  );
});

test('at one step there is nothing to repeat', () => {
  equal(
    printPlan(instantPlan('x @ 60')),
    '[scan] value {__name__="x"} @ 60, select 0\nselect 0 {__name__="x"} -239999 to 60000',
  );
});
