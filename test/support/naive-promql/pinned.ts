/** Expressions whose value does not depend on the step, which Prometheus evaluates once, at the first step. */
import { unreachable } from '../../../src/lib/assert.ts';
import { unwrapParens, type Expr } from '../../../src/promql/parse/ast.ts';

/** Functions that look at the evaluation time, so that `@` in their arguments does not make them constant. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set(
  `days_in_month day_of_month day_of_week day_of_year end hour minute month year predict_linear range start
  step time timestamp`.split(/\s+/),
);

interface Pinning {
  /** Whether the value is the same at all steps. */
  readonly pinned: boolean;
  /** Whether it is then evaluated at one step: numbers are not, and range vectors have no steps. */
  readonly once: boolean;
}

/** Whether an expression is evaluated at the first step only, for all of them. */
export function isEvaluatedOnce(expr: Expr): boolean {
  const { pinned, once } = pinning(expr);
  return pinned && once;
}

/** Whether a value is the same at all steps. */
export function isPinned(expr: Expr): boolean {
  return pinning(expr).pinned;
}

function pinning(expr: Expr): Pinning {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return { pinned: true, once: false };
    case 'selector':
    case 'subquery': {
      const pinned = expr.timestamp !== undefined || expr.startOrEnd !== undefined;
      return { pinned, once: pinned && expr.kind === 'selector' };
    }
    case 'matrix':
      return { pinned: isPinned(expr.selector), once: false };
    case 'paren':
    case 'unary':
    case 'aggregate':
      // compat: the parameter of an aggregation is not asked.
      return pinning(expr.expr);
    case 'binary': {
      const pinned = isPinned(expr.lhs) && isPinned(expr.rhs);
      return { pinned, once: pinned };
    }
    case 'call': {
      const args = expr.args.map(unwrapParens);
      const [first] = args;
      const ofSelector = expr.func.name === 'timestamp' && first?.kind === 'selector';
      const safe = !TIME_DEPENDENT.has(expr.func.name) || ofSelector;
      const pinned = safe && args.every(isPinned);
      return { pinned, once: pinned };
    }
    default:
      return unreachable(expr);
  }
}
