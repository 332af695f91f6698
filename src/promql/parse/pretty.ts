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
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const indent = '  '.repeat(level);
  // A sign stands before its operand's first line, however long that is.
  if (expr.kind === 'unary') return indent + expr.op + pretty(expr.expr, level).trim();
  const line = printExpr(expr);
  if (Buffer.byteLength(line) <= LINE_BYTES_MAX) {
    // compat: a short subquery is not indented, wherever it stands.
    return expr.kind === 'subquery' ? line : indent + line;
  }
  switch (expr.kind) {
    case 'paren':
      return `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})`;
    case 'subquery':
      return pretty(expr.expr, level) + printSubqueryTail(expr);
    case 'call':
      return `${indent}${expr.func.name}(\n${prettyList(expr.args, level + 1)}\n${indent})`;
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return `${indent}${printAggregateHead(expr)}(\n${prettyList(args, level + 1)}\n${indent})`;
    }
    case 'binary': {
      const [lhs, rhs] = [pretty(expr.lhs, level + 1), pretty(expr.rhs, level + 1)];
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

function prettyList(exprs: readonly Expr[], level: number): string {
  return exprs.map((expr) => pretty(expr, level)).join(',\n');
}
