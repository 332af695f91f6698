/** Which expressions have the same value at every step, so that one evaluation is enough. */
import { unreachable } from '../../lib/assert.ts';
import { unwrapParens, type Expr, type TimeModifiers } from '../parse/ast.ts';

/** Functions whose result changes with the evaluation time even where their arguments do not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'timestamp',
]);

function isFixed({ timestamp, startOrEnd }: TimeModifiers): boolean {
  return timestamp !== undefined || startOrEnd !== undefined;
}

/** Whether an expression is the same at all steps. */
export function isInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true;
    case 'selector':
    case 'subquery':
      return isFixed(expr);
    case 'matrix':
      return isFixed(expr.selector);
    case 'paren':
    case 'unary':
    case 'aggregate':
      return isInvariant(expr.expr);
    case 'binary':
      return isInvariant(expr.lhs) && isInvariant(expr.rhs);
    case 'call': {
      const { func, args } = expr;
      if (func.name === 'timestamp') {
        // The time of a sample is fixed; the time of anything else is that of the evaluation.
        const arg = args[0] === undefined ? undefined : unwrapParens(args[0]);
        return arg?.kind === 'selector' && isFixed(arg);
      }
      return !TIME_DEPENDENT.has(func.name) && args.every(isInvariant);
    }
    default:
      return unreachable(expr);
  }
}
