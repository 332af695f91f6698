/**
 * Query text to syntax tree: precedence climbing over a token stream, with one token of lookahead. The grammar, the
 * order in which errors are noticed and their texts answer to Prometheus 3.14 (promql/parser); only the first error
 * of a text is reported, so each one ends the parse.
 */
import {
  type AggregateExpr,
  type BinaryExpr,
  type BinaryOp,
  type CallExpr,
  type Expr,
  type MatchCardinality,
  type VectorMatching,
  isSetOperator,
  valueType,
} from './ast.ts';
import { checkTypes } from './check.ts';
import { FUNCTIONS } from './functions.ts';
import { applyAt, applyExtended, applyOffset } from './modifiers.ts';
import { HEAVY, LIGHT, Nesting } from './nesting.ts';
import { DEFAULT_FEATURES, type ParseOptions } from './options.ts';
import { DurationParser } from './parse-duration.ts';
import { parseNumber, parseString, secondsToMs } from './parse-literal.ts';
import { parseSelector } from './parse-selector.ts';
import { isValidText, quote } from './quote.ts';
import type { Matcher } from '../../model/matcher.ts';
import { TokenStream } from './token-stream.ts';
import {
  LABEL_WORDS,
  METRIC_WORDS,
  isAggregator,
  type AggregateOp,
  type TokenKind,
} from './token.ts';

/** Binding strength of binary operators; `^` binds to the right, all others to the left. */
const PRECEDENCE: Partial<Record<TokenKind, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<=': 3,
  '<': 3,
  '>=': 3,
  '>': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};

/** A sign binds as multiplication does: `-2 ^ 2` is `-(2 ^ 2)`. */
const UNARY_PRECEDENCE = 5;

const FILLS: ReadonlySet<TokenKind> = new Set<TokenKind>(['fill', 'fill_left', 'fill_right']);

/** What an expression can begin with. */
const EXPR_STARTS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  ...METRIC_WORDS,
  ...(['number', 'duration', 'string', '(', '{', '+', '-'] as const),
]);

