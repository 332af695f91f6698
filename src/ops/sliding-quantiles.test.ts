import assert from 'node:assert/strict';
import test from 'node:test';
import { SlidingQuantiles } from './sliding-quantiles.ts';

const MINUTE = 60_000;

test('sliding quantiles: within a percent of the observation of that rank', () => {
  const window = new SlidingQuantiles();
  assert.deepEqual(window.quantiles([0.5], 0), [NaN]);
  for (let i = 1; i <= 1000; i++) window.observe(i / 1000, 0);
  const ranks = [0.001, 0.5, 0.9, 0.99, 1];
  for (const [i, value] of window.quantiles(ranks, 0).entries()) {
    const want = ranks[i] as number;
    assert.ok(Math.abs(value - want) <= want * 0.0101, `${value} for ${want}`);
  }
  const zeros = new SlidingQuantiles();
  for (const value of [0, 0, 5]) zeros.observe(value, 0);
  assert.deepEqual(zeros.quantiles([0.5], 0), [0]);
});

test('sliding quantiles: what is older than ten minutes is gone', () => {
  const window = new SlidingQuantiles();
  window.observe(1, 0);
  window.observe(100, 9 * MINUTE);
  assert.ok((window.quantiles([0.5], 9 * MINUTE)[0] as number) < 2);
  assert.ok((window.quantiles([0.5], 10 * MINUTE)[0] as number) > 99);
  assert.deepEqual(window.quantiles([0.5], 20 * MINUTE), [NaN]);
  window.observe(3, 21 * MINUTE);
  assert.ok((window.quantiles([0.5], 21 * MINUTE)[0] as number) < 4);
});
