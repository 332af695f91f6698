/** Arithmetic over durations: what `[5m * 2]` and `offset step()` come to in a query. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { DurationExpr, DurationOperand, Expr } from '../../../src/promql/parse/ast.ts';
import { goMax, goMin, goPow } from './go-math.ts';
import type { Grid } from './query.ts';
import { NaiveError } from './sample.ts';

/** The same expression with plain durations. @throws NaiveError for durations that are none. */
export function resolveDurations<E extends Expr>(expr: E, query: Grid): E {
  const inner = <I extends Expr>(child: I): I => resolveDurations(child, query);
  const ms = (written: DurationExpr | undefined, plain: number, mayBeNegative = false): number =>
    written === undefined ? plain : resolve(written, query, mayBeNegative);
  const resolved = (): Expr => {
    switch (expr.kind) {
      case 'number':
      case 'string':
        return expr;
      case 'selector':
        return { ...expr, offsetMs: ms(expr.offsetExpr, expr.offsetMs, true) };
      case 'matrix': {
        const selector = inner(expr.selector);
        return { ...expr, selector, rangeMs: ms(expr.rangeExpr, expr.rangeMs) };
      }
      case 'subquery': {
        const offsetMs = ms(expr.offsetExpr, expr.offsetMs, true);
        const stepMs = ms(expr.stepExpr, expr.stepMs);
        const rangeMs = ms(expr.rangeExpr, expr.rangeMs);
        return { ...expr, offsetMs, stepMs, rangeMs, expr: inner(expr.expr) };
      }
      case 'paren':
      case 'unary':
        return { ...expr, expr: inner(expr.expr) };
      case 'binary':
        return { ...expr, lhs: inner(expr.lhs), rhs: inner(expr.rhs) };
      case 'aggregate': {
        const param = expr.param === undefined ? undefined : inner(expr.param);
        return { ...expr, param, expr: inner(expr.expr) };
      }
      case 'call':
        return { ...expr, args: expr.args.map(inner) };
      default:
        return unreachable(expr);
    }
  };
  return resolved() as E;
}

function resolve(expr: DurationExpr, query: Grid, mayBeNegative: boolean): number {
  const seconds = secondsOf(expr, query);
  const fail = (what: string) => new NaiveError(`${expr.start}:${expr.end}: ${what}`);
  if (!Number.isFinite(seconds)) throw fail('duration is NaN or infinite');
  if (seconds <= 0 && !mayBeNegative) throw fail('duration must be greater than 0');
  if (Math.abs(seconds) > 2 ** 63 / 1e9) throw fail('duration is out of range');
  return Math.trunc(seconds * 1000);
}

function secondsOf(expr: DurationOperand | undefined, query: Grid): number {
  if (expr === undefined) return 0;
  if (expr.kind === 'number') return expr.value;
  const [a, b] = [secondsOf(expr.lhs, query), secondsOf(expr.rhs, query)];
  const notZero = (what: string): void => {
    if (b === 0) throw new NaiveError(`${expr.start}:${expr.end}: ${what} by zero`);
  };
  switch (expr.op) {
    case 'step':
      return query.stepMs / 1000;
    case 'range':
      return (query.endMs - query.startMs) / 1000;
    case 'max_of':
      return goMax(a, b);
    case 'min_of':
      return goMin(a, b);
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      notZero('division');
      return a / b;
    case '%':
      notZero('modulo');
      return a % b;
    case '^':
      return goPow(a, b);
    default:
      return unreachable(expr.op);
  }
}
