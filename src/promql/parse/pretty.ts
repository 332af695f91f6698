/**
 * Syntax tree to text with line breaks, as Prometheus' /api/v1/format_query gives it: a part that is longer than a line
 * is broken at its operator, its arguments or its parentheses, and what was broken off stands two spaces further in.
 */
import { unreachable } from '../../lib/assert.ts';
import type { Expr } from './ast.ts';
import { printAggregateHead, printExpr, printOperator, printSubqueryTail } from './print.ts';

/** limit: of a line, in bytes without the indent. */
const LINE_BYTES_MAX = 100;

/** The text of an expression in lines. Parsing it gives the same tree, positions apart. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0, new Map());
}

function pretty(expr: Expr, level: number, printed: Map<Expr, string>): string {
  const indent = '  '.repeat(level);
  // A sign stands before its operand's first line, however long that is.
  if (expr.kind === 'unary') return indent + expr.op + pretty(expr.expr, level, printed).trim();
  const line = printExpr(expr, printed);
  // perf: most long lines are seen by their length alone, which does not join their pieces.
  if (line.length <= LINE_BYTES_MAX && Buffer.byteLength(line) <= LINE_BYTES_MAX) {
    // compat: a short subquery is not indented, wherever it stands.
    return expr.kind === 'subquery' ? line : indent + line;
  }
  switch (expr.kind) {
    case 'paren':
      return `${indent}(\n${pretty(expr.expr, level + 1, printed)}\n${indent})`;
    case 'subquery':
      return pretty(expr.expr, level, printed) + printSubqueryTail(expr);
    case 'call':
      return prettyCall(expr.func.name, expr.args, level, printed);
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return prettyCall(printAggregateHead(expr), args, level, printed);
    }
    case 'binary': {
      const lhs = pretty(expr.lhs, level + 1, printed);
      const rhs = pretty(expr.rhs, level + 1, printed);
      return `${lhs}\n${indent}${printOperator(expr)}\n${rhs}`;
    }
    case 'number':
    case 'string':
    case 'selector':
    case 'matrix':
      return indent + line;
    default:
      return unreachable(expr);
  }
}

function prettyCall(
  head: string,
  args: readonly Expr[],
  level: number,
  printed: Map<Expr, string>,
): string {
  const indent = '  '.repeat(level);
  const lines = args.map((arg) => pretty(arg, level + 1, printed)).join(',\n');
  return `${indent}${head}(\n${lines}\n${indent})`;
}
