/** Selectors: the last sample of each series before a time, and windows of samples. */
import type { Matcher } from '../../../src/model/matcher.ts';
import type {
  MatrixSelector,
  TimeModifiers,
  VectorSelector,
} from '../../../src/promql/parse/ast.ts';
import { bareSeries } from './bare-histograms.ts';
import { interpolateHistograms, type HistogramPoint } from './extended-histograms.ts';
import { interpolateFloats } from './extended-range.ts';
import { whenCompatible } from './histogram-arithmetic.ts';
import { isCustom } from './histogram-buckets.ts';
import type { NaiveHistogram } from './histogram.ts';
import { timesOf, type Grid, type NaiveQuery } from './query.ts';
import type { LivePoint, NaiveSeries, Point, Sample, Value, Vector } from './sample.ts';
import type { RangeRow } from './window.ts';

/** The time of `@`, when there is one. */
export function pinnedTime(query: NaiveQuery, expr: TimeModifiers): number | undefined {
  if (expr.startOrEnd === undefined) return expr.timestamp;
  return expr.startOrEnd === 'start' ? query.query.startMs : query.query.endMs;
}

/** The time that a selector looks at when it is evaluated at t. */
export function lookedAt(query: NaiveQuery, expr: TimeModifiers, t: number): number {
  return (pinnedTime(query, expr) ?? t) - expr.offsetMs;
}

/** The series that satisfy all matchers. */
export function matchingSeries(
  { series }: NaiveQuery,
  matchers: readonly Matcher[],
): readonly NaiveSeries[] {
  return series.filter(({ labels }) => matchers.every((m) => m.matches(labels.get(m.name))));
}

/** The last sample at or before a time, unless it is too old or says that the series ended. */
export function lastPoint(
  { lookbackMs }: NaiveQuery,
  { points }: NaiveSeries,
  at: number,
): LivePoint | undefined {
  const last = points.filter(({ t }) => t <= at).at(-1);
  if (last === undefined || last.t <= at - lookbackMs) return undefined;
  return last.value === 'stale' ? undefined : { t: last.t, value: last.value };
}

/** The samples with after < t <= until, stale markers apart. */
export function pointsBetween(
  points: readonly Point[],
  after: number,
  until: number,
): readonly LivePoint[] {
  return points.filter(
    (point): point is LivePoint => point.t > after && point.t <= until && point.value !== 'stale',
  );
}

/** The series of a selector, as it reads them. */
function seriesOf(query: NaiveQuery, selector: VectorSelector): readonly NaiveSeries[] {
  const matching = matchingSeries(query, selector.matchers);
  return query.bare?.has(selector) === true ? matching.map(bareSeries) : matching;
}

/** An instant vector selector at each step. */
export function selectVectors(query: NaiveQuery, expr: VectorSelector, grid: Grid): Vector[] {
  const matching = seriesOf(query, expr);
  return timesOf(grid).map((t) =>
    matching.flatMap((series): Sample[] => {
      const at = lookedAt(query, expr, t);
      const value = expr.smoothed
        ? smoothedValue(query, series, at)
        : lastPoint(query, series, at)?.value;
      return value === undefined ? [] : [{ labels: series.labels, value, dropName: false }];
    }),
  );
}

/** The value at a time on the line between the samples around it; of floats and histograms there is none. */
function smoothedValue(
  { lookbackMs }: NaiveQuery,
  { points }: NaiveSeries,
  at: number,
): Value | undefined {
  const around = pointsBetween(points, at - lookbackMs, at + lookbackMs);
  const histograms = around.filter((p): p is HistogramPoint => typeof p.value !== 'number');
  if (histograms.length > 0) {
    return histograms.length < around.length ? undefined : smoothedHistogram(histograms, at);
  }
  const next = around.find(({ t }) => t >= at);
  if (next?.t === at) return next.value;
  const before = around.filter(({ t }) => t < at).at(-1);
  if (before === undefined || next === undefined) return before?.value;
  return interpolateFloats(before, next, at, false);
}

function smoothedHistogram(
  around: readonly HistogramPoint[],
  at: number,
): NaiveHistogram | undefined {
  const next = around.find(({ t }) => t >= at);
  if (next?.t === at) return next.value;
  const before = around.filter(({ t }) => t < at).at(-1);
  if (before === undefined) return undefined;
  if (next === undefined) return { ...before.value, hint: 'unknown' };
  const isCounter = before.value.hint !== 'gauge' || next.value.hint !== 'gauge';
  if (isCustom(before.value) !== isCustom(next.value)) return undefined;
  return whenCompatible(() => interpolateHistograms(before, next, at, isCounter));
}

/** A range vector selector: a row for each series with its samples around the window of each step. */
export function selectWindows(query: NaiveQuery, expr: MatrixSelector, grid: Grid): RangeRow[] {
  const { selector, rangeMs } = expr;
  const before = selector.anchored || selector.smoothed ? query.lookbackMs : 0;
  const after = selector.smoothed ? query.lookbackMs : 0;
  const windowOf = ({ points }: NaiveSeries, t: number) => {
    const end = lookedAt(query, selector, t);
    const start = end - rangeMs;
    return { t, start, end, points: pointsBetween(points, start - before, end + after) };
  };
  return seriesOf(query, selector).map((series) => ({
    labels: series.labels,
    dropName: false,
    windows: timesOf(grid).map((t) => windowOf(series, t)),
  }));
}
