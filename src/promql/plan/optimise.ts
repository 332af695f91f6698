/** All optimisers, in their order. Each gives a plan with the same answers, the same errors and the same annotations. */
import type { CounterView } from '../funcs/counter-view.ts';
import { foldConstants } from './fold-constants.ts';
import { hintSelects } from './hint-selects.ts';
import { markStats } from './mark-stats.ts';
import { mapPlan, type QueryPlan } from './node.ts';
import { pushAggregates } from './push-aggregates.ts';
import { shareSelects } from './share-selects.ts';

/** The plan that is run. */
export function optimise({ root, selects }: QueryPlan, counterView: CounterView): QueryPlan {
  // Aggregations first: sharing and hints look at the scans as they are run.
  const pushed = markStats(mapPlan(root, (node) => pushAggregates(foldConstants(node))));
  return hintSelects(shareSelects({ root: pushed, selects }, counterView));
}
