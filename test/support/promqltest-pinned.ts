/** Queries of test scripts asked again with every selector pinned by `@`, at times where that must not matter. */
import { unreachable } from '../../src/lib/assert.ts';
import { children, type Expr } from '../../src/promql/parse/ast.ts';
import { ALL_FEATURES } from '../../src/promql/parse/options.ts';
import { parseExpr } from '../../src/promql/parse/parse.ts';
import { printExpr } from '../../src/promql/parse/print.ts';

const TIME_DEPENDENT: ReadonlySet<string> = new Set(
  'days_in_month day_of_month day_of_week day_of_year end hour minute month year predict_linear range start step time timestamp'.split(
    ' ',
  ),
);

/** The expression with every selector pinned to the time, at times where it must not matter. */
export function pinnedQueries(text: string, timeMs: number): { expr: string; timeMs: number }[] {
  let expr: Expr;
  try {
    expr = parseExpr(text, ALL_FEATURES);
  } catch {
    return [];
  }
  if (usesTime(expr)) return [];
  const pinned = printExpr(pin(expr, timeMs));
  const times =
    timeMs === 0
      ? [-1000, 0, 1000]
      : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
  return times.map((t) => ({ expr: pinned, timeMs: t }));
}

/** Whether the result depends on the evaluation time; subqueries with `@` are not looked into. */
function usesTime(expr: Expr): boolean {
  if (expr.kind === 'call' && TIME_DEPENDENT.has(expr.func.name)) return true;
  return expr.kind !== 'subquery' && children(expr).some(usesTime);
}

function pin(expr: Expr, timeMs: number): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'selector':
    case 'subquery':
      return { ...expr, timestamp: expr.timestamp ?? timeMs };
    case 'matrix': {
      const { selector } = expr;
      return { ...expr, selector: { ...selector, timestamp: selector.timestamp ?? timeMs } };
    }
    case 'unary':
    case 'paren':
      return { ...expr, expr: pin(expr.expr, timeMs) };
    case 'binary':
      return { ...expr, lhs: pin(expr.lhs, timeMs), rhs: pin(expr.rhs, timeMs) };
    case 'aggregate': {
      const param = expr.param === undefined ? undefined : pin(expr.param, timeMs);
      return { ...expr, expr: pin(expr.expr, timeMs), param };
    }
    case 'call':
      return { ...expr, args: expr.args.map((arg) => pin(arg, timeMs)) };
    default:
      return unreachable(expr);
  }
}
