/**
 * Syntax tree to plan. Durations, `@` and `offset` become absolute times here; each selector gets the smallest time
 * range that its grid needs. Ranges are left-open, as in Prometheus 3: a sample exactly `range` (or the lookback
 * delta) before the evaluation time is not seen.
 */
import { unreachable } from '../../lib/assert.ts';
import { CodedError } from '../../lib/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { WINDOW_FUNCTIONS } from '../funcs/window-functions.ts';
import {
  children,
  unwrapParens,
  type CallExpr,
  type DurationOperand,
  type Expr,
  type MatrixSelector,
  type SubqueryExpr,
  type TimeModifiers,
  type VectorSelector,
} from '../parse/ast.ts';
import { isInvariant } from './invariant.ts';
import { isInstant, windowReach } from './node.ts';
import type { Extension, Grid, PlanNode, QueryPlan, SelectPlan, SubqueryNode } from './node.ts';
import { resolveDuration, type DurationContext } from './resolve-duration.ts';

/** What a plan depends on besides the expression. */
export interface PlanContext {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number;
  /** The step of subqueries that name none, by their range. */
  readonly subqueryStepMs: (rangeMs: number) => number;
}

const ANCHORED_SAFE = ['changes', 'delta', 'increase', 'rate', 'resets'];
const SMOOTHED_SAFE = ['delta', 'increase', 'rate'];

/** Parts of the query that calls without arguments stand for. */
const QUERY_CONSTANTS: ReadonlySet<string> = new Set(['start', 'end', 'range', 'step', 'pi']);

/**
 * Plans a query as it is written: optimise.ts makes it cheaper.
 * @throws CodedError when a duration or a use of a modifier is impossible, or not_implemented.
 */
export function buildPlan(expr: Expr, context: PlanContext): QueryPlan {
  const { startMs, endMs, stepMs } = context;
  const count = stepMs === 0 ? 1 : Math.floor((endMs - startMs) / stepMs) + 1;
  const builder = new Builder(context);
  const root = builder.build(expr, { startMs, endMs, stepMs: stepMs === 0 ? 1 : stepMs, count });
  return { root, selects: builder.selects };
}

class Builder {
  readonly selects: SelectPlan[] = [];
  readonly #context: PlanContext;
  readonly #durations: DurationContext;

  constructor(context: PlanContext) {
    this.#context = context;
    const { startMs, endMs, stepMs } = context;
    this.#durations = { stepSeconds: stepMs / 1000, rangeSeconds: (endMs - startMs) / 1000 };
  }

  build(outer: Expr, grid: Grid): PlanNode {
    const expr = unwrapParens(outer);
    const span = { start: expr.start, end: expr.end };
    if (!isInstant(grid) && expr.kind !== 'number' && expr.kind !== 'string' && isInvariant(expr)) {
      const once = this.build(expr, { ...grid, endMs: grid.startMs, count: 1 });
      return { kind: 'invariant', expr: once, grid, span };
    }
    switch (expr.kind) {
      case 'number':
        return { kind: 'number', value: expr.value, grid, span };
      case 'string':
        return { kind: 'string', value: expr.value, grid, span };
      case 'paren':
        return this.build(expr.expr, grid);
      case 'unary': {
        const inner = this.build(expr.expr, grid);
        return expr.op === '+' ? inner : { kind: 'negate', expr: inner, grid, span };
      }
      case 'binary': {
        const { op, matching, returnBool } = expr;
        const lhs = this.build(expr.lhs, grid);
        const rhs = this.build(expr.rhs, grid);
        return { kind: 'binary', op, lhs, rhs, matching, returnBool, grid, span };
      }
      case 'aggregate': {
        const { op, grouping: labels, without } = expr;
        const param = expr.param === undefined ? undefined : this.build(expr.param, grid);
        const inner = this.build(expr.expr, grid);
        return { kind: 'aggregate', op, expr: inner, param, labels, without, grid, span };
      }
      case 'selector':
        return this.#instant(expr, 'value', grid);
      case 'matrix':
        return this.#raw(expr, grid);
      case 'subquery':
        return this.#subquery(expr, grid);
      case 'call':
        return this.#call(expr, grid);
      default:
        return unreachable(expr);
    }
  }

  #call(call: CallExpr, grid: Grid): PlanNode {
    const { name } = call.func;
    const span = { start: call.start, end: call.end };
    if (QUERY_CONSTANTS.has(name)) {
      return { kind: 'number', value: this.#queryConstant(name), grid, span };
    }
    const args = call.args.map(unwrapParens);
    const [first] = args;
    if (name === 'absent' && first !== undefined) {
      return { kind: 'absent', expr: this.build(first, grid), labels: pinned(first), grid, span };
    }
    if (name === 'info' && first !== undefined) return this.#info(call, first, args[1], grid);
    const at = args.findIndex((arg) => arg.kind === 'matrix' || arg.kind === 'subquery');
    if (at >= 0) return this.#rangeCall(call, args, at, grid);
    if ((name === 'timestamp' || name === 'start_timestamp') && first?.kind === 'selector') {
      return this.#instant(first, name, grid);
    }
    return { kind: 'call', func: name, args: args.map((a) => this.build(a, grid)), grid, span };
  }

