/**
 * Plans as text, for people: a line a node, its operands below it and indented by two blanks. Behind the tree, a line a
 * select with its time range (ms, both ends inclusive) and its hints.
 *
 *   [binary] /
 *     [scan] value {__name__="x"}, select 0
 *     [scan] rate {__name__="x"}[5m], sum by (job), select 1
 *   select 0 {__name__="x"} 700001 to 1000000, step 0s
 *   select 1 {__name__="x"} 700001 to 1000000, func rate, range 5m, step 0s, by (job)
 *
 * What `[scan]` says, in this order: what is computed of each series (`value` is an instant selector), the selector, `@` in
 * seconds or an offset, the aggregation that is part of the scan, whether buckets of histograms are left out, the select.
 */
import { formatDuration } from '../../lib/duration.ts';
import { unreachable } from '../../lib/assert.ts';
import type { Matcher } from '../../model/matcher.ts';
import { printFloat } from '../parse/go-float.ts';
import { quote } from '../parse/quote.ts';
import { planChildren } from './node.ts';
import type { BinaryNode, GroupBy, Grid, PlanNode, QueryPlan, SelectPlan } from './node.ts';
import type { RawNode, ScanNode } from './node.ts';

/** A plan without what only the evaluation needs. */
export interface PlanTree {
  /** One line about the node, as {@link describeNode} gives it. */
  readonly name: string;
  readonly children: readonly PlanTree[];
}

/** The whole plan, selects included. */
export function printPlan({ root, selects }: QueryPlan): string {
  return [...lines(root, ''), ...selects.map(selectLine)].join('\n');
}

/** The nodes as plain data. */
export function planTree(root: PlanNode): PlanTree {
  return { name: describeNode(root), children: planChildren(root).map(planTree) };
}

/** One line about a node, without its operands. */
export function describeNode(node: PlanNode): string {
  const details = detailsOf(node);
  return details === '' ? `[${node.kind}]` : `[${node.kind}] ${details}`;
}

function lines(node: PlanNode, indent: string): string[] {
  const below = planChildren(node).flatMap((child) => lines(child, `${indent}  `));
  return [indent + describeNode(node), ...below];
}

function detailsOf(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
      return printFloat(node.value);
    case 'string':
      return quote(node.value);
    case 'scan':
      return scanDetails(node);
    case 'raw':
      return rawDetails(node);
    case 'window':
      return `${node.func} ${formatDuration(node.rangeMs)}`;
    case 'subquery':
      return gridText(node.expr.grid);
    case 'binary':
      return binaryDetails(node);
    case 'aggregate':
      return groupText(node);
    case 'call':
      return node.func;
    case 'info':
      return matchersText(node.matchers ?? []);
    case 'negate':
    case 'absent':
    case 'invariant':
      return '';
    default:
      return unreachable(node);
  }
}

function scanDetails(node: ScanNode): string {
  const { func, select, rangeMs, extension, aggregate, statsOnly } = node;
  const range = rangeMs === 0 ? '' : `[${formatDuration(rangeMs)}]`;
  const extended = extension === 'none' ? '' : ` ${extension}`;
  const parts = [`${func} ${matchersText(select.matchers)}${range}${extended}${whenText(node)}`];
  if (aggregate !== undefined) parts.push(groupText(aggregate));
  if (statsOnly) parts.push('without buckets');
  return [...parts, `select ${select.index}`].join(', ');
}

function rawDetails({ select, rangeMs, extension, endMs }: RawNode): string {
  const extended = extension === 'none' ? '' : ` ${extension}`;
  const selector = `${matchersText(select.matchers)}[${formatDuration(rangeMs)}]${extended}`;
  return `${selector} @ ${seconds(endMs)}, select ${select.index}`;
}

/** What `@` and `offset` make of the times of a scan. */
function whenText({ refStartMs, refStepMs, grid }: ScanNode): string {
  if (refStepMs === 0) return ` @ ${seconds(refStartMs)}`;
  const offset = grid.startMs - refStartMs;
  if (offset === 0) return '';
  return ` offset ${formatDuration(offset)}`;
}

function gridText({ startMs, stepMs, count }: Grid): string {
  return `${count} steps of ${formatDuration(stepMs)} from ${seconds(startMs)}`;
}

function binaryDetails({ op, matching, returnBool }: BinaryNode): string {
  const parts = [returnBool ? `${op} bool` : op];
  if (matching !== undefined) {
    const { card, labels, on, include, fillLeft, fillRight } = matching;
    if (on || labels.length > 0) parts.push(`${on ? 'on' : 'ignoring'} (${labels.join(', ')})`);
    if (card === 'many-to-one') parts.push(`group_left (${include.join(', ')})`);
    if (card === 'one-to-many') parts.push(`group_right (${include.join(', ')})`);
    if (fillLeft !== undefined) parts.push(`fill_left (${printFloat(fillLeft)})`);
    if (fillRight !== undefined) parts.push(`fill_right (${printFloat(fillRight)})`);
  }
  return parts.join(' ');
}

function groupText({ op, labels, without }: Omit<GroupBy, 'argSpan'>): string {
  const grouping = groupingText({ labels, without });
  return grouping === '' ? op : `${op} ${grouping}`;
}

function groupingText({ labels, without }: Pick<GroupBy, 'labels' | 'without'>): string {
  if (without) return `without (${labels.join(', ')})`;
  return labels.length === 0 ? '' : `by (${labels.join(', ')})`;
}

function matchersText(matchers: readonly Matcher[]): string {
  return `{${matchers.map(({ name, type, value }) => `${name}${type}${quote(value)}`).join(',')}}`;
}

function selectLine({ index, matchers, mint, maxt, hints = {} }: SelectPlan): string {
  const { func, rangeMs, stepMs, grouping } = hints;
  const parts = [`select ${index} ${matchersText(matchers)} ${mint} to ${maxt}`];
  if (func !== undefined) parts.push(`func ${func}`);
  if (rangeMs !== undefined && rangeMs > 0) parts.push(`range ${formatDuration(rangeMs)}`);
  if (stepMs !== undefined) parts.push(`step ${formatDuration(stepMs)}`);
  if (grouping !== undefined) parts.push(groupingText(grouping) || 'by ()');
  return parts.join(', ');
}

function seconds(ms: number): string {
  return String(ms / 1000);
}
