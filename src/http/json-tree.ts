/**
 * Syntax trees as /api/v1/parse_query shows them, which Prometheus' UI and Grafana draw. The members and their values
 * answer to Prometheus 3.14 (web/api/v1/translate_ast.go).
 */
import { unreachable } from '../lib/assert.ts';
import type {
  DurationOperand,
  Expr,
  TimeModifiers,
  VectorMatching,
  VectorSelector,
} from '../promql/parse/ast.ts';
import { printFloat } from '../promql/parse/go-float.ts';

/** An expression as plain data for JSON. Texts that hold bytes that are no UTF-8 have U+FFFD in their place. */
export function treeData(expr: Expr): object {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: printFloat(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value.toWellFormed() };
    case 'paren':
      return { type: 'parenExpr', expr: treeData(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: treeData(expr.expr) };
    case 'selector':
      return { type: 'vectorSelector', ...selectorData(expr), ...timeData(expr) };
    case 'matrix': {
      const { selector, rangeMs, rangeExpr } = expr;
      const range = { range: rangeMs, rangeExpr: durationData(rangeExpr) };
      return { type: 'matrixSelector', ...selectorData(selector), ...range, ...timeData(selector) };
    }
    case 'subquery':
      return {
        type: 'subquery',
        expr: treeData(expr.expr),
        range: expr.rangeMs,
        rangeExpr: durationData(expr.rangeExpr),
        step: expr.stepMs,
        stepExpr: durationData(expr.stepExpr),
        ...timeData(expr),
      };
    case 'call': {
      const { name, args: argTypes, variadic, returns: returnType } = expr.func;
      return {
        type: 'call',
        func: { name, argTypes, variadic, returnType },
        args: expr.args.map(treeData),
      };
    }
    case 'aggregate': {
      const { op, param, grouping, without } = expr;
      return {
        type: 'aggregation',
        op,
        expr: treeData(expr.expr),
        param: param === undefined ? null : treeData(param),
        grouping,
        without,
      };
    }
    case 'binary': {
      const { op, matching, returnBool: bool } = expr;
      const [lhs, rhs] = [treeData(expr.lhs), treeData(expr.rhs)];
      return { type: 'binaryExpr', op, lhs, rhs, matching: matchingData(matching), bool };
    }
    default:
      return unreachable(expr);
  }
}

function selectorData({ name, matchers, anchored, smoothed }: VectorSelector): object {
  const shown = matchers.map((matcher) => ({
    name: matcher.name.toWellFormed(),
    value: matcher.value.toWellFormed(),
    type: matcher.type,
  }));
  return { name, matchers: shown, anchored, smoothed };
}

function timeData({ offsetMs, offsetExpr, timestamp, startOrEnd }: TimeModifiers): object {
  return {
    offset: offsetMs,
    offsetExpr: durationData(offsetExpr),
    timestamp: timestamp ?? null,
    startOrEnd: startOrEnd ?? null,
  };
}

function durationData(operand: DurationOperand | undefined): object | null {
  if (operand === undefined) return null;
  if (operand.kind === 'number') {
    const { value, duration } = operand;
    return { type: 'numberLiteral', val: printFloat(value), duration };
  }
  const { op, lhs, rhs, wrapped } = operand;
  return { type: 'durationExpr', op, lhs: durationData(lhs), rhs: durationData(rhs), wrapped };
}

function matchingData(matching: VectorMatching | undefined): object | null {
  if (matching === undefined) return null;
  const { card, labels, on, include, fillLeft, fillRight } = matching;
  const fillValues = { lhs: fillData(fillLeft), rhs: fillData(fillRight) };
  return { card, labels, on, include, fillValues };
}

/** A fill value. JSON has no NaN and no Inf: they are texts, as the values of samples and literals are. */
function fillData(value: number | undefined): number | string | null {
  if (value === undefined) return null;
  return Number.isFinite(value) ? value : printFloat(value);
}
