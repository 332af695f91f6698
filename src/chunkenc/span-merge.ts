/** Which buckets two histograms have between them: how a chunk takes a sample with others than its own. */
import { countBuckets } from '../model/histogram.ts';

/** The buckets that one or the other has, in order. */
export interface SpanMerge {
  /** Their spans: as few as there can be. */
  readonly spans: Int32Array;
  readonly count: number;
  /** For each bucket of the first and of the second, its number among all. */
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  /** Whether the first, or the second, lacks one. */
  readonly firstLacks: boolean;
  readonly secondLacks: boolean;
}

/** Merges the buckets that two lists of spans describe. */
export function mergeSpans(a: Int32Array, b: Int32Array): SpanMerge {
  const left = bucketIndexes(a);
  const right = bucketIndexes(b);
  const first = new Uint32Array(left.length);
  const second = new Uint32Array(right.length);
  const all: number[] = [];
  for (let i = 0, j = 0; i < left.length || j < right.length;) {
    const x = i < left.length ? (left[i] as number) : Infinity;
    const y = j < right.length ? (right[j] as number) : Infinity;
    if (x <= y) first[i++] = all.length;
    if (y <= x) second[j++] = all.length;
    all.push(Math.min(x, y));
  }
  return {
    spans: spansOf(all),
    count: all.length,
    first,
    second,
    firstLacks: all.length > left.length,
    secondLacks: all.length > right.length,
  };
}

/** The index of each bucket. */
function bucketIndexes(spans: Int32Array): Float64Array {
  const indexes = new Float64Array(countBuckets(spans));
  let index = 0;
  let n = 0;
  for (let s = 0; s < spans.length; s += 2) {
    index += spans[s] as number;
    for (let left = spans[s + 1] as number; left > 0; left--) indexes[n++] = index++;
  }
  return indexes;
}

function spansOf(indexes: readonly number[]): Int32Array {
  const spans: number[] = [];
  let next = 0;
  for (const [i, index] of indexes.entries()) {
    if (i > 0 && index === next) spans[spans.length - 1] = (spans.at(-1) as number) + 1;
    else spans.push(index - next, 1);
    next = index + 1;
  }
  return Int32Array.from(spans);
}
