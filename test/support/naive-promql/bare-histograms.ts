/**
 * Selectors of which Prometheus reads counts and sums of native histograms only (promql/engine.go,
 * detectHistogramStatsDecoding): what it then knows of resets is in the hints, and gauges have none.
 */
import {
  children,
  type BinaryExpr,
  type CallExpr,
  type Expr,
  type VectorSelector,
} from '../../../src/promql/parse/ast.ts';
import { isReset } from './histogram-arithmetic.ts';
import type { NaiveHistogram } from './histogram.ts';
import type { NaiveSeries } from './sample.ts';

const COUNTS = ['histogram_count', 'histogram_sum', 'histogram_avg'];
const BUCKETS = ['histogram_quantile', 'histogram_quantiles', 'histogram_fraction'];

/** The selectors of an expression that are read so. */
export function bareSelectors(expr: Expr, path: readonly Expr[] = []): VectorSelector[] {
  if (expr.kind === 'selector') return isBare(path) ? [expr] : [];
  return children(expr).flatMap((child) => bareSelectors(child, [...path, expr]));
}

/** Looks at what is around a selector, from the inside out. */
function isBare(path: readonly Expr[]): boolean {
  let bare = false;
  for (const around of path.toReversed()) {
    if (around.kind === 'subquery' || isTrim(around)) return false;
    if (around.kind === 'call' && BUCKETS.includes(nameOf(around))) return false;
    if (around.kind === 'call' && COUNTS.includes(nameOf(around))) bare = true;
  }
  return bare;
}

function nameOf({ func }: CallExpr): string {
  return func.name;
}

function isTrim(expr: Expr): expr is BinaryExpr {
  return expr.kind === 'binary' && (expr.op === '</' || expr.op === '>/');
}

/** A series whose histograms have no buckets. */
export function bareSeries({ labels, points }: NaiveSeries): NaiveSeries {
  let before: NaiveHistogram | undefined;
  return {
    labels,
    points: points.map(({ t, value }) => {
      if (typeof value !== 'object') return { t, value };
      const { schema, count, sum } = value;
      let { hint } = value;
      if (hint === 'unknown' && before !== undefined)
        hint = isReset(value, before) ? 'reset' : 'not-reset';
      before = value;
      const none = { zeroThreshold: 0, zeroCount: 0, bounds: [] };
      const sides = { positive: new Map<number, number>(), negative: new Map<number, number>() };
      return { t, value: { schema, count, sum, hint, ...none, ...sides } };
    }),
  };
}
