/**
 * The syntax tree of PromQL. Nodes are plain immutable data; durations are milliseconds, positions are offsets into
 * the query text in UTF-16 units, `end` exclusive.
 */
import { unreachable } from '../../lib/assert.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { FunctionSignature } from './functions.ts';
import type { AggregateOp } from './token.ts';
import type { ValueType } from './value-type.ts';

/** A range of the query text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Operators of binary expressions. */
export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '<='
  | '<'
  | '>='
  | '>'
  | '</'
  | '>/'
  | 'and'
  | 'or'
  | 'unless';

/** A number; `duration` when it was written as one (`5m`), then the value is in seconds. */
export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly value: number;
  readonly duration: boolean;
}

/** A string. */
export interface StringLiteral extends Span {
  readonly kind: 'string';
  readonly value: string;
}

/** Arithmetic over durations, behind the feature option `durationExpr`. */
export interface DurationExpr extends Span {
  readonly kind: 'duration';
  readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'step' | 'range' | 'max_of' | 'min_of';
  /** Absent for the unary forms, and for step() and range(). */
  readonly lhs: DurationOperand | undefined;
  readonly rhs: DurationOperand | undefined;
  /** Whether it was written in parentheses. */
  readonly wrapped: boolean;
}

/** What a duration expression is made of. */
export type DurationOperand = NumberLiteral | DurationExpr;

/** Where in time a selector or subquery looks: `@` and `offset`. */
export interface TimeModifiers {
  /** ms, positive looks back; 0 when an expression says it. */
  readonly offsetMs: number;
  readonly offsetExpr: DurationExpr | undefined;
  /** ms of `@ <timestamp>`. */
  readonly timestamp: number | undefined;
  readonly startOrEnd: 'start' | 'end' | undefined;
}

/** An instant vector selector. */
export interface VectorSelector extends Span, TimeModifiers {
  readonly kind: 'selector';
  /** The metric name when it was written before the braces, else ''. */
  readonly name: string;
  /** In the order of the text; the matcher of `name` comes last. */
  readonly matchers: readonly Matcher[];
  readonly anchored: boolean;
  readonly smoothed: boolean;
}

/** A range vector selector. The modifiers of time are those of the vector selector. */
export interface MatrixSelector extends Span {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly rangeExpr: DurationExpr | undefined;
}

/** `expr[range:step]`. */
export interface SubqueryExpr extends Span, TimeModifiers {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly rangeMs: number;
  readonly rangeExpr: DurationExpr | undefined;
  /** 0 when the text leaves it to the engine. */
  readonly stepMs: number;
  readonly stepExpr: DurationExpr | undefined;
}

/** `-expr`, `+expr`. */
export interface UnaryExpr extends Span {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
}

/** `(expr)`. */
export interface ParenExpr extends Span {
  readonly kind: 'paren';
  readonly expr: Expr;
}

/** How many series of each side may share a signature. */
export type MatchCardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

/** How series of the two sides find each other. */
export interface VectorMatching {
  readonly card: MatchCardinality;
  readonly labels: readonly string[];
  /** `on` rather than `ignoring`. */
  readonly on: boolean;
  /** Labels copied from the "one" side. */
  readonly include: readonly string[];
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

/** `lhs op rhs`. */
export interface BinaryExpr extends Span {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly lhs: Expr;
  readonly rhs: Expr;
  /** Absent unless both sides are vectors. */
  readonly matching: VectorMatching | undefined;
  readonly returnBool: boolean;
}

/** `sum by (…) (expr)`. */
export interface AggregateExpr extends Span {
  readonly kind: 'aggregate';
  readonly op: AggregateOp;
  readonly expr: Expr;
  readonly param: Expr | undefined;
  /** In the order of the text. */
  readonly grouping: readonly string[];
  readonly without: boolean;
}

/** A call of a function. */
export interface CallExpr extends Span {
  readonly kind: 'call';
  readonly func: FunctionSignature;
  readonly args: readonly Expr[];
}

/** Any expression. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | UnaryExpr
  | ParenExpr
  | BinaryExpr
  | AggregateExpr
  | CallExpr;

/** The type of an expression's value. */
export function valueType(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'selector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'unary':
    case 'paren':
      return valueType(expr.expr);
    case 'binary':
      return valueType(expr.lhs) === 'scalar' && valueType(expr.rhs) === 'scalar'
        ? 'scalar'
        : 'vector';
    case 'call':
      return expr.func.returns;
    default:
      return unreachable(expr);
  }
}

/** The expression inside any number of parentheses. */
export function unwrapParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === 'paren') inner = inner.expr;
  return inner;
}

/** The expressions directly below one. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr];
    case 'binary':
      return [expr.lhs, expr.rhs];
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.expr, expr.param];
    case 'call':
      return expr.args;
    default:
      return unreachable(expr);
  }
}

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<=', '<', '>=', '>']);
const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/** Whether an operator compares. */
export function isComparison(op: BinaryOp): boolean {
  return COMPARISONS.has(op);
}

/** Whether an operator works on sets of series. */
export function isSetOperator(op: BinaryOp): op is 'and' | 'or' | 'unless' {
  return SET_OPERATORS.has(op);
}
