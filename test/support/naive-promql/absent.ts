/** absent() and absent_over_time(). */
import { EMPTY_LABELS, Labels, METRIC_NAME } from '../../../src/model/labels.ts';
import { unwrapParens, type Expr } from '../../../src/promql/parse/ast.ts';

/** The labels of what is absent: those that a selector asks for with `=`, once each. */
export function absentLabels(arg: Expr): Labels {
  const expr = unwrapParens(arg);
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'selector') return EMPTY_LABELS;
  const labels = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, type, value } of selector.matchers) {
    if (name === METRIC_NAME) continue;
    if (type === '=' && !seen.has(name)) {
      labels.set(name, value);
      seen.add(name);
    } else labels.delete(name);
  }
  return Labels.fromPairs(labels);
}
