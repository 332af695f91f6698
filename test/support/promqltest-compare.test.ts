/** The comparison of results with what scripts expect: what differs must be noticed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FloatHistogram } from '../../src/model/float-histogram/float-histogram.ts';
import { RESET_HINT } from '../../src/model/histogram.ts';
import { Labels, METRIC_NAME } from '../../src/model/labels.ts';
import type { QueryResult } from '../../src/promql/result.ts';
import { compareResult, instantOf } from './promqltest-compare.ts';
import { parseScript, type EvalCommand } from './promqltest-script.ts';

const EXPECTED =
  '{{schema:0 count:6 sum:9 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 2] offset:4 n_buckets:[2] n_offset:-1}}';

const SAME: FloatHistogram = {
  schema: 0,
  zeroThreshold: 0.5,
  zeroCount: 1,
  count: 6,
  sum: 9,
  hint: RESET_HINT.unknown,
  positive: { index: Int32Array.of(4, 6), count: Float64Array.of(1, 2) },
  negative: { index: Int32Array.of(-1), count: Float64Array.of(2) },
  customValues: new Float64Array(0),
};

type Matrix = Extract<QueryResult, { type: 'matrix' }>;

const M = Labels.fromPairs([[METRIC_NAME, 'm']]);
const EXTRA = {
  warnings: [],
  infos: [],
  stats: { samplesTotal: 0, samplesPeak: 0, elapsedMs: 0, prepareMs: 0, evalMs: 0 },
};

function evaluation(line: string, ...expected: string[]): EvalCommand {
  const [command] = parseScript([`eval ${line} m`, ...expected].join('\n'));
  assert.ok(command?.kind === 'eval');
  return command;
}

function vector(value: number | FloatHistogram): QueryResult {
  const isFloat = typeof value === 'number';
  const v = Float64Array.of(isFloat ? value : 0);
  const histograms = isFloat ? undefined : [value];
  return { type: 'vector', labels: [M], t: 0, v, histograms, ...EXTRA };
}

function compare(expected: string, got: number | FloatHistogram): string | undefined {
  return compareResult(evaluation('instant at 0', `m ${expected}`), vector(got));
}

test('histograms are the same but for empty buckets, rounding and hints', () => {
  const f = (changes: Partial<FloatHistogram>) =>
    assert.equal(compare(EXPECTED, { ...SAME, ...changes }), undefined);
  f({});
  f({ sum: 9 + 1e-7, count: 6 - 1e-7 });
  f({ positive: { index: Int32Array.of(4, 6), count: Float64Array.of(1 + 1e-8, 2) } });
  f({ positive: { index: Int32Array.of(3, 4, 6, 9), count: Float64Array.of(0, 1, 2, 0) } });
  f({ hint: RESET_HINT.gauge });
});

test('a histogram with any other part is another one', () => {
  const f = (changes: Partial<FloatHistogram>) =>
    assert.match(compare(EXPECTED, { ...SAME, ...changes }) ?? 'no difference', / want /);
  f({ schema: 1 });
  f({ zeroThreshold: 0.5 + 1e-9 });
  f({ zeroCount: 2 });
  f({ count: 7 });
  f({ sum: NaN });
  f({ positive: { index: Int32Array.of(4, 6), count: Float64Array.of(1, 2.1) } });
  f({ positive: { index: Int32Array.of(4, 5), count: Float64Array.of(1, 2) } });
  f({ positive: { index: Int32Array.of(4), count: Float64Array.of(1) } });
  f({ positive: { index: Int32Array.of(4, 6, 7), count: Float64Array.of(1, 2, 1e-9) } });
  f({ negative: { index: Int32Array.of(-1), count: Float64Array.of(3) } });
  f({ negative: { index: Int32Array.of(1), count: Float64Array.of(2) } });
});

test('the bounds of custom buckets have to be equal', () => {
  const text = '{{schema:-53 custom_values:[5 10] buckets:[1]}}';
  const custom: FloatHistogram = {
    ...SAME,
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positive: { index: Int32Array.of(0), count: Float64Array.of(1) },
    negative: { index: new Int32Array(0), count: new Float64Array(0) },
    customValues: Float64Array.of(5, 10),
  };
  assert.equal(compare(text, custom), undefined);
  for (const customValues of [[5], [5, 10, 15], [5, 11]]) {
    const other = { ...custom, customValues: Float64Array.from(customValues) };
    assert.notEqual(compare(text, other), undefined);
  }
});

test('a hint that is expected has to be met', () => {
  const f = (name: string) => EXPECTED.replace('}}', ` counter_reset_hint:${name}}}`);
  assert.equal(compare(f('gauge'), { ...SAME, hint: RESET_HINT.gauge }), undefined);
  assert.notEqual(compare(f('gauge'), SAME), undefined);
  assert.equal(compare(f('unknown'), SAME), undefined);
  assert.notEqual(compare(f('unknown'), { ...SAME, hint: RESET_HINT.notReset }), undefined);
});

test('a float is no histogram', () => {
  assert.match(compare('0', SAME) ?? '', /want 0/);
  assert.match(compare(EXPECTED, 0) ?? '', /is 0, want/);
  assert.match(compare('_', 0) ?? '', /want omitted/);
});

/** A matrix of one series with floats at the first times and histograms at the others. */
function matrix(floats: readonly number[], histograms: readonly number[]): Matrix {
  return {
    type: 'matrix',
    labels: [M],
    offsets: Uint32Array.of(0, floats.length),
    t: Float64Array.from(floats),
    v: Float64Array.from(floats, () => 7),
    histograms: {
      offsets: Uint32Array.of(0, histograms.length),
      t: Float64Array.from(histograms),
      values: histograms.map(() => SAME),
    },
    ...EXTRA,
  };
}

