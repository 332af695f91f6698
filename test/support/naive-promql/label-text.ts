/** Label sets as Prometheus writes them into error texts. */
import type { Labels } from '../../../src/model/labels.ts';
import { quote } from '../../../src/promql/parse/quote.ts';

/** `{a="b", c="d"}`, the metric's name among them. */
export function quoteLabels(labels: Labels): string {
  const pairs = [...labels].map(([name, value]) => {
    return `${/^[a-zA-Z_]\w*$/.test(name) ? name : quote(name)}=${quote(value)}`;
  });
  return `{${pairs.join(', ')}}`;
}
