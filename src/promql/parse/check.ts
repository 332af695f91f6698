/** Type checks over a whole tree, in the order in which Prometheus makes them. */
import {
  isComparison,
  isSetOperator,
  valueType,
  type AggregateExpr,
  type BinaryExpr,
  type CallExpr,
  type Expr,
  type Span,
  type VectorSelector,
} from './ast.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { ParseError } from './parse-error.ts';
import { quote } from './quote.ts';
import { documentedType, type ValueType } from './value-type.ts';

/**
 * Checks an expression and everything below it.
 * @throws ParseError for the first thing that is wrong.
 */
export function checkTypes(query: string, root: Expr): void {
  new Checker(query).check(root);
}

class Checker {
  readonly #query: string;

  constructor(query: string) {
    this.#query = query;
  }

  check(expr: Expr, anyMatcher = false): ValueType {
    switch (expr.kind) {
      case 'number':
      case 'string':
        break;
      case 'paren':
        this.check(expr.expr);
        break;
      case 'unary': {
        const type = this.check(expr.expr);
        if (type !== 'scalar' && type !== 'vector') {
          const got = quote(documentedType(type));
          this.#fail(
            expr,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
          );
        }
        break;
      }
      case 'subquery': {
        const type = this.check(expr.expr);
        if (type !== 'vector') {
          this.#fail(expr, `subquery is only allowed on instant vector, got ${type} instead`);
        }
        break;
      }
      case 'matrix':
        this.check(expr.selector);
        break;
      case 'selector':
        this.#selector(expr, anyMatcher);
        break;
      case 'aggregate':
        this.#aggregate(expr);
        break;
      case 'call':
        this.#call(expr);
        break;
      case 'binary':
        this.#binary(expr);
        break;
    }
    return valueType(expr);
  }

  #fail(span: Span, detail: string): never {
    throw new ParseError(this.#query, span, detail);
  }

  #expect(expr: Expr, want: ValueType, where: string): void {
    const type = this.check(expr);
    if (type !== want) this.#wrongType(expr, want, where, type);
  }

  #wrongType(span: Span, want: ValueType, where: string, got: ValueType): never {
    return this.#fail(
      span,
      `expected type ${documentedType(want)} in ${where}, got ${documentedType(got)}`,
    );
  }

  #selector(selector: VectorSelector, anyMatcher: boolean): void {
    const { name, matchers } = selector;
    if (name !== '') {
      const second = matchers.slice(0, -1).find((m) => m.name === METRIC_NAME);
      if (second === undefined) return;
      const names = `${quote(name)} or ${quote(second.value)}`;
      this.#fail(selector, `metric name must not be set twice: ${names}`);
    }
    // A selector of everything is nearly always a mistake.
    if (anyMatcher || matchers.some((m) => !m.matchesEmpty)) return;
    this.#fail(selector, 'vector selector must contain at least one non-empty matcher');
  }

  #aggregate({ op, expr, param }: AggregateExpr): void {
    this.#expect(expr, 'vector', 'aggregation expression');
    if (param === undefined) return;
    this.#expect(param, op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
  }

  #call(call: CallExpr): void {
    const { func, args } = call;
    const name = quote(func.name);
    const wanted = func.args.length;
    if (func.variadic === 0) {
      if (wanted !== args.length) {
        this.#fail(call, `expected ${wanted} argument(s) in call to ${name}, got ${args.length}`);
      }
    } else {
      const least = wanted - 1;
      const most = least + func.variadic;
      if (args.length < least) {
        this.#fail(
          call,
          `expected at least ${least} argument(s) in call to ${name}, got ${args.length}`,
        );
      }
      if (func.variadic > 0 && args.length > most) {
        this.#fail(
          call,
          `expected at most ${most} argument(s) in call to ${name}, got ${args.length}`,
        );
      }
    }
    const info = func.name === 'info' ? args[1] : undefined;
    if (info !== undefined) this.#infoSelector(call, info);
    for (const [i, arg] of args.entries()) {
      const want = func.args[Math.min(i, wanted - 1)] as ValueType;
      const type = this.check(arg, arg === info);
      if (type === want) continue;
      const got = documentedType(type);
      this.#fail(
        arg,
        `expected type ${documentedType(want)} in call to function ${name}, got ${got}`,
      );
    }
  }

  #infoSelector(call: CallExpr, arg: Expr): void {
    const type = valueType(arg);
    if (type !== 'vector') this.#wrongType(call, 'vector', 'call to function "info"', type);
    if (arg.kind !== 'selector') this.#fail(arg, 'expected label selectors only');
    if (arg.name !== '') {
      this.#fail(arg, 'expected label selectors only, got vector selector instead');
    }
  }

  #binary(expr: BinaryExpr): void {
    const { op, lhs, rhs, returnBool, matching } = expr;
    const left = this.check(lhs);
    const right = this.check(rhs);
    if (returnBool && !isComparison(op)) {
      this.#fail(
        this.#operatorSpan(expr),
        'bool modifier can only be used on comparison operators',
      );
    }
    if (isComparison(op) && !returnBool && left === 'scalar' && right === 'scalar') {
      this.#fail(this.#operatorSpan(expr), 'comparisons between scalars must use BOOL modifier');
    }
    if (matching?.on === true) {
      const twice = matching.labels.find((label) => matching.include.includes(label));
      if (twice !== undefined) {
        const detail = `label ${quote(twice)} must not occur in ON and GROUP clause at once`;
        this.#fail(this.#operatorSpan(expr), detail);
      }
    }
    const only = 'binary expression must contain only scalar and instant vector types';
    if (left !== 'scalar' && left !== 'vector') this.#fail(lhs, only);
    if (right !== 'scalar' && right !== 'vector') this.#fail(rhs, only);
    this.#matching(expr, left === 'vector' && right === 'vector');
    if ((left === 'scalar' || right === 'scalar') && isSetOperator(op)) {
      this.#fail(expr, `set operator ${quote(op)} not allowed in binary scalar expression`);
    }
  }

  #matching(expr: BinaryExpr, vectors: boolean): void {
    const { op, matching } = expr;
    if (matching === undefined) return;
    const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined;
    if (!vectors) {
      if (matching.labels.length > 0) {
        this.#fail(expr, 'vector matching only allowed between instant vectors');
      }
      if (fills) {
        this.#fail(expr, 'filling in missing series only allowed between instant vectors');
      }
    } else if (isSetOperator(op)) {
      if (matching.card === 'one-to-many' || matching.card === 'many-to-one') {
        this.#fail(expr, `no grouping allowed for ${quote(op)} operation`);
      }
      if (fills) this.#fail(expr, 'filling in missing series not allowed for set operators');
    }
  }

  /** The text between the operands. */
  #operatorSpan({ lhs, rhs }: BinaryExpr): Span {
    const text = this.#query.slice(lhs.end, rhs.start);
    const start = lhs.end + (text.length - text.trimStart().length);
    return { start, end: Math.max(start, lhs.end + text.trimEnd().length) };
  }
}
