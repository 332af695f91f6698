/** Subqueries: an inner expression on a grid of its own, aligned to multiples of its step. */
import type { Labels } from '../../../src/model/labels.ts';
import type { SubqueryExpr } from '../../../src/promql/parse/ast.ts';
import { timesOf, type Evaluation, type Grid } from './query.ts';
import type { LivePoint, Value } from './sample.ts';
import { lookedAt, pinnedTime, pointsBetween } from './select.ts';
import type { RangeRow } from './window.ts';

/** A series that an inner expression gave. */
export interface InnerSeries {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly points: LivePoint[];
}

/**
 * The grid that the inner expression is evaluated on; its windows may leave gaps that are evaluated all the same.
 *
 * With `@` every window is that of the fixed time. compat: Prometheus goes on behind it when the function around looks at
 * its own time, but has no samples of later than the fixed time there, and no window shows it.
 */
function innerGrid(evaluation: Evaluation, expr: SubqueryExpr, grid: Grid): Grid {
  const pinned = pinnedTime(evaluation, expr);
  const offset = expr.offsetMs + (pinned === undefined ? 0 : grid.startMs - pinned);
  const stepMs = expr.stepMs === 0 ? evaluation.subqueryStepMs : expr.stepMs;
  const last = pinned === undefined ? (timesOf(grid).at(-1) ?? grid.startMs) : grid.startMs;
  const after = grid.startMs - offset - expr.rangeMs;
  // The first multiple of the step behind the start of the first window.
  const startMs = (Math.floor(after / stepMs) + 1) * stepMs;
  return { startMs, endMs: last - offset, stepMs };
}

/** The series of the inner expression. */
export function innerSeries(evaluation: Evaluation, expr: SubqueryExpr, grid: Grid): InnerSeries[] {
  const inner = innerGrid(evaluation, expr, grid);
  const times = timesOf(inner);
  const rows = new Map<string, InnerSeries>();
  for (const [step, vector] of evaluation.vectors(expr.expr, inner).entries()) {
    const repeated = new Map<string, number>();
    for (const { labels, value, dropName } of vector) {
      // The same labels twice at a step are two series; that is noticed further up.
      const nth = repeated.get(labels.key) ?? 0;
      repeated.set(labels.key, nth + 1);
      const key = `${nth} ${labels.key}`;
      const row = rows.get(key) ?? { labels, dropName, points: [] };
      rows.set(key, row);
      row.points.push({ t: times[step] as number, value });
    }
  }
  return [...rows.values()];
}

/** The same as windows of the outer steps. */
export function subqueryWindows(
  evaluation: Evaluation,
  expr: SubqueryExpr,
  grid: Grid,
): RangeRow[] {
  return innerSeries(evaluation, expr, grid).map(({ labels, dropName, points }) => ({
    labels,
    dropName,
    windows: timesOf(grid).map((t) => {
      const end = lookedAt(evaluation, expr, t);
      const start = end - expr.rangeMs;
      const seen = pointsBetween(points, start, end);
      return {
        t,
        start,
        end,
        points: seen.map(({ t: at, value }) => ({ t: at, value: forget(value) })),
      };
    }),
  }));
}

/** Hints about resets say nothing where samples between may be missing. */
function forget(value: Value): Value {
  if (typeof value === 'number' || value.hint === 'gauge') return value;
  return { ...value, hint: 'unknown' };
}
