/** Answers of the naive evaluator to whole queries. */
import { compareLabels, EMPTY_LABELS, type Labels } from '../../../src/model/labels.ts';
import { unwrapParens, valueType, type Expr } from '../../../src/promql/parse/ast.ts';
import { bareSelectors } from './bare-histograms.ts';
import { resolveDurations } from './durations.ts';
import { newEvaluation } from './evaluate.ts';
import { timesOf, type Evaluation, type Grid, type NaiveQuery } from './query.ts';
import {
  dropMetadata,
  NaiveError,
  refuseSameLabels,
  SAME_LABELS,
  type LivePoint,
  type Sample,
  type Value,
  type Vector,
} from './sample.ts';
import { selectWindows } from './select.ts';
import { stringOf } from './label-functions.ts';
import { innerSeries } from './subquery.ts';

/** A series of an answer. */
export interface AnswerSeries {
  readonly labels: Labels;
  readonly points: readonly LivePoint[];
}

/** The answer to a query. */
export type Answer =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'scalar'; readonly value: number }
  | { readonly type: 'vector'; readonly samples: readonly { labels: Labels; value: Value }[] }
  | { readonly type: 'matrix'; readonly series: readonly AnswerSeries[] };

/** Evaluates a query. @throws NaiveError when Prometheus would, Unspecified when it may answer this or that. */
export function answerNaively(query: NaiveQuery, parsed: Expr): Answer {
  const expr = resolveDurations(parsed, query.query);
  const evaluation = newEvaluation({ ...query, bare: new Set(bareSelectors(expr)) });
  const { startMs, endMs, stepMs } = query.query;
  return stepMs === 0
    ? instantAnswer(evaluation, expr, { startMs, endMs, stepMs: 1 })
    : rangeAnswer(evaluation, expr, query.query);
}

function instantAnswer(evaluation: Evaluation, expr: Expr, grid: Grid): Answer {
  switch (valueType(expr)) {
    case 'string':
      return { type: 'string', value: stringOf(expr) };
    case 'scalar':
      return { type: 'scalar', value: evaluation.scalars(expr, grid)[0] as number };
    case 'matrix':
      return {
        type: 'matrix',
        series: byLabels(matrixAnswer(evaluation, unwrapParens(expr), grid)),
      };
    case 'vector': {
      const [vector = []] = evaluation.vectors(expr, grid);
      const samples = evaluation.delayedNames ? vector.map(withoutName) : vector;
      if (evaluation.delayedNames) refuseSameLabels(samples);
      return { type: 'vector', samples };
    }
    case 'none':
    default:
      throw new Error('an expression has a type');
  }
}

function withoutName(sample: Sample): Sample {
  return sample.dropName ? { ...sample, labels: dropMetadata(sample.labels) } : sample;
}

/** A range vector as it is, its samples at their own times. */
function matrixAnswer(evaluation: Evaluation, expr: Expr, grid: Grid): AnswerSeries[] {
  if (expr.kind === 'matrix') {
    return selectWindows(evaluation, expr, grid).flatMap(({ labels, windows: [window] }) =>
      window === undefined || window.points.length === 0 ? [] : [{ labels, points: window.points }],
    );
  }
  if (expr.kind !== 'subquery') throw new Error(`a ${expr.kind} is not a range vector`);
  const series = innerSeries(evaluation, expr, grid);
  if (!evaluation.delayedNames) return series;
  return mergeSeries(
    series.map((row) => (row.dropName ? { ...row, labels: dropMetadata(row.labels) } : row)),
  );
}

function rangeAnswer(evaluation: Evaluation, expr: Expr, grid: Grid): Answer {
  const times = timesOf(grid);
  if (valueType(expr) === 'scalar') {
    const values = evaluation.scalars(expr, grid);
    const points = times.map((t, i) => ({ t, value: values[i] as number }));
    return { type: 'matrix', series: [{ labels: EMPTY_LABELS, points }] };
  }
  const vectors = evaluation.vectors(expr, grid);
  const named = evaluation.delayedNames
    ? vectors.map((vector) => vector.map(withoutName))
    : vectors;
  const rows = named.flatMap((vector: Vector, i) =>
    vector.map(({ labels, value }) => ({ labels, points: [{ t: times[i] as number, value }] })),
  );
  return { type: 'matrix', series: byLabels(mergeSeries(rows)) };
}

/** Series of the same labels are one. @throws NaiveError when two have a sample at the same time. */
function mergeSeries(rows: readonly AnswerSeries[]): AnswerSeries[] {
  const merged = new Map<string, AnswerSeries>();
  for (const { labels, points } of rows) {
    const all = [...(merged.get(labels.key)?.points ?? []), ...points];
    all.sort((a, b) => a.t - b.t);
    if (all.some(({ t }, i) => i > 0 && t === all[i - 1]?.t)) throw new NaiveError(SAME_LABELS);
    merged.set(labels.key, { labels, points: all });
  }
  return [...merged.values()];
}

function byLabels(series: readonly AnswerSeries[]): AnswerSeries[] {
  return series.toSorted((a, b) => compareLabels(a.labels, b.labels));
}
