/** Native histograms with custom buckets as classic ones. Behaviour: prometheus web/federate.go. */
import type { HistogramColumns } from '../model/histogram.ts';

/** Upper bounds and how many observations are at or below each, in turn; without +Inf, which is the count. */
export function cumulativeBuckets(histograms: HistogramColumns, row: number): [number, number][] {
  const { customValues, positiveSpans } = histograms.layoutAt(row);
  const counts = new Float64Array(customValues.length);
  let at = histograms.start[row] as number;
  let index = 0;
  for (let s = 0; s < positiveSpans.length; s += 2) {
    index += positiveSpans[s] as number;
    for (let k = positiveSpans[s + 1] as number; k > 0; k--) {
      // The bucket behind the last bound is that of +Inf.
      if (index < counts.length) counts[index] = histograms.buckets[at] as number;
      at++;
      index++;
    }
  }
  let sum = 0;
  return Array.from(customValues, (bound, i) => [bound, (sum += counts[i] as number)]);
}
