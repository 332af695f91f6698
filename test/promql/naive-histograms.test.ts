/** Native histograms of the naive evaluator against values from Prometheus' own test scripts and documentation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { compareLabels, Labels } from '../../src/model/labels.ts';
import { ALL_FEATURES } from '../../src/promql/parse/options.ts';
import { parseExpr } from '../../src/promql/parse/parse.ts';
import { answerNaively } from '../support/naive-promql/answer.ts';
import { equalHistograms } from '../support/naive-promql/histogram-arithmetic.ts';
import { appendHistogram, histogramAt } from '../support/naive-promql/histogram-columns.ts';
import { describeHistogram } from '../support/naive-promql/histogram-text.ts';
import { parseHistogram } from '../support/naive-promql/parse-histogram.ts';
import type { NaiveSeries, Point, Value } from '../support/naive-promql/sample.ts';

/** Series by text: one value a minute, histograms in braces. */
function seriesOf(lines: Readonly<Record<string, readonly (string | number)[]>>): NaiveSeries[] {
  const all = Object.entries(lines).map(([name, values]): NaiveSeries => {
    const [metric = '', x = ''] = name.split(' ');
    const points = values.map((value, i): Point => {
      const t = i * 60_000;
      return { t, value: typeof value === 'number' ? value : parseHistogram(value) };
    });
    return { labels: Labels.fromObject({ __name__: metric, x }), points };
  });
  return all.toSorted((a, b) => compareLabels(a.labels, b.labels));
}

function print(value: Value): string {
  return typeof value === 'number'
    ? String(Number(value.toPrecision(12)))
    : describeHistogram(value);
}

function evaluate(series: NaiveSeries[], text: string, timeMs: number): string {
  const query = { startMs: timeMs, endMs: timeMs, stepMs: 0 };
  const settings = { lookbackMs: 300_000, subqueryStepMs: 60_000, delayedNames: false };
  const answer = answerNaively({ series, ...settings, query }, parseExpr(text, ALL_FEATURES));
  assert.equal(answer.type, 'vector');
  return answer.samples.map(({ value }) => print(value)).join(' ');
}

test('numbers of one histogram', () => {
  const series = seriesOf({
    single: ['schema:0 sum:5 count:4 buckets:[1 2 1]'],
    zero: ['schema:0 sum:4 count:12 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]'],
    custom: ['schema:-53 sum:5 count:4 custom_values:[5 10] buckets:[1 2 1]'],
    empty: [''],
    float: [7],
  });
  const f = (text: string, want: string) => assert.equal(evaluate(series, text, 0), want, text);
  f('histogram_count(single)', '4');
  f('histogram_avg(single)', '1.25');
  f('histogram_quantile(0.5, single)', '1.41421356237');
  f('histogram_fraction(1, 2, single)', '0.5');
  f('histogram_fraction(0, 8, single)', '1');
  f('histogram_quantile(1.001, zero)', 'Infinity');
  f('histogram_quantile(1, zero)', '16');
  f('histogram_quantile(0, zero)', '0');
  f('histogram_quantile(-1, zero)', '-Infinity');
  f('histogram_quantile(0.5, custom)', '7.5');
  f('histogram_quantile(0.99, custom)', '10');
  f('histogram_fraction(0, 8, empty)', 'NaN');
  f('histogram_count(float)', '');
  f('single </ 2', '{count:3, sum:3.5355339059327378, (0.5,1]:1, (1,2]:2}');
  f('single >/ 2', '{count:1, sum:2.8284271247461903, (2,4]:1}');
  f('-single', '{count:-4, sum:-5, (0.5,1]:-1, (1,2]:-2, (2,4]:-1}');
  f('single == single', '{count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}');
  f('single + 1', '');
  f('count_values("v", single)', '1');
});