  #queryConstant(name: string): number {
    const { startMs, endMs, stepMs } = this.#context;
    if (name === 'pi') return Math.PI;
    if (name === 'start') return startMs / 1000;
    if (name === 'end') return endMs / 1000;
    if (name === 'range') return (endMs - startMs) / 1000;
    return startMs === endMs ? 0 : stepMs / 1000;
  }

  /** Info series are looked at when the first selector of the expression is: at its time, shifted by its offsets. */
  #info(call: CallExpr, expr: Expr, selector: Expr | undefined, grid: Grid): PlanNode {
    let fixed: number | undefined;
    let offset = 0;
    for (const modifiers of firstSelector(expr)?.toReversed() ?? []) {
      if (fixed !== undefined) break;
      offset += this.#offset(modifiers);
      fixed = this.#fixedTime(modifiers);
    }
    return {
      kind: 'info',
      expr: this.build(expr, grid),
      matchers: selector?.kind === 'selector' ? selector.matchers : undefined,
      refStartMs: (fixed ?? grid.startMs) - offset,
      refStepMs: fixed === undefined ? grid.stepMs : 0,
      lookbackMs: this.#context.lookbackMs,
      grid,
      span: { start: call.start, end: call.end },
    };
  }

  #rangeCall(call: CallExpr, args: readonly Expr[], at: number, grid: Grid): PlanNode {
    const { name } = call.func;
    const span = { start: call.start, end: call.end };
    const source = args[at] as MatrixSelector | SubqueryExpr;
    const absent = name === 'absent_over_time';
    const func = absent ? 'present_over_time' : name;
    if (!WINDOW_FUNCTIONS.has(func)) throw notImplemented(`function "${name}"`);
    const params = args.filter((_, i) => i !== at).map((arg) => this.build(arg, grid));
    const keepName = absent || name === 'last_over_time' || name === 'first_over_time';
    // compat: what is said of a subquery has the position of the query's beginning.
    const argSpan =
      source.kind === 'subquery' ? { start: 0, end: 0 } : { start: source.start, end: source.end };
    const modifiers = source.kind === 'matrix' ? source.selector : source;
    const fixed = this.#fixedTime(modifiers);
    const offset = this.#offset(modifiers);
    const shared = {
      func,
      params,
      keepName,
      argSpan,
      refStartMs: (fixed ?? grid.startMs) - offset,
      refStepMs: fixed === undefined ? grid.stepMs : 0,
      grid,
      span,
    };
    const node =
      source.kind === 'matrix'
        ? this.#scanRange(source, shared, name)
        : this.#windowOf(source, shared);
    if (!absent) return node;
    const grouped: PlanNode = {
      kind: 'aggregate',
      op: 'group',
      expr: node,
      param: undefined,
      labels: [],
      without: false,
      grid,
      span,
    };
    return { kind: 'absent', expr: grouped, labels: pinned(source), grid, span };
  }

  #scanRange(
    { selector, ...matrix }: MatrixSelector,
    shared: Omit<
      Extract<PlanNode, { kind: 'scan' }>,
      'kind' | 'select' | 'rangeMs' | 'extension' | 'lookbackMs' | 'aggregate' | 'statsOnly'
    >,
    name: string,
  ): PlanNode {
    const extension = extensionOf(selector);
    const safe = extension === 'anchored' ? ANCHORED_SAFE : SMOOTHED_SAFE;
    if (extension !== 'none' && !safe.includes(name)) {
      const names = safe.join(', ');
      throw new CodedError(
        'execution',
        `${extension} modifier can only be used with: ${names} - not with ${name}`,
      );
    }
    const { lookbackMs } = this.#context;
    const rangeMs = this.#duration(matrix.rangeMs, matrix.rangeExpr, false);
    const { before, after } = windowReach({ rangeMs, lookbackMs, extension });
    const select = this.#select(selector.matchers, shared, before, after);
    return {
      kind: 'scan',
      select,
      rangeMs,
      extension,
      lookbackMs,
      aggregate: undefined,
      statsOnly: false,
      ...shared,
    };
  }

  #windowOf(
    subquery: SubqueryExpr,
    shared: Omit<
      Extract<PlanNode, { kind: 'window' }>,
      'kind' | 'source' | 'rangeMs' | 'extension'
    >,
  ): PlanNode {
    const { expr, rangeMs } = this.#subquery(subquery, shared.grid);
    return { kind: 'window', source: expr, rangeMs, extension: 'none', ...shared };
  }

  /** The time that `@` fixes, ms. */
  #fixedTime({ timestamp, startOrEnd }: TimeModifiers): number | undefined {
    if (startOrEnd === 'start') return this.#context.startMs;
    return startOrEnd === 'end' ? this.#context.endMs : timestamp;
  }

  #offset({ offsetMs, offsetExpr }: TimeModifiers): number {
    return this.#duration(offsetMs, offsetExpr, true);
  }

  #duration(ms: number, expr: DurationOperand | undefined, allowNegative: boolean): number {
    return expr === undefined ? ms : resolveDuration(expr, this.#durations, allowNegative);
  }

  /** Requests the samples that windows of this width need on this grid. */
  #select(
    matchers: readonly Matcher[],
    { refStartMs, refStepMs, grid }: { refStartMs: number; refStepMs: number; grid: Grid },
    before: number,
    after: number,
  ): SelectPlan {
    const select = {
      index: this.selects.length,
      matchers,
      mint: refStartMs - before + 1,
      maxt: refStartMs + refStepMs * (grid.count - 1) + after,
    };
    this.selects.push(select);
    return select;
  }

  #instant(
    selector: VectorSelector,
    func: 'value' | 'timestamp' | 'start_timestamp',
    grid: Grid,
  ): PlanNode {
    const { lookbackMs } = this.#context;
    // compat: timestamp() of a smoothed selector looks at the samples as they are.
    const smoothed = selector.smoothed && func === 'value';
    const after = smoothed ? lookbackMs : 0;
    const fixed = this.#fixedTime(selector);
    const refStartMs = (fixed ?? grid.startMs) - this.#offset(selector);
    const refStepMs = fixed === undefined ? grid.stepMs : 0;
    const span = { start: selector.start, end: selector.end };
    // compat: with `@`, timestamp() forgets the offset, but sees only samples that were fetched for it.
    const forgetsOffset = func !== 'value' && fixed !== undefined;
    return {
      kind: 'scan',
      func,
      params: [],
      select: this.#select(selector.matchers, { refStartMs, refStepMs, grid }, lookbackMs, after),
      refStartMs: forgetsOffset ? fixed : refStartMs,
      refStepMs,
      rangeMs: 0,
      extension: smoothed ? 'smoothed' : 'none',
      lookbackMs,
      aggregate: undefined,
      statsOnly: false,
      keepName: func === 'value',
      argSpan: span,
      grid,
      span,
    };
  }

  #raw({ selector, ...matrix }: MatrixSelector, grid: Grid): PlanNode {
    const extension = extensionOf(selector);
    const endMs = (this.#fixedTime(selector) ?? grid.startMs) - this.#offset(selector);
    const rangeMs = this.#duration(matrix.rangeMs, matrix.rangeExpr, false);
    const once = { refStartMs: endMs, refStepMs: 0, grid };
    const lookbackMs = extension === 'none' ? 0 : this.#context.lookbackMs;
    const after = extension === 'smoothed' ? lookbackMs : 0;
    const select = this.#select(selector.matchers, once, rangeMs + lookbackMs, after);
    const span = { start: matrix.start, end: matrix.end };
    return { kind: 'raw', select, endMs, rangeMs, lookbackMs, extension, grid, span };
  }

  /** The inner expression on the subquery's own grid, which is aligned to multiples of its step. */
  #subquery(subquery: SubqueryExpr, grid: Grid): SubqueryNode & { rangeMs: number } {
    const rangeMs = this.#duration(subquery.rangeMs, subquery.rangeExpr, false);
    const named = this.#duration(subquery.stepMs, subquery.stepExpr, false);
    const stepMs = named === 0 ? this.#context.subqueryStepMs(rangeMs) : named;
    const fixed = this.#fixedTime(subquery);
    const offset = this.#offset(subquery);
    const first = (fixed ?? grid.startMs) - offset;
    const endMs = first + grid.stepMs * (grid.count - 1);
    const last = fixed === undefined ? endMs : first;
    let startMs = stepMs * Math.trunc((first - rangeMs) / stepMs);
    if (startMs <= first - rangeMs) startMs += stepMs;
    const count = Math.max(0, Math.floor((last - startMs) / stepMs) + 1);
    const inner = { startMs, endMs, stepMs, count };
    const span = { start: subquery.start, end: subquery.end };
    const expr = this.build(subquery.expr, inner);
    return { kind: 'subquery', expr, rangeMs, grid, span };
  }
}

/** The modifiers of the subqueries around the first selector of an expression, and last its own; undefined without one. */
function firstSelector(expr: Expr): TimeModifiers[] | undefined {
  if (expr.kind === 'selector') return [expr];
  for (const child of children(expr)) {
    const found = firstSelector(child);
    if (found !== undefined) return expr.kind === 'subquery' ? [expr, ...found] : found;
  }
  return undefined;
}

function extensionOf({ anchored, smoothed }: VectorSelector): Extension {
  if (anchored) return 'anchored';
  return smoothed ? 'smoothed' : 'none';
}

function notImplemented(what: string): CodedError {
  return new CodedError('not_implemented', `${what} is not implemented yet`);
}

/** Labels that equality matchers pin to one value; a label that is matched twice is not pinned. */
function pinned(expr: Expr): (readonly [string, string])[] {
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'selector') return [];
  const values = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, type, value } of selector.matchers) {
    if (name === METRIC_NAME) continue;
    if (type === '=' && !seen.has(name)) {
      values.set(name, value);
      seen.add(name);
    } else values.delete(name);
  }
  return [...values];
}
