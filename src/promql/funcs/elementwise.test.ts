import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATE_FUNCTIONS, MATH_FUNCTIONS, clampTo, roundTo } from './elementwise.ts';

test('calendar', () => {
  const f = (name: string, seconds: number, want: number) =>
    assert.equal(DATE_FUNCTIONS.get(name)?.(seconds), want, `${name} of ${seconds}`);
  // 2024-02-29 12:34:56 UTC, a Thursday.
  f('year', 1709210096.9, 2024);
  f('month', 1709210096, 2);
  f('day_of_month', 1709210096, 29);
  f('day_of_year', 1709210096, 60);
  f('day_of_week', 1709210096, 4);
  f('days_in_month', 1709210096, 29);
  f('hour', 1709210096, 12);
  f('minute', 1709210096, 34);
  f('hour', -1, 23);
  f('year', -1, 1969);
  // 400 years later than that is beyond what a Date holds.
  f('year', Date.UTC(275760, 0, 1) / 1000 + 12622780800, 276160);
  f('day_of_month', 0 + 12622780800 * 1000, 1);
  f('day_of_week', 0 + 12622780800 * 1000, 4);
});

test('rounding and clamping', () => {
  assert.equal(roundTo(2.5, 1), 3);
  assert.equal(roundTo(-2.5, 1), -2);
  assert.equal(roundTo(7, 1 / 5), 5);
  assert.equal(clampTo(NaN, 0, 1), NaN);
  assert.equal(clampTo(5, -Infinity, 3), 3);
  assert.ok(Object.is(MATH_FUNCTIONS.get('sgn')?.(-0), -0));
});
