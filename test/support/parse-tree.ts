/** Syntax trees in the JSON shape of Prometheus' /api/v1/parse_query. */
import { unreachable } from '../../src/lib/assert.ts';
import { printFloat } from '../../src/promql/parse/go-float.ts';
import type {
  DurationOperand,
  Expr,
  TimeModifiers,
  VectorSelector,
} from '../../src/promql/parse/ast.ts';

/** The JSON of an expression. Non-finite fill values stay numbers: Prometheus cannot answer those at all. */
export function parseTree(expr: Expr): unknown {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: printFloat(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value.toWellFormed() };
    case 'paren':
      return { type: 'parenExpr', expr: parseTree(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: parseTree(expr.expr) };
    case 'selector':
      return { type: 'vectorSelector', ...selectorTree(expr) };
    case 'matrix':
      return {
        type: 'matrixSelector',
        ...selectorTree(expr.selector),
        range: expr.rangeMs,
        rangeExpr: durationTree(expr.rangeExpr),
      };
    case 'subquery':
      return {
        type: 'subquery',
        expr: parseTree(expr.expr),
        range: expr.rangeMs,
        rangeExpr: durationTree(expr.rangeExpr),
        step: expr.stepMs,
        stepExpr: durationTree(expr.stepExpr),
        ...timeTree(expr),
      };
    case 'call':
      return {
        type: 'call',
        func: {
          name: expr.func.name,
          argTypes: expr.func.args,
          variadic: expr.func.variadic,
          returnType: expr.func.returns,
        },
        args: expr.args.map(parseTree),
      };
    case 'aggregate':
      return {
        type: 'aggregation',
        op: expr.op,
        expr: parseTree(expr.expr),
        param: expr.param === undefined ? null : parseTree(expr.param),
        grouping: expr.grouping,
        without: expr.without,
      };
    case 'binary': {
      const { matching } = expr;
      return {
        type: 'binaryExpr',
        op: expr.op,
        lhs: parseTree(expr.lhs),
        rhs: parseTree(expr.rhs),
        matching:
          matching === undefined
            ? null
            : {
                card: matching.card,
                labels: matching.labels,
                on: matching.on,
                include: matching.include,
                fillValues: { lhs: matching.fillLeft ?? null, rhs: matching.fillRight ?? null },
              },
        bool: expr.returnBool,
      };
    }
    default:
      return unreachable(expr);
  }
}

function selectorTree(selector: VectorSelector): object {
  const { name, matchers, anchored, smoothed } = selector;
  return {
    name,
    matchers: matchers.map((m) => ({ name: m.name, value: m.value.toWellFormed(), type: m.type })),
    anchored,
    smoothed,
    ...timeTree(selector),
  };
}

function timeTree({ offsetMs, offsetExpr, timestamp, startOrEnd }: TimeModifiers): object {
  return {
    offset: offsetMs,
    offsetExpr: durationTree(offsetExpr),
    timestamp: timestamp ?? null,
    startOrEnd: startOrEnd ?? null,
  };
}

function durationTree(operand: DurationOperand | undefined): unknown {
  if (operand === undefined) return null;
  if (operand.kind === 'number') {
    const { value, duration } = operand;
    return { type: 'numberLiteral', val: printFloat(value), duration };
  }
  const { op, lhs, rhs, wrapped } = operand;
  return { type: 'durationExpr', op, lhs: durationTree(lhs), rhs: durationTree(rhs), wrapped };
}
