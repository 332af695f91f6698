/** Compares native histograms: what makes a duplicate of a sample an identical one. */
import { equalBits, equalLayouts } from './histogram.ts';
import type { HistogramColumns, HistogramLayout } from './histogram.ts';
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
  const other = b.layoutAt(j);
  if (!equalLayouts(layout, other)) {
    if (!equalBounds(layout, other)) return false;
    return equalBits(fullBuckets(a, i), fullBuckets(b, j));
  }
  const from = a.start[i] as number;
  const to = b.start[j] as number;
  for (let k = 0; k < layout.positiveCount + layout.negativeCount; k++) {
    if (!Object.is(a.buckets[from + k], b.buckets[to + k])) return false;
  }
  return true;
}

function equalBounds(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    equalBits(a.customValues, b.customValues)
  );
}

/** Index and count of each bucket that is not empty, positive ones first; the sides are apart by a NaN. */
function fullBuckets(columns: HistogramColumns, i: number): Float64Array {
  const { positiveSpans, negativeSpans } = columns.layoutAt(i);
  const out: number[] = [];
  let at = columns.start[i] as number;
  for (const spans of [positiveSpans, negativeSpans]) {
    let index = 0;
    for (let k = 0; k < spans.length; k += 2) {
      index += spans[k] as number;
      for (let left = spans[k + 1] as number; left > 0; left--) {
        const count = columns.buckets[at++] as number;
        if (count !== 0) out.push(index, count);
        index++;
      }
    }
    out.push(Number.NaN);
  }
  return Float64Array.from(out);
}
