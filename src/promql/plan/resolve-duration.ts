/** Duration expressions to milliseconds, now that the query's step and range are known. */
import { CodedError } from '../../lib/errors.ts';
import type { DurationOperand } from '../parse/ast.ts';
import { goMax, goMin } from '../funcs/elementwise.ts';
import { ARITHMETIC } from '../funcs/arithmetic.ts';

/** limit: int64 nanoseconds in seconds, as Go's time.Duration. */
const MAX_SECONDS = 2 ** 63 / 1e9;

/** What step() and range() stand for, in seconds. */
export interface DurationContext {
  readonly stepSeconds: number;
  readonly rangeSeconds: number;
}

/**
 * The milliseconds of an expression.
 * @throws CodedError bad_data with Prometheus' text when it is no possible duration.
 */
export function resolveDuration(
  expr: DurationOperand,
  context: DurationContext,
  allowNegative: boolean,
): number {
  const seconds = evaluate(expr, context);
  const fail = (what: string) => {
    throw new CodedError('bad_data', `${expr.start}:${expr.end}: ${what}`);
  };
  if (!Number.isFinite(seconds)) fail('duration is NaN or infinite');
  if (seconds <= 0 && !allowNegative) fail('duration must be greater than 0');
  if (Math.abs(seconds) > MAX_SECONDS) fail('duration is out of range');
  return Math.trunc(seconds * 1000) + 0;
}

function evaluate(expr: DurationOperand, context: DurationContext): number {
  if (expr.kind === 'number') return expr.value;
  const { op, lhs, rhs } = expr;
  if (op === 'step') return context.stepSeconds;
  if (op === 'range') return context.rangeSeconds;
  const right = rhs === undefined ? 0 : evaluate(rhs, context);
  if (lhs === undefined) return op === '-' ? -right : right;
  const left = evaluate(lhs, context);
  if (op === 'min_of') return goMin(left, right);
  if (op === 'max_of') return goMax(left, right);
  if (right === 0 && (op === '/' || op === '%')) {
    const what = op === '/' ? 'division by zero' : 'modulo by zero';
    throw new CodedError('bad_data', `${expr.start}:${expr.end}: ${what}`);
  }
  return ARITHMETIC.get(op)?.(left, right) ?? NaN;
}
