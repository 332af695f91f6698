import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { aggregateGroup } from './aggregate-group.ts';
import { Unspecified } from './sample.ts';

const group = (...values: number[]) =>
  values.map((value, i) => ({ labels: Labels.fromObject({ i: `${i}` }), value, dropName: false }));

test('a sum that overflows in one order and not in another is left open', () => {
  assert.throws(() => aggregateGroup('sum', group(1.5e308, -1e308, 1e308), NaN), Unspecified);
  assert.throws(() => aggregateGroup('avg', group(1.5e308, -1e308, 1e308), NaN), Unspecified);
});

test('a sum that overflows in every order, or in none, is compared', () => {
  assert.equal(aggregateGroup('sum', group(1.5e308, 1e308), NaN), Infinity);
  assert.equal(aggregateGroup('sum', group(1e308, Infinity, -1e308), NaN), Infinity);
  assert.equal(aggregateGroup('sum', group(1, -1e300, 1e300), NaN), 1);
});
