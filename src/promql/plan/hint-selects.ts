/**
 * Tells the storage what a select is for, as far as the scans that use it agree. Hints change no answer: whoever has the
 * series far away may use them to send less.
 */
import type { SelectHints } from '../../storage/storage.ts';
import type { AggregateOp } from '../parse/token.ts';
import { mapPlan, planChildren } from './node.ts';
import type { GroupBy, PlanNode, QueryPlan, ScanNode, SelectPlan } from './node.ts';

/** Aggregations that give series as they were, so that all their labels are seen. */
const KEEPS_SERIES: ReadonlySet<AggregateOp> = new Set([
  'topk',
  'bottomk',
  'limitk',
  'limit_ratio',
]);

/** An aggregation, whether it is part of a scan or not. */
type Grouping = Omit<GroupBy, 'argSpan'>;

/** The plan with hints in its selects. */
export function hintSelects({ root, selects }: QueryPlan): QueryPlan {
  const hints = new Map<number, SelectHints>();
  collect(root, undefined, hints);
  const hinted = selects.map((select): SelectPlan => {
    const known = hints.get(select.index);
    return known === undefined ? select : { ...select, hints: known };
  });
  const hintedRoot = mapPlan(root, (node) =>
    node.kind === 'scan' || node.kind === 'raw'
      ? { ...node, select: hinted[node.select.index] as SelectPlan }
      : node,
  );
  return { root: hintedRoot, selects: hinted };
}

/** `above` is the aggregation right above the node. */
function collect(
  node: PlanNode,
  above: Grouping | undefined,
  hints: Map<number, SelectHints>,
): void {
  if (node.kind === 'scan') {
    const { index } = node.select;
    const own = hintsOf(node, node.aggregate ?? above);
    const known = hints.get(index);
    hints.set(index, known === undefined ? own : common(known, own));
  }
  for (const child of planChildren(node)) {
    const isAggregated = node.kind === 'aggregate' && child === node.expr;
    collect(child, isAggregated ? node : undefined, hints);
  }
}

function hintsOf(scan: ScanNode, above: Grouping | undefined): SelectHints {
  const { func, rangeMs, refStepMs, grid } = scan;
  const seen = func === 'value' ? above?.op : func;
  const grouped = above === undefined || KEEPS_SERIES.has(above.op) ? undefined : above;
  const { labels = [], without = false } = grouped ?? {};
  return {
    ...(seen === undefined ? {} : { func: seen }),
    rangeMs,
    stepMs: grid.count > 1 ? refStepMs : 0,
    ...(grouped === undefined ? {} : { grouping: { labels, without } }),
  };
}

/** What two scans agree on. */
function common(a: SelectHints, b: SelectHints): SelectHints {
  const sameGrouping = JSON.stringify(a.grouping) === JSON.stringify(b.grouping);
  return {
    ...(a.func !== undefined && a.func === b.func ? { func: a.func } : {}),
    ...(a.rangeMs !== undefined && a.rangeMs === b.rangeMs ? { rangeMs: a.rangeMs } : {}),
    ...(a.stepMs !== undefined && a.stepMs === b.stepMs ? { stepMs: a.stepMs } : {}),
    ...(a.grouping !== undefined && sameGrouping ? { grouping: a.grouping } : {}),
  };
}
