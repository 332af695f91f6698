/** Compares native histograms bit by bit. */
import { equalLayouts } from './histogram.ts';
import type { HistogramColumns } from './histogram.ts';

/** Whether two histograms have the same buckets, counts and bits of their sums; hints and times are not compared. */
export function equalHistograms(
  a: HistogramColumns,
  i: number,
  b: HistogramColumns,
  j: number,
): boolean {
  const layout = a.layoutAt(i);
  const other = b.layoutAt(j);
  if (a.isFloat[i] !== b.isFloat[j] || !equalLayouts(layout, other)) return false;
  if (!Object.is(a.count[i], b.count[j]) || !Object.is(a.zeroCount[i], b.zeroCount[j]))
    return false;
  const left = new Uint32Array(a.sum.buffer, i * 8, 2);
  const right = new Uint32Array(b.sum.buffer, j * 8, 2);
  if (left[0] !== right[0] || left[1] !== right[1]) return false;
  const from = a.start[i] as number;
  const to = b.start[j] as number;
  for (let k = 0; k < layout.positiveCount + layout.negativeCount; k++) {
    if (!Object.is(a.buckets[from + k], b.buckets[to + k])) return false;
  }
  return true;
}
