import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addRow, finishStates, mergeStates, newStates, type StateOp } from './group-states.ts';

const ONE = Uint8Array.of(1);

/** Aggregates values that come in shards, one after the other. */
function aggregate(op: StateOp, shards: readonly (readonly number[])[]): number {
  const all = newStates(op, 1, 1);
  const touched = new Uint8Array(1);
  for (const shard of shards) {
    const states = newStates(op, 1, 1);
    for (const value of shard) addRow(states, 0, Float64Array.of(value), ONE);
    mergeStates(all, states, Uint32Array.of(0), touched);
  }
  const { values, present } = finishStates(all);
  assert.equal(present[0], 1);
  return values[0] as number;
}

test('shards give what one pass gives', () => {
  const f = (op: StateOp, values: number[], want: number) => {
    for (let cut = 0; cut <= values.length; cut++) {
      const got = aggregate(op, [values.slice(0, cut), values.slice(cut)]);
      assert.ok(Object.is(got, want), `${op} of ${values.join(' ')} cut at ${cut} is ${got}`);
    }
  };
  f('sum', [1, 1e100, 1, -1e100], 2);
  // compat: the compensation is +0, and adding it takes the sign away.
  f('sum', [-0, -0], 0);
  f('sum', [Infinity, 1], Infinity);
  f('sum', [Infinity, -Infinity], NaN);
  f('sum', [1.7e308, 1.7e308], Infinity);
  f('avg', [1, 1e100, 1, -1e100], 0.5);
  f('avg', [1.7e308, 1.7e308], 1.7e308);
  f('avg', [Infinity, 1], Infinity);
  f('min', [3, NaN, -1], -1);
  f('max', [NaN, NaN], NaN);
  f('max', [-0, -1], -0);
  f('count', [NaN, 1, 2], 3);
  f('group', [5, 6], 1);
});

test('an overflowing mean is as good as a plain one', () => {
  const values = [1e308, 1.5e308, 1.6e308, 2];
  const want = 1.025e308;
  for (let cut = 0; cut <= values.length; cut++) {
    const got = aggregate('avg', [values.slice(0, cut), values.slice(cut)]);
    assert.ok(Math.abs(got - want) < 1e294, `cut at ${cut}: ${got}`);
  }
});

test('cells without a value stay without', () => {
  const states = newStates('sum', 2, 2);
  addRow(states, 1, Float64Array.of(7, 8), Uint8Array.of(0, 1));
  const { values, present } = finishStates(states);
  assert.deepEqual([...present], [0, 0, 0, 1]);
  assert.equal(values[3], 8);
});
