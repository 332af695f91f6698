/** A native histogram as Go prints it: the label that count_values gives it (prometheus float_histogram.go, String). */
import { listBuckets } from '../../model/float-histogram/bucket-bounds.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { printGeneral } from '../parse/go-float.ts';

/** `{count:3, sum:5, [-1,1]:1, (1,2]:2}`; empty buckets are left out. */
export function printHistogram(histogram: FloatHistogram): string {
  const { lower, upper, count, inclusive } = listBuckets(histogram, { negativeZero: true });
  const parts = [`count:${printGeneral(histogram.count)}`, `sum:${printGeneral(histogram.sum)}`];
  for (const [i, kind] of inclusive.entries()) {
    if (count[i] === 0) continue;
    const from = kind === 'lower' || kind === 'both' ? '[' : '(';
    const to = kind === 'upper' || kind === 'both' ? ']' : ')';
    const bounds = [lower[i], upper[i]].map((bound = NaN) => printGeneral(bound)).join(',');
    parts.push(`${from}${bounds}${to}:${printGeneral(count[i] as number)}`);
  }
  return `{${parts.join(', ')}}`;
}
