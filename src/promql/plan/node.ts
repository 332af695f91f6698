/**
 * The logical plan: what is to be computed, with everything about time resolved. Each node knows the grid of steps
 * that it is evaluated on, so subqueries and step-invariant parts need no special care further down.
 */
import { unreachable } from '../../lib/assert.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SelectHints } from '../../storage/storage.ts';
import type { AggregateOp } from '../parse/token.ts';
import type { BinaryOp, Span, VectorMatching } from '../parse/ast.ts';

/** Evaluation times: start, start + step, …; ms. */
export interface Grid {
  readonly startMs: number;
  /** Where the times were asked to end: the last one may lie before it. */
  readonly endMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** Whether a grid is a single time. compat: a range whose step is longer than itself is none, though it has one, too. */
export function isInstant({ startMs, endMs }: Grid): boolean {
  return startMs === endMs;
}

/** One request to the storage, of one node or of several; both ends inclusive, ms. */
export interface SelectPlan {
  /** Place in {@link QueryPlan.selects}. */
  readonly index: number;
  readonly matchers: readonly Matcher[];
  readonly mint: number;
  readonly maxt: number;
  readonly hints?: SelectHints;
}

/** How far a range selector looks beyond its range. */
export type Extension = 'none' | 'anchored' | 'smoothed';

/** How far the windows of a range function reach before and after their ends, ms: extended ones look at neighbours, too. */
export function windowReach({
  rangeMs,
  lookbackMs,
  extension,
}: {
  readonly rangeMs: number;
  readonly lookbackMs: number;
  readonly extension: Extension;
}): { readonly before: number; readonly after: number } {
  return {
    before: rangeMs + (extension === 'none' ? 0 : lookbackMs),
    after: extension === 'smoothed' ? lookbackMs : 0,
  };
}

interface NodeBase {
  readonly grid: Grid;
  /** Where it stands in the query, for annotations. */
  readonly span: Span;
}

/** A constant. */
export interface NumberNode extends NodeBase {
  readonly kind: 'number';
  readonly value: number;
}

/** A string; only a whole query or an argument can be one. */
export interface StringNode extends NodeBase {
  readonly kind: 'string';
  readonly value: string;
}

/** What a scan or window groups by, when an aggregation was pushed into it. */
export interface GroupBy {
  readonly op: AggregateOp;
  readonly labels: readonly string[];
  readonly without: boolean;
  /** Where what is aggregated stands, for annotations. */
  readonly argSpan: Span;
}

/** The part of a scan that says what is computed of each series. */
export interface SeriesFunction {
  /** 'value' and 'timestamp' look at the last sample of each step, everything else is a range function. */
  readonly func: string;
  /** Scalar arguments. */
  readonly params: readonly PlanNode[];
  /** The evaluation time of the first step minus offset, or what `@` says; and from one step to the next. */
  readonly refStartMs: number;
  readonly refStepMs: number;
  readonly rangeMs: number;
  readonly extension: Extension;
  /** Whether series keep their metric names. */
  readonly keepName: boolean;
  /** Where the argument stands, for annotations. */
  readonly argSpan: Span;
}

/** Reads series from storage, and computes one value a step of each, or one a step of each group. */
export interface ScanNode extends NodeBase, SeriesFunction {
  readonly kind: 'scan';
  readonly select: SelectPlan;
  readonly lookbackMs: number;
  readonly aggregate: GroupBy | undefined;
  /** Whether of native histograms nothing but count and sum is looked at. */
  readonly statsOnly: boolean;
}

/** A range function over a subquery. */
export interface WindowNode extends NodeBase, SeriesFunction {
  readonly kind: 'window';
  readonly source: PlanNode;
}

/** The raw samples of a range selector. */
export interface RawNode extends NodeBase {
  readonly kind: 'raw';
  readonly select: SelectPlan;
  readonly endMs: number;
  readonly rangeMs: number;
  /** How far an extended range may look for samples at its bounds. */
  readonly lookbackMs: number;
  readonly extension: Extension;
}

/** A subquery that is a whole query: its inner expression as raw samples. */
export interface SubqueryNode extends NodeBase {
  readonly kind: 'subquery';
  readonly expr: PlanNode;
}

/** -expr. */
export interface NegateNode extends NodeBase {
  readonly kind: 'negate';
  readonly expr: PlanNode;
}

/** A binary operator; `matching` between two vectors. */
export interface BinaryNode extends NodeBase {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly lhs: PlanNode;
  readonly rhs: PlanNode;
  readonly matching: VectorMatching | undefined;
  readonly returnBool: boolean;
}

/** An aggregation that was not pushed into a scan. */
export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate';
  readonly op: AggregateOp;
  readonly expr: PlanNode;
  readonly param: PlanNode | undefined;
  readonly labels: readonly string[];
  readonly without: boolean;
}

/** A function of vectors and scalars. */
export interface CallNode extends NodeBase {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly PlanNode[];
}

/** absent() and absent_over_time(): 1 where the expression has no value. */
export interface AbsentNode extends NodeBase {
  readonly kind: 'absent';
  readonly expr: PlanNode;
  /** Labels that the matchers of the argument determine, as name, value, …. */
  readonly labels: readonly (readonly [string, string])[];
}

/** info(): series with the labels of the info series that describe them, which are found when those are known. */
export interface InfoNode extends NodeBase {
  readonly kind: 'info';
  readonly expr: PlanNode;
  /** The selector of info series and their labels, in the order of the text; undefined when it was left out. */
  readonly matchers: readonly Matcher[] | undefined;
  /** When info series are looked at, as in {@link SeriesFunction}. */
  readonly refStartMs: number;
  readonly refStepMs: number;
  readonly lookbackMs: number;
}

/** Computes its expression at one step and repeats it for all. */
export interface InvariantNode extends NodeBase {
  readonly kind: 'invariant';
  readonly expr: PlanNode;
}

/** Any node. */
export type PlanNode =
  | NumberNode
  | StringNode
  | ScanNode
  | WindowNode
  | RawNode
  | SubqueryNode
  | NegateNode
  | BinaryNode
  | AggregateNode
  | CallNode
  | AbsentNode
  | InfoNode
  | InvariantNode;

/** A planned query. */
export interface QueryPlan {
  readonly root: PlanNode;
  readonly selects: readonly SelectPlan[];
}

/** The same plan with every node's children replaced first, then the node itself. */
export function mapPlan(node: PlanNode, change: (node: PlanNode) => PlanNode): PlanNode {
  return change(mapChildren(node, (child) => mapPlan(child, change)));
}

/** The nodes that a node computes its value from, in the order of the text. */
export function planChildren(node: PlanNode): PlanNode[] {
  const found: PlanNode[] = [];
  mapChildren(node, (child) => {
    found.push(child);
    return child;
  });
  return found;
}

/** The same node with other children. */
export function mapChildren(node: PlanNode, map: (child: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'raw':
      return node;
    case 'scan':
      return { ...node, params: node.params.map(map) };
    case 'window':
      return { ...node, params: node.params.map(map), source: map(node.source) };
    case 'subquery':
    case 'negate':
    case 'absent':
    case 'info':
    case 'invariant':
      return { ...node, expr: map(node.expr) };
    case 'binary':
      return { ...node, lhs: map(node.lhs), rhs: map(node.rhs) };
    case 'aggregate': {
      const param = node.param === undefined ? undefined : map(node.param);
      return { ...node, param, expr: map(node.expr) };
    }
    case 'call':
      return { ...node, args: node.args.map(map) };
    default:
      return unreachable(node);
  }
}
