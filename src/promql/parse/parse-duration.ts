/**
 * Durations in ranges and offsets, with the arithmetic of the feature option `durationExpr`. A plain number stays a
 * number; everything else is a DurationExpr that the planner resolves, for step() and range() are the query's.
 */
import type { DurationExpr, DurationOperand, NumberLiteral, Span } from './ast.ts';
import { LIGHT, type Nesting } from './nesting.ts';
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
  readonly #nesting: Nesting;

  constructor(tokens: TokenStream, options: ParseOptions, nesting: Nesting) {
    this.#tokens = tokens;
    this.#options = options;
    this.#nesting = nesting;
  }

  /** A duration of a range or of a subquery's step. */
  positive(): DurationOperand {
    const operand = this.#beside(() => this.#expr(0));
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
    return this.#beside(() => this.#offset());
  }

  /** Reads a duration that belongs to the expression that was read last. */
  #beside(read: () => DurationOperand): DurationOperand {
    const { height } = this.#nesting;
    this.#nesting.leaf();
    const operand = read();
    this.#nesting.raise(0, height);
    return operand;
  }

  #offset(): DurationOperand {
    const first = this.#tokens.ahead;
    if (first.kind === '(') return this.#expr(0);
    if (first.kind !== '+' && first.kind !== '-') return this.#primary();
    this.#tokens.take();
    const second = this.#tokens.ahead;
    if (second.kind === '+' || second.kind === '-') {
      return this.#binary(this.#unary(first, this.#expr(UNARY_PRECEDENCE + 1)), 0);
    }
    if (second.kind === '(') return this.#unary(first, this.#wrapped());
    if (second.kind === 'number' || second.kind === 'duration') {
      return this.#unary(first, this.#literal(first));
    }
    // compat: here +step() keeps its sign in the tree, while +(…) loses it.
    const { start } = first;
    const operand = this.#primary(first);
    return this.#node(first.kind, undefined, operand, { start, end: operand.end });
  }

  #expr(least: number): DurationOperand {
    this.#nesting.enter(LIGHT);
    const operand = this.#signed(least);
    this.#nesting.leave(LIGHT);
    return operand;
  }

  #signed(least: number): DurationOperand {
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
      const { height } = this.#nesting;
      const rhs = this.#expr(op.kind === '^' ? precedence : precedence + 1);
      this.#nesting.raise(LIGHT, height);
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
    this.#nesting.raise(LIGHT);
    if (operand.kind === 'number') return this.#negated(sign, operand);
    return sign.kind === '-' ? this.#node('-', undefined, operand, span) : operand;
  }

  #negated(sign: Token, literal: NumberLiteral): NumberLiteral {
    const value = sign.kind === '-' ? -literal.value : literal.value;
    return { ...literal, value, start: sign.start };
  }

  /** One operand. A function that is refused is said to begin where its sign does. */
  #primary(sign?: Token): DurationOperand {
    const tokens: TokenStream = this.#tokens;
    const { start, kind } = tokens.ahead;
    if (kind === 'step' || kind === 'range') {
      tokens.take();
      tokens.expect('(');
      const { end } = tokens.expect(')');
      this.#requireFeature({ start: sign?.start ?? start, end });
      return this.#node(kind, undefined, undefined, { start, end });
    }
    if (kind === 'max_of' || kind === 'min_of') {
      tokens.take();
      tokens.expect('(');
      const lhs = this.#expr(0);
      const { height } = this.#nesting;
      tokens.expect(',');
      const rhs = this.#expr(0);
      this.#nesting.raise(LIGHT, height);
      const { end } = tokens.expect(')');
      // compat: without a sign it is said to begin at its first argument.
      this.#requireFeature({ start: sign?.start ?? lhs.start, end });
      return this.#node(kind, lhs, rhs, { start, end });
    }
    if (kind !== '(') return this.#literal();
    const wrapped = this.#wrapped();
    this.#requireFeature(wrapped.rhs ?? wrapped);
    return wrapped;
  }

  /** `(…)`, of which the feature is not asked. */
  #wrapped(): DurationExpr {
    const tokens: TokenStream = this.#tokens;
    const { start } = tokens.expect('(');
    const inner = this.#expr(0);
    const { end } = tokens.expect(')');
    this.#nesting.raise(LIGHT);
    if (inner.kind === 'duration') return { ...inner, wrapped: true };
    return { ...this.#node('+', undefined, inner, { start, end }), wrapped: true };
  }

  /** A number, which is said to begin where its sign does when it is too large. */
  #literal(sign?: Token): NumberLiteral {
    this.#nesting.leaf();
    const literal = parseNumber(this.#tokens);
    if (isDurationOutOfRange(literal.value)) {
      this.#tokens.fail(sign ?? literal, 'duration out of range');
    }
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

  #requireFeature(span: Span): void {
    if (this.#options.durationExpr) return;
    this.#tokens.fail(span, 'experimental duration expression is not enabled');
  }
}