test('sums and differences', () => {
  const series = seriesOf({
    'a 1': ['schema:0 sum:5 count:4 buckets:[1 2 1]'],
    'a 2': ['schema:1 sum:5 count:6 buckets:[1 2 1 2]'],
    'z 1': ['schema:0 sum:1 count:4 z_bucket:1 z_bucket_w:0.5 buckets:[3]'],
    'z 2': ['schema:0 sum:1 count:6 z_bucket:2 z_bucket_w:0.001 offset:-3 buckets:[1 1 1 1]'],
    'c 1': ['schema:-53 sum:1 count:6 custom_values:[1 2 4] buckets:[1 2 1 2]'],
    'c 2': ['schema:-53 sum:1 count:3 custom_values:[1 3 4] buckets:[1 1 1]'],
    m: [1],
  });
  const f = (text: string, want: string) => assert.equal(evaluate(series, text, 0), want, text);
  // Of two resolutions the lower one: (0.5,0.71] … (1.41,2] become (0.25,0.5], (0.5,1], (1,2].
  f('sum(a)', '{count:10, sum:10, (0.5,1]:2, (1,2]:5, (2,4]:3}');
  f('avg(a)', '{count:5, sum:5, (0.5,1]:1, (1,2]:2.5, (2,4]:1.5}');
  // Buckets up to the wider zero bucket become part of it.
  f('sum(z)', '{count:10, sum:2, [-0.5,0.5]:6, (0.5,1]:4}');
  // Of other bounds those that both have.
  f('sum(c)', '{count:9, sum:2, [-Inf,1]:2, (1,4]:5, (4,+Inf]:2}');
  f('c{x="1"} - on() c{x="2"}', '{count:3, sum:0, (1,4]:1, (4,+Inf]:2}');
  f('sum({__name__=~"a|c"})', '');
  f('sum({__name__=~"a|m"})', '');
  f('a{x="1"} + on() c{x="1"}', '');
});

test('counters', () => {
  const series = seriesOf({
    up: [
      'count:4 sum:4 buckets:[1 2 1]',
      'count:5 sum:6 buckets:[1 3 1]',
      'count:6 sum:8 buckets:[1 4 1]',
    ],
    down: [
      'count:4 sum:4 buckets:[1 2 1]',
      'count:5 sum:6 buckets:[0 4 1]',
      'count:6 sum:8 buckets:[0 5 1]',
    ],
    mixed: ['count:4 sum:4 buckets:[1 2 1]', 1, 2],
    other: [
      'count:4 sum:4 buckets:[1 2 1]',
      'schema:-53 count:4 sum:4 custom_values:[1] buckets:[4]',
    ],
  });
  const at = 120_000;
  const f = (text: string, want: string) => assert.equal(evaluate(series, text, at), want, text);
  // Two of three samples, 60 s apart in 120 s: extrapolated to both ends.
  f('increase(up[2m])', '{count:2, sum:4, (1,2]:2}');
  f(
    'rate(up[2m])',
    '{count:0.016666666666666666, sum:0.03333333333333333, (1,2]:0.016666666666666666}',
  );
  f(
    'irate(up[2m])',
    '{count:0.016666666666666666, sum:0.03333333333333333, (1,2]:0.016666666666666666}',
  );
  f('idelta(up[2m])', '{count:1, sum:2, (1,2]:1}');
  f('resets(up[3m])', '0');
  f('changes(up[3m])', '2');
  f('resets(down[3m])', '1');
  f('histogram_count(increase(down[150s]))', '7.5');
  f('sum_over_time(up[3m])', '{count:15, sum:18, (0.5,1]:3, (1,2]:9, (2,4]:3}');
  f('avg_over_time(up[3m])', '{count:5, sum:6, (0.5,1]:1, (1,2]:3, (2,4]:1}');
  f('last_over_time(mixed[3m])', '2');
  f('count_over_time(mixed[3m])', '3');
  f('max_over_time(mixed[3m])', '2');
  f('resets(mixed[3m])', '1');
  f('rate(mixed[3m])', '');
  f('sum_over_time(mixed[3m])', '');
  // A change of buckets is a reset to rate(), and too much for delta().
  f('histogram_count(increase(other[2m])) > 0', '');
  f('histogram_count(increase(other[3m]))', '12');
  f('delta(other[3m])', '');
});

test('histograms go into columns and back', () => {
  const columns = new HistogramColumns();
  const histograms = [
    'schema:3 sum:-1 count:9 z_bucket:2 z_bucket_w:0.5 offset:-3 buckets:[1 0 5] n_buckets:[1] counter_reset_hint:gauge',
    'schema:-53 sum:1 count:6 custom_values:[1 2 4] buckets:[1 2 1 2]',
    '',
  ].map(parseHistogram);
  for (const [t, value] of histograms.entries()) appendHistogram({ t, value }, columns);
  for (const [i, histogram] of histograms.entries()) {
    const back = histogramAt(columns, i);
    assert.ok(equalHistograms(histogram, back), describeHistogram(back));
    assert.equal(back.hint, histogram.hint);
  }
});
