/** What is asked of the naive evaluator, and the grids of steps that parts of a query are evaluated on. */
import type { Expr, VectorSelector } from '../../../src/promql/parse/ast.ts';
import { refuseSameLabels, type NaiveSeries, type Sample, type Vector } from './sample.ts';

/** Evaluation times: start, start + step, … up to end; ms. */
export interface Grid {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Settings and data of one query. */
export interface NaiveQuery {
  /** In label order. */
  readonly series: readonly NaiveSeries[];
  readonly lookbackMs: number;
  readonly subqueryStepMs: number;
  /** promql-delayed-name-removal. */
  readonly delayedNames: boolean;
  /** Selectors whose native histograms are read without their buckets. */
  readonly bare?: ReadonlySet<VectorSelector>;
  /** The times of the whole query; the step is 0 of an instant query. */
  readonly query: Grid;
}

/** A query together with the evaluator, for the parts of it that evaluate other expressions. */
export interface Evaluation extends NaiveQuery {
  /** The vector at each step. */
  vectors(expr: Expr, grid: Grid): readonly Vector[];
  /** The number at each step. */
  scalars(expr: Expr, grid: Grid): readonly number[];
}

/** The evaluation times of a grid. */
export function timesOf({ startMs, endMs, stepMs }: Grid): number[] {
  const times: number[] = [];
  for (let t = startMs; t <= endMs; t += stepMs) times.push(t);
  return times;
}

/** Whether Prometheus takes a grid for that of an instant query; subqueries of one step are meant too. */
export function isInstant({ startMs, endMs }: Grid): boolean {
  return startMs === endMs;
}

/** Computes a vector for each step, and looks after labels as Prometheus' rangeEval does. */
export function everyStep(
  { delayedNames }: NaiveQuery,
  grid: Grid,
  compute: (step: number, t: number) => Vector,
): readonly Vector[] {
  const vectors: Vector[] = [];
  for (const [step, t] of timesOf(grid).entries()) {
    const vector = compute(step, t);
    // Names that go at the end are told apart at the end, but only when there is one step.
    if (!delayedNames || !isInstant(grid)) refuseSameLabels(vector);
    vectors.push(vector);
  }
  return isInstant(grid) ? vectors : withOneDropName(vectors, 'first');
}

/** A series drops its name at all steps or at none: as it was at the first step, or the last, where it has a value. */
export function withOneDropName(
  vectors: readonly Vector[],
  which: 'first' | 'last',
): readonly Vector[] {
  const dropNames = new Map<string, boolean>();
  for (const sample of vectors.flat()) {
    const { key } = sample.labels;
    if (which === 'last' || !dropNames.has(key)) dropNames.set(key, sample.dropName);
  }
  const fixed = (sample: Sample) => ({
    ...sample,
    dropName: dropNames.get(sample.labels.key) ?? sample.dropName,
  });
  return vectors.map((vector) => vector.map(fixed));
}
