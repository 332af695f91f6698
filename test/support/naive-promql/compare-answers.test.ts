import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import type { Answer } from './answer.ts';
import { compareAnswers, type Tolerance } from './compare-answers.ts';
import { parseHistogram } from './parse-histogram.ts';
import type { Value } from './sample.ts';

const EXACT: Tolerance = { relative: 0, order: 'none' };
const ROUNDED: Tolerance = { relative: 1e-12, order: 'none' };

function matrix(points: readonly (readonly [number, Value])[], name = 'x'): Answer {
  const labels = Labels.fromObject({ __name__: name });
  return {
    type: 'matrix',
    series: [{ labels, points: points.map(([t, value]) => ({ t, value })) }],
  };
}

function vector(...values: readonly Value[]): Answer {
  const samples = values.map((value, i) => ({ labels: Labels.fromObject({ i: `${i}` }), value }));
  return { type: 'vector', samples };
}

test('what differs is seen', () => {
  const f = (want: Answer, got: Answer, tolerance: Tolerance, wrong: RegExp | undefined) => {
    const why = compareAnswers(want, got, tolerance);
    if (wrong === undefined) assert.equal(why, undefined);
    else assert.match(why ?? 'nothing', wrong);
  };
  f(vector(1, NaN), vector(1, NaN), EXACT, undefined);
  f(vector(0), vector(-0), EXACT, /is -0, want 0$/);
  f(vector(1), vector(1 + Number.EPSILON), EXACT, /is 1\.0000000000000002, want 1$/);
  f(vector(1), vector(1 + Number.EPSILON), ROUNDED, undefined);
  f(vector(1), vector(1 + 1e-11), ROUNDED, /want 1$/);
  f(vector(NaN), vector(1), ROUNDED, /want NaN$/);
  f(vector(1), vector(), EXACT, /is missing/);
  f(vector(), vector(1), EXACT, /is not wanted/);
  f(vector(1), matrix([]), EXACT, /got a matrix, want a vector/);
  f({ type: 'scalar', value: 1 }, { type: 'scalar', value: 2 }, EXACT, /got 2, want 1/);
  f({ type: 'string', value: 'a' }, { type: 'string', value: 'b' }, EXACT, /another string/);
  f(matrix([[5, 1]]), matrix([[6, 1]]), EXACT, /is 1@6, want 1@5$/);
  f(
    matrix([[5, 1]]),
    matrix([
      [5, 1],
      [6, 1],
    ]),
    EXACT,
    /is 1@5 1@6, want 1@5$/,
  );
  f(matrix([[5, 1]]), matrix([[5, 1]], 'y'), EXACT, /y is not wanted/);
  f(
    vector(parseHistogram('count:1 buckets:[1 0]')),
    vector(parseHistogram('count:1 buckets:[1]')),
    EXACT,
    undefined,
  );
  f(
    vector(parseHistogram('count:1 buckets:[1]')),
    vector(parseHistogram('count:1 buckets:[2]')),
    ROUNDED,
    /is \{/,
  );
  f(vector(parseHistogram('')), vector(0), ROUNDED, /is 0, want \{/);
});

test('order is looked at when asked for', () => {
  const reversed = (answer: Answer): Answer =>
    answer.type === 'vector' ? { ...answer, samples: answer.samples.toReversed() } : answer;
  const f = (answer: Answer, order: Tolerance['order'], same: boolean) => {
    const why = compareAnswers(answer, reversed(answer), { relative: 0, order });
    assert.equal(why === undefined, same, why ?? 'no difference');
  };
  f(vector(1, 2), 'none', true);
  f(vector(1, 2), 'values', false);
  f(vector(1, 1), 'values', true);
  f(vector(0, -0), 'values', true);
  f(vector(1, 1), 'labels', false);
});
