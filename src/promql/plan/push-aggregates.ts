/**
 * `sum by (a) (rate(x[5m]))` is computed where the samples are: the aggregation becomes part of the scan, which then
 * gives one state a step of each group instead of one value a step of each series.
 */
import { STATE_OPS } from '../funcs/group-states.ts';
import type { PlanNode } from './node.ts';

/** The node, or the scan that does its work too. */
export function pushAggregates(node: PlanNode): PlanNode {
  if (node.kind !== 'aggregate' || !STATE_OPS.has(node.op)) return node;
  const { expr: scan, op, labels, without } = node;
  if (scan.kind !== 'scan' || scan.aggregate !== undefined) return node;
  // Series that lose their names may become one, and the scan sees each alone.
  if (scan.func === 'timestamp' || scan.func === 'start_timestamp') return node;
  return { ...scan, aggregate: { op, labels, without, argSpan: scan.span }, span: node.span };
}
