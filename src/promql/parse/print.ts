/** Syntax tree to text on one line, as Prometheus' Expr.String() prints it. */
import { unreachable } from '../../lib/assert.ts';
import { formatDuration } from '../../lib/duration.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type {
  AggregateExpr,
  BinaryExpr,
  DurationOperand,
  Expr,
  SubqueryExpr,
  TimeModifiers,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { printFloat, printGeneral } from './go-float.ts';
import { quote } from './quote.ts';

const LEGACY_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The text of an expression. Parsing it gives the same tree, positions apart. Texts of parts are kept in `printed` where
 * a caller will ask for them, too.
 */
export function printExpr(expr: Expr, printed?: Map<Expr, string>): string {
  const known = printed?.get(expr);
  if (known !== undefined) return known;
  const text = printNode(expr, printed);
  printed?.set(expr, text);
  return text;
}

function printNode(expr: Expr, printed: Map<Expr, string> | undefined): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr.value, expr.duration);
    case 'string':
      return quote(expr.value);
    case 'paren':
      return `(${printExpr(expr.expr, printed)})`;
    case 'unary':
      return expr.op + printExpr(expr.expr, printed);
    case 'selector':
      return printSelector(expr) + printAt(expr) + printExtended(expr) + printOffset(expr);
    case 'matrix': {
      const range = printRange(expr.rangeMs, expr.rangeExpr);
      const { selector } = expr;
      const modifiers = printExtended(selector) + printAt(selector) + printOffset(selector);
      return `${printSelector(selector)}[${range}]${modifiers}`;
    }
    case 'subquery':
      return printExpr(expr.expr, printed) + printSubqueryTail(expr);
    case 'call': {
      const args = expr.args.map((arg) => printExpr(arg, printed));
      return `${expr.func.name}(${args.join(', ')})`;
    }
    case 'aggregate': {
      const param = expr.param === undefined ? '' : `${printExpr(expr.param, printed)}, `;
      return `${printAggregateHead(expr)}(${param}${printExpr(expr.expr, printed)})`;
    }
    case 'binary': {
      const [lhs, rhs] = [printExpr(expr.lhs, printed), printExpr(expr.rhs, printed)];
      return `${lhs} ${printOperator(expr)} ${rhs}`;
    }
    default:
      return unreachable(expr);
  }
}

/** What stands before the parenthesis of an aggregation: `sum by (a) `. */
export function printAggregateHead({ op, without, grouping }: AggregateExpr): string {
  if (without) return `${op} without (${printLabels(grouping)}) `;
  return grouping.length > 0 ? `${op} by (${printLabels(grouping)}) ` : op;
}

/** What stands behind the expression of a subquery: `[1h:5m] @ start() offset 5m`. */
export function printSubqueryTail(expr: SubqueryExpr): string {
  const range = printRange(expr.rangeMs, expr.rangeExpr);
  const hasStep = expr.stepMs !== 0 || expr.stepExpr !== undefined;
  const step = hasStep ? printRange(expr.stepMs, expr.stepExpr) : '';
  return `[${range}:${step}]${printAt(expr)}${printOffset(expr)}`;
}

function printNumber(value: number, duration: boolean): string {
  if (!duration) return printFloat(value);
  // compat: Prometheus cuts here and prints 1001ms as 1s, which is another duration.
  const text = formatDuration(Math.round(Math.abs(value) * 1000));
  return value < 0 ? `-${text}` : text;
}

function printRange(ms: number, expr: DurationOperand | undefined): string {
  return expr === undefined ? formatDuration(ms) : printDuration(expr);
}

function printDuration(operand: DurationOperand): string {
  if (operand.kind === 'number') return printNumber(operand.value, operand.duration);
  const { op, lhs, rhs, wrapped } = operand;
  const left = lhs === undefined ? '' : printDuration(lhs);
  const right = rhs === undefined ? '' : printDuration(rhs);
  let text: string;
  if (op === 'step' || op === 'range') text = `${op}()`;
  else if (op === 'min_of' || op === 'max_of') text = `${op}(${left}, ${right})`;
  else if (lhs === undefined) text = op === '-' ? `-${right}` : right;
  else text = `${left} ${op} ${right}`;
  return wrapped ? `(${text})` : text;
}

function printLabels(labels: readonly string[]): string {
  return labels.map((label) => (LEGACY_LABEL.test(label) ? label : quote(label))).join(', ');
}

function printSelector({ name, matchers }: VectorSelector): string {
  const texts = matchers
    .filter(
      (m) => !(m.name === METRIC_NAME && m.type === '=' && m.value === name && m.value !== ''),
    )
    .map((m) => `${printLabels([m.name])}${m.type}${quote(m.value)}`)
    .sort(compareUtf8);
  return texts.length === 0 ? name : `${name}{${texts.join(',')}}`;
}

function printAt({ timestamp, startOrEnd }: TimeModifiers): string {
  if (timestamp !== undefined) return ` @ ${(timestamp / 1000).toFixed(3)}`;
  return startOrEnd === undefined ? '' : ` @ ${startOrEnd}()`;
}

function printOffset({ offsetMs, offsetExpr }: TimeModifiers): string {
  if (offsetExpr !== undefined) return ` offset ${printDuration(offsetExpr)}`;
  return offsetMs === 0 ? '' : ` offset ${formatDuration(offsetMs)}`;
}

function printExtended({ anchored, smoothed }: VectorSelector): string {
  if (anchored) return ' anchored';
  return smoothed ? ' smoothed' : '';
}

/** What stands between two operands: `== bool on (a) group_left ()`. */
export function printOperator({ op, returnBool, matching }: BinaryExpr): string {
  return op + (returnBool ? ' bool' : '') + (matching === undefined ? '' : printMatching(matching));
}

function printMatching({ card, labels, on, include, fillLeft, fillRight }: VectorMatching): string {
  const grouped = card === 'many-to-one' || card === 'one-to-many';
  let text = '';
  if (labels.length > 0 || on || grouped) {
    text += ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`;
  }
  if (grouped) {
    text += ` group_${card === 'many-to-one' ? 'left' : 'right'} (${printLabels(include)})`;
  }
  // compat: NaN is not equal to itself, so fill(NaN) prints as two fills.
  if (fillLeft !== undefined && fillLeft === fillRight)
    return `${text} fill (${printGeneral(fillLeft)})`;
  if (fillLeft !== undefined) text += ` fill_left (${printGeneral(fillLeft)})`;
  if (fillRight !== undefined) text += ` fill_right (${printGeneral(fillRight)})`;
  return text;
}
