/** offset, @, anchored and smoothed: applied to the selector or subquery before them, or refused. */
import type {
  DurationOperand,
  Expr,
  MatrixSelector,
  SubqueryExpr,
  TimeModifiers,
  VectorSelector,
} from './ast.ts';
import type { ParseOptions } from './options.ts';
import { secondsToMs } from './parse-literal.ts';
import type { TokenStream } from './token-stream.ts';

const AFTER =
  'must be preceded by an instant vector selector or range vector selector or a subquery';

/** limit: int64, which a timestamp in seconds must fit (as Prometheus checks it, before scaling to ms). */
const MAX_INT64 = 2 ** 63;

type Modifiable = VectorSelector | MatrixSelector | SubqueryExpr;

function isModifiable(expr: Expr): expr is Modifiable {
  return expr.kind === 'selector' || expr.kind === 'matrix' || expr.kind === 'subquery';
}

type Change = Partial<TimeModifiers & { anchored: boolean; smoothed: boolean }>;

/** The expression with changed modifiers and a new end. */
function modified(expr: Modifiable, change: Change, end: number): Expr {
  if (expr.kind !== 'matrix') return { ...expr, ...change, end };
  return { ...expr, selector: { ...expr.selector, ...change }, end };
}

/** `expr offset …`. */
export function applyOffset(tokens: TokenStream, expr: Expr, offset: DurationOperand): Expr {
  if (!isModifiable(expr)) tokens.fail(expr, `offset modifier ${AFTER}`);
  const before = expr.kind === 'matrix' ? expr.selector : expr;
  if (before.offsetMs !== 0 || before.offsetExpr !== undefined) {
    tokens.fail(expr, 'offset may not be set multiple times');
  }
  const change =
    offset.kind === 'number' ? { offsetMs: secondsToMs(offset.value) } : { offsetExpr: offset };
  return modified(expr, change, tokens.end);
}

/** `expr @ …` with seconds or with start() or end(). */
export function applyAt(tokens: TokenStream, expr: Expr, at: number | 'start' | 'end'): Expr {
  if (typeof at === 'number' && !(Math.abs(at) < MAX_INT64)) {
    tokens.fail(expr, `timestamp out of bounds for @ modifier: ${formatFixed(at)}`);
  }
  if (!isModifiable(expr)) tokens.fail(expr, `@ modifier ${AFTER}`);
  const before = expr.kind === 'matrix' ? expr.selector : expr;
  if (before.timestamp !== undefined || before.startOrEnd !== undefined) {
    tokens.fail(expr, '@ <timestamp> may not be set multiple times');
  }
  const change =
    typeof at === 'number' ? { timestamp: roundHalfAway(at * 1000) } : { startOrEnd: at };
  return modified(expr, change, tokens.end);
}

/** `expr anchored`, `expr smoothed`. */
export function applyExtended(
  tokens: TokenStream,
  expr: Expr,
  word: 'anchored' | 'smoothed',
  options: ParseOptions,
): Expr {
  if (!options.extendedRangeSelectors) {
    tokens.fail(expr, `${word} modifier is experimental and not enabled`);
  }
  if (expr.kind === 'subquery') {
    tokens.fail(expr, `${word} modifier is not supported for subqueries`);
  }
  if (!isModifiable(expr)) tokens.fail(expr, `${word} modifier not implemented`);
  const before = expr.kind === 'matrix' ? expr.selector : expr;
  if (word === 'anchored' ? before.smoothed : before.anchored) {
    tokens.fail(expr, 'anchored and smoothed modifiers cannot be used together');
  }
  return modified(expr, { [word]: true }, expr.end);
}

/** Go's %f. */
function formatFixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return `${BigInt(value)}.000000`;
}

function roundHalfAway(value: number): number {
  return (value < 0 ? -Math.round(-value) : Math.round(value)) + 0;
}
