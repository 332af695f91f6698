/** Native histograms as Prometheus writes them into labels. */
import { formatShortest } from './go-math.ts';
import { isCustom, negativeBuckets, positiveBuckets } from './histogram-buckets.ts';
import type { NaiveHistogram } from './histogram.ts';

/** `{count:…, sum:…, (lower,upper]:count, …}` from the lowest bucket to the highest, empty ones left out. */
export function describeHistogram(h: NaiveHistogram): string {
  const bounds = (lower: number, upper: number) => [lower, upper].map(formatShortest).join(',');
  const filled = ({ count }: { count: number }) => count !== 0;
  const parts = [`count:${formatShortest(h.count)}`, `sum:${formatShortest(h.sum)}`];
  for (const { lower, upper, count } of negativeBuckets(h).reverse().filter(filled)) {
    parts.push(`[${bounds(lower, upper)}):${formatShortest(count)}`);
  }
  if (h.zeroCount !== 0) {
    parts.push(`[${bounds(-h.zeroThreshold, h.zeroThreshold)}]:${formatShortest(h.zeroCount)}`);
  }
  for (const { lower, upper, count } of positiveBuckets(h).filter(filled)) {
    const open = isCustom(h) && lower === -Infinity ? '[' : '(';
    parts.push(`${open}${bounds(lower, upper)}]:${formatShortest(count)}`);
  }
  return `{${parts.join(', ')}}`;
}
