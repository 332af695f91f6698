/** Compares native histograms: what makes a duplicate of a sample an identical one. */
import { compact, histogramAt, sameHistograms } from './float-histogram/float-histogram.ts';
import { equalLayouts } from './histogram.ts';
import type { HistogramColumns } from './histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from './value.ts';

/**
 * Whether two histograms say the same: both are stale markers, or they have the same counts, bits of their sums, and
 * buckets but for empty ones. Hints and times are not compared.
 *
 * compat: Prometheus compares empty buckets, too (model/histogram Equals). A chunk may give a sample empty buckets that its
 * neighbours have, and keeps nothing of a stale marker but that it is one: so would a sample that was read back differ
 * from what was sent.
 */
export function equalHistograms(
  a: HistogramColumns,
  i: number,
  b: HistogramColumns,
  j: number,
): boolean {
  const left = new Uint32Array(a.sum.buffer, a.sum.byteOffset + i * 8, 2);
  const right = new Uint32Array(b.sum.buffer, b.sum.byteOffset + j * 8, 2);
  if (a.isFloat[i] !== b.isFloat[j]) return false;
  if (left[0] !== right[0] || left[1] !== right[1]) return false;
  if (left[0] === STALE_NAN_LO && left[1] === STALE_NAN_HI) return true;
  if (!Object.is(a.count[i], b.count[j]) || !Object.is(a.zeroCount[i], b.zeroCount[j]))
    return false;
  const layout = a.layoutAt(i);
  if (!equalLayouts(layout, b.layoutAt(j)))
    return sameHistograms(compact(histogramAt(a, i)), compact(histogramAt(b, j)));
  const from = a.start[i] as number;
  const to = b.start[j] as number;
  for (let k = 0; k < layout.positiveCount + layout.negativeCount; k++) {
    if (!Object.is(a.buckets[from + k], b.buckets[to + k])) return false;
  }
  return true;
}