test('a series of a matrix has its floats and its histograms, no more and no less', () => {
  const range = evaluation('range from 0 to 4s step 1s', `m 7 ${EXPECTED} _ 7 ${EXPECTED}`);
  assert.equal(compareResult(range, matrix([0, 3000], [1000, 4000])), undefined);
  const f = (...args: Parameters<typeof matrix>) =>
    assert.match(compareResult(range, matrix(...args)) ?? 'no difference', /want 7@0/);
  f([0, 3000], [1000]);
  f([0], [1000, 4000]);
  f([0, 3000], [1000, 3000]);
  f([0, 2000], [1000, 4000]);
  f([0, 2000, 3000], [1000, 4000]);
  f([0, 3000], [1000, 2000, 4000]);
  f([0, 3000, 4000], [1000]);
  const none: Matrix = { ...matrix([], []), labels: [], offsets: Uint32Array.of(0) };
  assert.match(compareResult(range, none) ?? '', /is missing/);
  assert.match(
    compareResult(evaluation('range from 0 to 4s step 1s'), matrix([0], [])) ?? '',
    /unexpected/,
  );
});

test('the values of a range vector lie on the grid that is expected', () => {
  const grid = 'expect range vector from 1s to 3s step 2s';
  const asked = evaluation('instant at 1m', grid, `m 7 ${EXPECTED}`);
  assert.equal(compareResult(asked, matrix([1000], [3000])), undefined);
  assert.notEqual(compareResult(asked, matrix([1000], [2000])), undefined);
  const tooMany = evaluation('instant at 1m', grid, 'm 7 7 7');
  assert.match(compareResult(tooMany, matrix([1000, 3000, 5000], [])) ?? '', /after the end/);
});

test('series of a matrix are sorted and nothing can be expected of their order', () => {
  const n = Labels.fromPairs([[METRIC_NAME, 'n']]);
  const two = (labels: Labels[]): Matrix => ({
    ...matrix([0, 0], []),
    labels,
    offsets: Uint32Array.of(0, 1, 2),
  });
  const f = (labels: Labels[], ...lines: string[]) =>
    compareResult(evaluation('instant at 0', ...lines, 'm 7', 'n 7'), two(labels));
  assert.equal(f([M, n]), undefined);
  assert.match(f([n, M]) ?? '', /not sorted/);
  assert.match(f([M, n], 'expect ordered') ?? '', /in order/);
});

test('an instant of a matrix has both kinds', () => {
  assert.deepEqual(instantOf(matrix([0], [1000]), 1000), {
    labels: [M],
    v: [0],
    histograms: [SAME],
  });
  assert.deepEqual(instantOf(matrix([0], [1000]), 0), {
    labels: [M],
    v: [7],
    histograms: [undefined],
  });
  // Both at one time: twice, so that the comparison sees a series too many.
  assert.deepEqual(instantOf(matrix([0], [0]), 0).labels, [M, M]);
});
