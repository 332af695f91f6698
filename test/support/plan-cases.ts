/** Plans of queries over a fixed hour, for tests of optimisers. */
import { ALL_FEATURES } from '../../src/promql/parse/options.ts';
import { parseExpr } from '../../src/promql/parse/parse.ts';
import { buildPlan } from '../../src/promql/plan/build.ts';
import { mapPlan, type PlanNode, type QueryPlan } from '../../src/promql/plan/node.ts';

const HOUR_MS = 3_600_000;

/** The plan of a range query from 3 h to 4 h after the epoch, a step a minute, as it is written. */
export function rangePlan(text: string): QueryPlan {
  return planOf(text, { startMs: 3 * HOUR_MS, endMs: 4 * HOUR_MS, stepMs: 60_000 });
}

/** The plan of an instant query 3 h after the epoch, as it is written. */
export function instantPlan(text: string): QueryPlan {
  return planOf(text, { startMs: 3 * HOUR_MS, endMs: 3 * HOUR_MS, stepMs: 0 });
}

/** The plan with each node changed by an optimiser, from the leaves up. */
export function changed({ root, selects }: QueryPlan, change: (node: PlanNode) => PlanNode) {
  return { root: mapPlan(root, change), selects };
}

function planOf(
  text: string,
  times: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
): QueryPlan {
  const context = { ...times, lookbackMs: 300_000, subqueryStepMs: () => 60_000 };
  return buildPlan(parseExpr(text, ALL_FEATURES), context);
}
