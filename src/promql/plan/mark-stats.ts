/**
 * `histogram_count(rate(x[5m]))` looks at the counts and sums of native histograms only: their buckets are left out of all
 * sums on the way. Not so where something needs the buckets: quantiles, operators that trim, and subqueries, between whose
 * steps resets would be missed (prometheus promql/engine.go, detectHistogramStatsDecoding).
 */
import { mapChildren, type PlanNode } from './node.ts';

const STATS: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg']);
const WHOLE: ReadonlySet<string> = new Set([
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
]);

/** The plan with its scans marked. */
export function markStats(root: PlanNode): PlanNode {
  return mark(root, false);
}

function mark(node: PlanNode, inside: boolean): PlanNode {
  if (needsWhole(node)) return node;
  const below = inside || (node.kind === 'call' && STATS.has(node.func));
  const marked = mapChildren(node, (child) => mark(child, below));
  return marked.kind === 'scan' ? { ...marked, statsOnly: inside } : marked;
}

function needsWhole(node: PlanNode): boolean {
  if (node.kind === 'call') return WHOLE.has(node.func);
  if (node.kind === 'binary') return node.op === '</' || node.op === '>/';
  return node.kind === 'window' || node.kind === 'subquery';
}
