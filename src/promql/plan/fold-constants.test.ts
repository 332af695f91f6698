import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { changed, rangePlan } from '../../../test/support/plan-cases.ts';
import { foldConstants } from './fold-constants.ts';
import { printPlan } from './print-plan.ts';

test('operators over constants become constants', () => {
  const f = (query: string, before: string, after: string) => {
    const plan = rangePlan(query);
    equal(printPlan(plan), before);
    equal(printPlan(changed(plan, foldConstants)), after);
  };
  f(
    '1 + 2 * 3',
    `[invariant]\n  [binary] +\n    [number] 1\n    [binary] *\n      [number] 2\n      [number] 3`,
    '[number] 7',
  );
  f(
    '-(2 ^ 3)',
    `[invariant]\n  [negate]\n    [binary] ^\n      [number] 2\n      [number] 3`,
    '[number] -8',
  );
  f('2 > bool 1', `[invariant]\n  [binary] > bool\n    [number] 2\n    [number] 1`, '[number] 1');
  f('1 / 0', `[invariant]\n  [binary] /\n    [number] 1\n    [number] 0`, '[number] +Inf');
  const select = 'select 0 {__name__="x"} 10500001 to 14400000';
  f(
    'x + 2 * 3',
    `[binary] +
  [scan] value {__name__="x"}, select 0
  [invariant]
    [binary] *
      [number] 2
      [number] 3
${select}`,
    `[binary] +
  [scan] value {__name__="x"}, select 0
  [number] 6
${select}`,
  );
});

test('what is no constant stays', () => {
  const f = (query: string) => {
    const plan = rangePlan(query);
    equal(printPlan(changed(plan, foldConstants)), printPlan(plan));
  };
  f('time() * 2');
  f('x * 2');
  f('scalar(x) + 1');
  f('vector(1) + 1');
});
