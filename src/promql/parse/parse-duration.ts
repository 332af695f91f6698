/**
 * Durations in ranges and offsets, with the arithmetic of the feature option `durationExpr`. A plain number stays a
 * number; everything else is a DurationExpr that the planner resolves, for step() and range() are the query's.
 */
import type { DurationExpr, DurationOperand, NumberLiteral, Span } from './ast.ts';
import type { ParseOptions } from './options.ts';
import { isDurationOutOfRange, parseNumber } from './parse-literal.ts';
import type { TokenStream } from './token-stream.ts';
import type { Token, TokenKind } from './token.ts';

type ArithmeticOp = '+' | '-' | '*' | '/' | '%' | '^';

const PRECEDENCE: Partial<Record<TokenKind, number>> = {
  '+': 1,
  '-': 1,
  '*': 2,
  '/': 2,
  '%': 2,
  '^': 3,
};
const UNARY_PRECEDENCE = 2;

/** Reads the durations of one query. */
export class DurationParser {
  readonly #tokens: TokenStream;
  readonly #options: ParseOptions;

  constructor(tokens: TokenStream, options: ParseOptions) {
    this.#tokens = tokens;
    this.#options = options;
  }

  /** A duration of a range or of a subquery's step. */
  positive(): DurationOperand {
    const operand = this.#expr(0);
    if (operand.kind === 'number' && operand.value <= 0) {
      this.#tokens.fail(operand, 'duration must be greater than 0');
    }
    return operand;
  }

  /**
   * A duration of an offset. Unless it starts with a parenthesis it ends after one operand, so that
   * `foo offset 2 ^ 2` is `(foo offset 2) ^ 2`.
   */
  offset(): DurationOperand {
    const first = this.#tokens.ahead;
    if (first.kind === '(') return this.#expr(0);
    if (first.kind !== '+' && first.kind !== '-') return this.#primary();
    this.#tokens.take();
    const second = this.#tokens.ahead;
    if (second.kind === '+' || second.kind === '-') {
      return this.#binary(this.#unary(first, this.#expr(UNARY_PRECEDENCE + 1)), 0);
    }
    const operand = this.#primary();
    // compat: here +step() keeps its sign in the tree, while +(…) loses it.
    if (operand.kind === 'duration' && !operand.wrapped) {
      return this.#node(first.kind, undefined, operand, { start: first.start, end: operand.end });
    }
    return this.#unary(first, operand);
  }

  #expr(least: number): DurationOperand {
    const sign = this.#tokens.ahead;
    if (sign.kind === '+' || sign.kind === '-') {
      this.#tokens.take();
      return this.#binary(this.#unary(sign, this.#expr(UNARY_PRECEDENCE + 1)), least);
    }
    return this.#binary(this.#primary(), least);
  }

  #binary(first: DurationOperand, least: number): DurationOperand {
    let lhs = first;
    for (;;) {
      const op = this.#tokens.ahead;
      const precedence = PRECEDENCE[op.kind];
      if (precedence === undefined || precedence < least) return lhs;
      this.#tokens.take();
      const rhs = this.#expr(op.kind === '^' ? precedence : precedence + 1);
      this.#requireFeature(lhs);
      if (rhs.kind === 'number' && rhs.value === 0) {
        if (op.kind === '/') this.#tokens.fail(op, 'division by zero');
        if (op.kind === '%') this.#tokens.fail(op, 'modulo by zero');
      }
      const span = { start: lhs.start, end: rhs.end };
      lhs = this.#node(op.kind as ArithmeticOp, lhs, rhs, span);
    }
  }

  #unary(sign: Token, operand: DurationOperand): DurationOperand {
    const span = { start: sign.start, end: operand.end };
    if (operand.kind === 'number') return this.#negated(sign, operand);
    return sign.kind === '-' ? this.#node('-', undefined, operand, span) : operand;
  }

  #negated(sign: Token, literal: NumberLiteral): NumberLiteral {
    const value = sign.kind === '-' ? -literal.value : literal.value;
    return { ...literal, value, start: sign.start };
  }

  #primary(): DurationOperand {
    const tokens: TokenStream = this.#tokens;
    const { start, kind } = tokens.ahead;
    if (kind === 'step' || kind === 'range') {
      tokens.take();
      tokens.expect('(');
      const { end } = tokens.expect(')');
      return this.#feature(this.#node(kind, undefined, undefined, { start, end }));
    }
    if (kind === 'max_of' || kind === 'min_of') {
      tokens.take();
      tokens.expect('(');
      const lhs = this.#expr(0);
      tokens.expect(',');
      const rhs = this.#expr(0);
      const { end } = tokens.expect(')');
      return this.#feature(this.#node(kind, lhs, rhs, { start, end }));
    }
    if (kind === '(') {
      tokens.take();
      const inner = this.#expr(0);
      const { end } = tokens.expect(')');
      this.#requireFeature(inner);
      if (inner.kind === 'duration') return { ...inner, wrapped: true };
      return { ...this.#node('+', undefined, inner, { start, end }), wrapped: true };
    }
    const literal = parseNumber(tokens);
    if (isDurationOutOfRange(literal.value)) tokens.fail(literal, 'duration out of range');
    return literal;
  }

  #node(
    op: DurationExpr['op'],
    lhs: DurationOperand | undefined,
    rhs: DurationOperand | undefined,
    { start, end }: Span,
  ): DurationExpr {
    return { kind: 'duration', op, lhs, rhs, wrapped: false, start, end };
  }

  #feature(node: DurationExpr): DurationExpr {
    this.#requireFeature(node);
    return node;
  }

  #requireFeature(span: Span): void {
    if (this.#options.durationExpr) return;
    this.#tokens.fail(span, 'experimental duration expression is not enabled');
  }
}
