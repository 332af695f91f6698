/** What the lines of test scripts mean: histograms and their sequences, start timestamps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESET_HINT } from '../../src/model/histogram.ts';
import { parseHistogram } from './promqltest-histogram.ts';
import { parseScript } from './promqltest-script.ts';
import { parseSeries, parseStarts } from './promqltest-series.ts';

test('a histogram has what its description says', () => {
  const text =
    '{{schema:1 count:12 sum:-4.5 z_bucket:2 z_bucket_w:0.001 buckets:[1 2.5 0] offset:-3 n_buckets:[4 5] n_offset:7 counter_reset_hint:not_reset}}';
  assert.deepEqual(parseHistogram(text), {
    hintIsSet: true,
    histogram: {
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 12,
      sum: -4.5,
      hint: RESET_HINT.notReset,
      positive: { index: Int32Array.of(-3, -2, -1), count: Float64Array.of(1, 2.5, 0) },
      negative: { index: Int32Array.of(7, 8), count: Float64Array.of(4, 5) },
      customValues: new Float64Array(0),
    },
  });
  const custom = parseHistogram('{{ schema:-53 sum:NaN custom_values:[5 10 ] buckets:[1] }}');
  assert.deepEqual(custom.histogram.customValues, Float64Array.of(5, 10));
  assert.ok(Number.isNaN(custom.histogram.sum));
  assert.equal(custom.hintIsSet, false);
});

test('what is no description of a histogram is refused', () => {
  const f = (text: string, message: RegExp) => assert.throws(() => parseHistogram(text), message);
  f('{{counts:1}}', /unknown key "counts"/);
  f('{{count:1 count:2}}', /duplicate key "count"/);
  f('{{count:one}}', /"one" is no number/);
  f('{{count}}', /cannot read "count"/);
  f('{{buckets:[1 2}}', /cannot read/);
  f('{{buckets:1}}', /no list/);
  f('{{offset:1.5}}', /no integer/);
  f('{{counter_reset_hint:perhaps}}', /unknown counter reset hint/);
});

/** The histograms of a sequence: count, sum, hint, whether the hint counts, and positive buckets by index. */
function sequence(text: string) {
  return parseSeries(`m ${text}`).values.map((value) => {
    assert.equal(value.kind, 'histogram');
    const { count, sum, hint, positive } = value.histogram;
    const buckets = Array.from(positive.index, (at, i) => `${at}:${positive.count[i]}`);
    return [count, sum, hint, value.hintIsSet, buckets.join(' ')];
  });
}

test('sequences add and take away', () => {
  assert.deepEqual(sequence('{{count:1}}'), [[1, 0, 0, false, '']]);
  assert.deepEqual(sequence('{{count:1 counter_reset_hint:reset}}x2'), [
    [1, 0, 1, true, ''],
    [1, 0, 1, true, ''],
    [1, 0, 1, true, ''],
  ]);
  assert.deepEqual(sequence('{{count:1 sum:2 buckets:[1]}}+{{count:2 sum:1 buckets:[1 1]}}x2'), [
    [1, 2, 0, false, '0:1'],
    [3, 3, 0, false, '0:2 1:1'],
    [5, 4, 0, false, '0:3 1:2'],
  ]);
  assert.deepEqual(
    sequence('{{count:5 buckets:[5] offset:3}}-{{count:1 buckets:[1] offset:3}}x1'),
    [
      [5, 0, 0, false, '3:5'],
      [4, 0, 0, false, '3:4'],
    ],
  );
});

test('a finer difference is brought to the schema of the sequence, a coarser one refused', () => {
  // Buckets of schema 0 that end at 1, 2, 4 and 8; those of schema -1 end at 1, 4 and 16.
  assert.deepEqual(sequence('{{schema:-1}}+{{schema:0 count:4 buckets:[1 1 1 1]}}x1'), [
    [0, 0, 0, false, ''],
    [4, 0, 0, false, '0:1 1:2 2:1'],
  ]);
  assert.throws(() => sequence('{{schema:1}}+{{schema:0}}x1'), /from schema 0 to 1/);
});

test('the hint of a sum, and whether the difference names one', () => {
  const f = (a: string, b: string) => {
    const hint = (text: string) => (text === '' ? '' : `counter_reset_hint:${text}`);
    const last = sequence(`{{count:1 ${hint(a)}}}+{{count:1 ${hint(b)}}}x1`).at(-1);
    return last?.slice(2, 4);
  };
  assert.deepEqual(f('', ''), [RESET_HINT.unknown, false]);
  assert.deepEqual(f('gauge', 'gauge'), [RESET_HINT.gauge, true]);
  assert.deepEqual(f('', 'gauge'), [RESET_HINT.gauge, true]);
  assert.deepEqual(f('gauge', ''), [RESET_HINT.gauge, false]);
  assert.deepEqual(f('reset', ''), [RESET_HINT.unknown, false]);
  assert.deepEqual(f('reset', 'not_reset'), [RESET_HINT.unknown, true]);
});

test('start timestamps are durations from the samples', () => {
  const f = (items: string) => parseStarts(`m{a="b"}@st ${items}`)?.starts;
  assert.deepEqual(f('_ -1m 30s 0'), [undefined, -60_000, 30_000, 0]);
  assert.deepEqual(f('_x2 -5msx1'), [undefined, undefined, -5, -5]);
  assert.deepEqual(f('-30s-1mx2 1m+1sx1'), [-30_000, -90_000, -150_000, 60_000, 61_000]);
  assert.throws(() => f('1m+1s'), /no repeat count/);
  assert.throws(() => f('1'), /duration/);
  assert.equal(parseStarts('m{a="b"} 1 2'), undefined);
});

test('start timestamps belong to the line below', () => {
  const f = (...lines: string[]) => parseScript(['load 1m', ...lines].join('\n'));
  const [load] = f('m@st _ -1m', 'm 1 2', 'n 3');
  assert.ok(load?.kind === 'load');
  assert.deepEqual(
    load.series.map(({ starts }) => starts),
    [[undefined, -60_000], undefined],
  );
  assert.throws(() => f('m@st -1m', 'n 1'), /do not belong/);
  assert.throws(() => f('m@st -1m', 'm 1 2'), /do not belong/);
  assert.throws(() => f('m@st -1m', 'm@st -1m', 'm 1'), /twice/);
  assert.throws(() => f('m@st -1m'), /without samples/);
});
