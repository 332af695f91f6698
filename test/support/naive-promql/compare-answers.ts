/** Whether two answers are the same, to the bit or but for the rounding of sums. */
import type { Labels } from '../../../src/model/labels.ts';
import { formatFixed } from './go-math.ts';
import type { Answer, AnswerSeries } from './answer.ts';
import { compact, type Buckets } from './histogram-buckets.ts';
import { describeHistogram } from './histogram-text.ts';
import type { NaiveHistogram } from './histogram.ts';
import type { Value } from './sample.ts';

/** How two values are compared. */
export interface Tolerance {
  /** Relative difference that is allowed; 0 asks for the same bits, NaN being NaN. */
  readonly relative: number;
  /** Whether the order of an instant vector's values, or of its labels, is part of the answer. */
  readonly order: 'none' | 'values' | 'labels';
}

/** What is wrong with an answer, or undefined. */
export function compareAnswers(
  want: Answer,
  got: Answer,
  tolerance: Tolerance,
): string | undefined {
  if (want.type !== got.type) return `got a ${got.type}, want a ${want.type}`;
  if (want.type === 'matrix' && got.type === 'matrix') {
    return compareSeries(want.series, got.series, tolerance);
  }
  if (want.type === 'vector' && got.type === 'vector') {
    const rows = ({ samples }: typeof want): AnswerSeries[] =>
      samples.map(({ labels, value }) => ({ labels, points: [{ t: 0, value }] }));
    return (
      compareSeries(rows(want), rows(got), tolerance) ??
      compareOrder(want.samples, got.samples, tolerance)
    );
  }
  if (want.type === 'scalar' && got.type === 'scalar') {
    if (sameValue(want.value, got.value, tolerance)) return undefined;
    return `got ${print(got.value)}, want ${print(want.value)}`;
  }
  const same = want.type === 'string' && got.type === 'string' && want.value === got.value;
  return same ? undefined : 'another string';
}

function compareSeries(
  want: readonly AnswerSeries[],
  got: readonly AnswerSeries[],
  tolerance: Tolerance,
): string | undefined {
  const wanted = new Map(want.map((series) => [series.labels.key, series]));
  if (new Set(got.map(({ labels }) => labels.key)).size < got.length) return 'a series comes twice';
  for (const { labels, points } of got) {
    const other = wanted.get(labels.key);
    if (other === undefined) return `${labels.toString()} is not wanted: ${printPoints(points)}`;
    wanted.delete(labels.key);
    const wrong = points.findIndex((point, i) => {
      const { t, value } = other.points[i] ?? { t: NaN, value: NaN };
      return t !== point.t || !sameValue(value, point.value, tolerance);
    });
    if (wrong < 0 && points.length === other.points.length) continue;
    const texts = [points, other.points].map(printPoints);
    return `${labels.toString()} is ${texts[0]}, want ${texts[1]}`;
  }
  for (const { labels, points } of wanted.values()) {
    return `${labels.toString()} is missing: ${printPoints(points)}`;
  }
  return undefined;
}

type Samples = readonly { readonly labels: Labels; readonly value: Value }[];

function compareOrder(want: Samples, got: Samples, { order }: Tolerance): string | undefined {
  if (order === 'none') return undefined;
  const texts = [want, got].map((samples) =>
    samples
      // Equal values may come in any order.
      .map(({ labels, value }) => (order === 'values' ? print(value) : labels.toString()))
      .join(' ')
      .replaceAll(/(?<= |^)-0(?= |$)/g, '0'),
  );
  return texts[0] === texts[1] ? undefined : `the order is ${texts[1]}, want ${texts[0]}`;
}

function sameValue(a: Value, b: Value, tolerance: Tolerance): boolean {
  if (typeof a !== 'number') return typeof b !== 'number' && sameHistogram(a, b, tolerance);
  return typeof b === 'number' && sameNumber(a, b, tolerance);
}

function sameNumber(a: number, b: number, { relative }: Tolerance): boolean {
  if (Object.is(a, b)) return true;
  if (relative === 0 || !Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= relative * Math.max(Math.abs(a), Math.abs(b));
}

/** Relative: buckets that come to be one are added up with compensation by Prometheus and the engine, and without it here. */
const HISTOGRAM_ERROR = 1e-12;

/** Empty buckets and hints are no part of an answer. */
function sameHistogram(
  a: NaiveHistogram,
  b: NaiveHistogram,
  { relative, order }: Tolerance,
): boolean {
  const tolerance = { relative: Math.max(relative, HISTOGRAM_ERROR), order };
  const [x, y] = [compact(a), compact(b)];
  const fields = ['count', 'sum', 'zeroCount', 'zeroThreshold'] as const;
  const sameBuckets = (p: Buckets, q: Buckets) =>
    p.size === q.size &&
    [...p].every(([index, count]) => sameNumber(count, q.get(index) ?? NaN, tolerance));
  return (
    x.schema === y.schema &&
    fields.every((field) => sameNumber(x[field], y[field], tolerance)) &&
    x.bounds.length === y.bounds.length &&
    x.bounds.every((bound, i) => bound === y.bounds[i]) &&
    sameBuckets(x.positive, y.positive) &&
    sameBuckets(x.negative, y.negative)
  );
}

function print(value: Value): string {
  return typeof value === 'number' ? formatFixed(value) : describeHistogram(value);
}

function printPoints(points: AnswerSeries['points']): string {
  return points.map(({ t, value }) => (t === 0 ? print(value) : `${print(value)}@${t}`)).join(' ');
}