const PARAMETERISED: ReadonlySet<AggregateOp> = new Set<AggregateOp>([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);

/**
 * Parses an expression and checks its types.
 * @throws ParseError with Prometheus' text when it is not one.
 */
export function parseExpr(query: string, options: ParseOptions = DEFAULT_FEATURES): Expr {
  const tokens = new TokenStream(query);
  if (tokens.ahead.kind === 'end of input') {
    tokens.fail({ start: 0, end: 0 }, 'no expression found in input');
  }
  const expr = new Parser(tokens, options).expr(0);
  tokens.expect('end of input');
  checkTypes(query, expr);
  return expr;
}

/**
 * Parses a series selector, as match[] parameters hold.
 * @throws ParseError with Prometheus' text when it is not one.
 */
export function parseMetricSelector(text: string): readonly Matcher[] {
  const tokens = new TokenStream(text);
  const { matchers } = parseSelector(tokens);
  tokens.expect('end of input');
  return matchers;
}

class Parser {
  readonly #tokens: TokenStream;
  readonly #options: ParseOptions;
  readonly #durations: DurationParser;
  readonly #nesting: Nesting;

  constructor(tokens: TokenStream, options: ParseOptions) {
    this.#tokens = tokens;
    this.#options = options;
    this.#nesting = new Nesting(tokens);
    this.#durations = new DurationParser(tokens, options, this.#nesting);
  }

  /** An expression of operators that bind at least this strongly. */
  expr(least: number): Expr {
    this.#nesting.enter(LIGHT);
    const expr = this.#expr(least);
    this.#nesting.leave(LIGHT);
    return expr;
  }

  #expr(least: number): Expr {
    const tokens: TokenStream = this.#tokens;
    const sign = tokens.ahead;
    let lhs: Expr;
    if (sign.kind === '+' || sign.kind === '-') {
      tokens.take();
      lhs = signed(sign.kind, sign.start, this.expr(UNARY_PRECEDENCE + 1));
      this.#nesting.raise(LIGHT);
    } else lhs = this.#postfix(this.#primary());
    for (;;) {
      const op = tokens.ahead.kind;
      const precedence = PRECEDENCE[op];
      if (precedence === undefined || precedence < least) return lhs;
      tokens.take();
      const { height } = this.#nesting;
      lhs = this.#binaryRest(lhs, op as BinaryOp, precedence);
      this.#nesting.raise(LIGHT, height);
    }
  }

  #primary(): Expr {
    const tokens: TokenStream = this.#tokens;
    const { ahead } = tokens;
    this.#nesting.leaf();
    switch (ahead.kind as string) {
      case '(':
        return this.#paren();
      case 'number':
      case 'duration':
        return parseNumber(tokens);
      case 'string': {
        const value = parseString(tokens);
        return { kind: 'string', value, start: ahead.start, end: ahead.end };
      }
      case '{':
        return parseSelector(tokens);
      default:
        if (METRIC_WORDS.has(ahead.kind)) return this.#named();
        return tokens.unexpected();
    }
  }

  #paren(): Expr {
    const { start } = this.#tokens.take();
    const expr = this.expr(0);
    const { end } = this.#tokens.expect(')');
    this.#nesting.raise(LIGHT);
    return { kind: 'paren', expr, start, end };
  }

  /** What begins with a word: an aggregation, a call or a metric. */
  #named(): Expr {
    const tokens: TokenStream = this.#tokens;
    const word = tokens.ahead;
    const after = tokens.second.kind;
    if (isAggregator(word.kind) && (after === '(' || after === 'by' || after === 'without')) {
      const { kind } = word;
      tokens.take();
      return tokens.within('aggregation', '', () => this.#aggregate(kind, word.start));
    }
    const callable =
      word.kind === 'identifier' ||
      ['start', 'end', 'step', 'range', 'max_of', 'min_of'].includes(word.kind);
    if (callable && after === '(') return this.#call();
    return parseSelector(tokens);
  }

  #aggregate(op: AggregateOp, start: number): AggregateExpr {
    const tokens: TokenStream = this.#tokens;
    let modifier = this.#aggregateModifier();
    const args = this.#arguments();
    modifier ??= this.#aggregateModifier();
    const span = { start, end: tokens.end };
    if (args.length === 0) {
      tokens.fail(span, 'no arguments for aggregate expression provided');
    }
    const parameterised = PARAMETERISED.has(op);
    const experimental = op === 'limitk' || op === 'limit_ratio';
    if (experimental && !this.#options.experimentalFunctions) {
      tokens.fail(
        span,
        `${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
      );
    }
    const wanted = parameterised ? 2 : 1;
    const expr = args[wanted - 1];
    if (args.length !== wanted || expr === undefined) {
      tokens.fail(
        span,
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      );
    }
    return {
      kind: 'aggregate',
      op,
      expr,
      param: parameterised ? args[0] : undefined,
      grouping: modifier?.grouping ?? [],
      without: modifier?.without ?? false,
      ...span,
    };
  }

  #aggregateModifier(): { grouping: string[]; without: boolean } | undefined {
    const tokens: TokenStream = this.#tokens;
    if (tokens.accept('by')) return { grouping: this.#groupingLabels(), without: false };
    if (tokens.accept('without')) return { grouping: this.#groupingLabels(), without: true };
    return undefined;
  }

  #groupingLabels(): string[] {
    const tokens: TokenStream = this.#tokens;
    return tokens.within('grouping opts', '"("', (context) => {
      const labels: string[] = [];
      tokens.expect('(');
      for (;;) {
        context.expected = 'label';
        if (tokens.accept(')')) return labels;
        labels.push(this.#groupingLabel());
        context.expected = '"," or ")"';
        if (tokens.accept(')')) return labels;
        tokens.expect(',');
      }
    });
  }

  #groupingLabel(): string {
    const tokens: TokenStream = this.#tokens;
    const token = tokens.ahead;
    if (token.kind !== 'string' && !LABEL_WORDS.has(token.kind)) tokens.unexpected();
    const name = token.kind === 'string' ? parseString(tokens) : tokens.take().text;
    if (name === '' || !isValidText(name)) {
      tokens.fail(token, `invalid label name for grouping: ${quote(name)}`);
    }
    return name;
  }

  #call(): CallExpr {
    const tokens: TokenStream = this.#tokens;
    const word = tokens.take();
    const args = this.#arguments();
    const func = FUNCTIONS.get(word.text);
    if (func === undefined) {
      tokens.fail(word, `unknown function with name ${quote(word.text)}`);
    }
    if (func.experimental && !this.#options.experimentalFunctions) {
      tokens.fail(word, `function ${quote(word.text)} is not enabled`);
    }
    return { kind: 'call', func, args, start: word.start, end: tokens.end };
  }

  #arguments(): Expr[] {
    const tokens: TokenStream = this.#tokens;
    const args: Expr[] = [];
    let height = 0;
    tokens.expect('(');
    if (tokens.accept(')')) return args;
    for (;;) {
      this.#nesting.enter(HEAVY);
      args.push(this.#expr(0));
      this.#nesting.leave(HEAVY);
      this.#nesting.raise(0, height);
      height = this.#nesting.height;
      if (tokens.accept(')')) {
        this.#nesting.raise(HEAVY);
        return args;
      }
      const comma = tokens.expect(',');
      if (!EXPR_STARTS.has(tokens.ahead.kind)) {
        tokens.fail(comma, 'trailing commas not allowed in function call args');
      }
    }
  }

  /** Ranges, subqueries, offset, @, anchored and smoothed: they belong to the operand right before them. */
  #postfix(operand: Expr): Expr {
    const tokens: TokenStream = this.#tokens;
    let expr = operand;
    for (;;) {
      switch (tokens.ahead.kind as string) {
        case '[':
          expr = this.#brackets(expr);
          break;
        case 'offset':
          tokens.take();
          expr = this.#offset(expr);
          break;
        case '@':
          tokens.take();
          expr = this.#at(expr);
          break;
        case 'anchored':
        case 'smoothed':
          expr = applyExtended(
            tokens,
            expr,
            tokens.take().kind as 'anchored' | 'smoothed',
            this.#options,
          );
          break;
        default:
          return expr;
      }
    }
  }

  #offset(expr: Expr): Expr {
    const tokens: TokenStream = this.#tokens;
    const expected = 'number, duration, step(), or range()';
    const offset = tokens.within('offset', expected, () => this.#durations.offset());
    return applyOffset(tokens, expr, offset);
  }

  #at(expr: Expr): Expr {
    const tokens: TokenStream = this.#tokens;
    const at = tokens.within('@', 'timestamp', () => {
      const { kind } = tokens.ahead;
      if (kind === 'start' || kind === 'end') {
        tokens.take();
        tokens.expect('(');
        tokens.expect(')');
        return kind;
      }
      const negative = kind === '-';
      if (kind === '+' || kind === '-') tokens.take();
      const { value } = parseNumber(tokens);
      return negative ? -value : value;
    });
    return applyAt(tokens, expr, at);
  }

  #brackets(expr: Expr): Expr {
    const tokens: TokenStream = this.#tokens;
    const open = tokens.take();
    const expected = 'number, duration, step(), or range()';
    return tokens.within('subquery or range selector', expected, () => {
      const range = this.#durations.positive();
      return tokens.within('subquery or range', '":" or "]"', () => {
        if (tokens.accept(']')) return this.#matrix(expr, open.start, range);
        tokens.expect(':');
        return tokens.within('subquery selector', `${expected}, or "]"`, (context) => {
          context.expected = 'number, duration, step(), range(), or "]"';
          const step = tokens.ahead.kind === ']' ? undefined : this.#durations.positive();
          context.expected = '"]"';
          tokens.expect(']');
          const span = { start: expr.start, end: tokens.end };
          this.#nesting.raise(HEAVY);
          return subquery(expr, range, step, span);
        });
      });
    });
  }

  #matrix(expr: Expr, open: number, range: ReturnType<DurationParser['positive']>): Expr {
    const span = { start: open, end: this.#tokens.end };
    if (expr.kind !== 'selector') {
      return this.#tokens.fail(span, 'ranges only allowed for vector selectors');
    }
    if (expr.offsetMs !== 0 || expr.offsetExpr !== undefined) {
      this.#tokens.fail(span, 'no offset modifiers allowed before range');
    }
    if (expr.timestamp !== undefined || expr.startOrEnd !== undefined) {
      this.#tokens.fail(span, 'no @ modifiers allowed before range');
    }
    return {
      kind: 'matrix',
      selector: expr,
      rangeMs: range.kind === 'number' ? secondsToMs(range.value) : 0,
      rangeExpr: range.kind === 'number' ? undefined : range,
      start: expr.start,
      end: span.end,
    };
  }

  #binaryRest(lhs: Expr, op: BinaryOp, precedence: number): BinaryExpr {
    const tokens: TokenStream = this.#tokens;
    const returnBool = tokens.accept('bool') !== undefined;
    const matching = this.#matching();
    const rhs = this.expr(op === '^' ? precedence : precedence + 1);
    const span = { start: lhs.start, end: rhs.end };
    const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined;
    if (fills && !this.#options.binopFill) {
      tokens.fail(span, 'binop fill modifiers are experimental and not enabled');
    }
    return {
      kind: 'binary',
      op,
      lhs,
      rhs,
      matching: effective(matching, op, lhs, rhs),
      returnBool,
      ...span,
    };
  }

  #matching(): VectorMatching {
    const tokens: TokenStream = this.#tokens;
    let card: MatchCardinality = 'one-to-one';
    let labels: readonly string[] = [];
    let include: readonly string[] = [];
    const on = tokens.accept('on') !== undefined;
    if (on || tokens.accept('ignoring')) {
      labels = this.#groupingLabels();
      if (tokens.accept('group_left')) card = 'many-to-one';
      else if (tokens.accept('group_right')) card = 'one-to-many';
      if (card !== 'one-to-one' && this.#hasInclude()) include = this.#groupingLabels();
    }
    return { card, labels, on, include, ...this.#fills() };
  }

  /** Whether labels stand behind group_left, or something that can stand neither there nor behind it. */
  #hasInclude(): boolean {
    const { kind } = this.#tokens.ahead;
    return kind === '(' || !(EXPR_STARTS.has(kind) || FILLS.has(kind));
  }

  #fills(): { fillLeft: number | undefined; fillRight: number | undefined } {
    const tokens: TokenStream = this.#tokens;
    if (tokens.accept('fill')) {
      const value = this.#fillValue();
      return { fillLeft: value, fillRight: value };
    }
    let fillLeft: number | undefined;
    let fillRight: number | undefined;
    if (tokens.accept('fill_left')) {
      fillLeft = this.#fillValue();
      if (tokens.accept('fill_right')) fillRight = this.#fillValue();
    } else if (tokens.accept('fill_right')) {
      fillRight = this.#fillValue();
      if (tokens.accept('fill_left')) fillLeft = this.#fillValue();
    }
    return { fillLeft, fillRight };
  }

  #fillValue(): number {
    const tokens: TokenStream = this.#tokens;
    tokens.expect('(');
    const negative = tokens.ahead.kind === '-';
    if (negative || tokens.ahead.kind === '+') tokens.take();
    const { value } = parseNumber(tokens);
    tokens.expect(')');
    return negative ? -value : value;
  }
}

/** Matching means something only between vectors; what was written for nothing is kept for the check to refuse. */
function effective(
  matching: VectorMatching,
  op: BinaryOp,
  lhs: Expr,
  rhs: Expr,
): VectorMatching | undefined {
  const written =
    matching.labels.length > 0 ||
    matching.fillLeft !== undefined ||
    matching.fillRight !== undefined;
  const vectors = valueType(lhs) === 'vector' && valueType(rhs) === 'vector';
  if (!vectors && !written && !matching.include.some((label) => matching.labels.includes(label))) {
    return undefined;
  }
  if (!isSetOperator(op) || matching.card !== 'one-to-one') return matching;
  return { ...matching, card: 'many-to-many' };
}

/** A sign before a number becomes part of it. */
function signed(op: '+' | '-', start: number, operand: Expr): Expr {
  if (operand.kind === 'number') {
    return { ...operand, value: op === '-' ? -operand.value : operand.value, start };
  }
  return { kind: 'unary', op, expr: operand, start, end: operand.end };
}

function subquery(
  expr: Expr,
  range: ReturnType<DurationParser['positive']>,
  step: ReturnType<DurationParser['positive']> | undefined,
  span: { start: number; end: number },
): Expr {
  return {
    kind: 'subquery',
    expr,
    rangeMs: range.kind === 'number' ? secondsToMs(range.value) : 0,
    rangeExpr: range.kind === 'number' ? undefined : range,
    stepMs: step?.kind === 'number' ? secondsToMs(step.value) : 0,
    stepExpr: step?.kind === 'duration' ? step : undefined,
    offsetMs: 0,
    offsetExpr: undefined,
    timestamp: undefined,
    startOrEnd: undefined,
    ...span,
  };
}
