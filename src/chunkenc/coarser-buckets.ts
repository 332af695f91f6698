/** Joins the buckets of a histogram with a finer schema than ours (Prometheus model/histogram, reserved schemas). */
import { countBuckets } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';

/** The layout with its buckets joined to a coarser schema, and for each bucket before the number of its bucket after. */
export interface CoarserBuckets {
  readonly layout: HistogramLayout;
  /** Positive buckets first, then negative ones, as in the columns. */
  readonly target: Uint32Array;
}

/** Computes where buckets go; undefined when spans overlap, which makes them none. */
export function coarserBuckets(
  layout: HistogramLayout,
  schema: number,
): CoarserBuckets | undefined {
  // Neighbouring buckets in groups of 2^difference: bucket i ends at base^i.
  const group = 2 ** (layout.schema - schema);
  const target = new Uint32Array(layout.positiveCount + layout.negativeCount);
  const positive = joinSpans(layout.positiveSpans, group, target, 0);
  if (positive === undefined) return undefined;
  const positiveCount = countBuckets(positive);
  const negative = joinSpans(
    layout.negativeSpans,
    group,
    target.subarray(layout.positiveCount),
    positiveCount,
  );
  if (negative === undefined) return undefined;
  return {
    layout: {
      ...layout,
      schema,
      positiveSpans: positive,
      negativeSpans: negative,
      positiveCount,
      negativeCount: countBuckets(negative),
    },
    target,
  };
}

function joinSpans(
  spans: Int32Array,
  group: number,
  target: Uint32Array,
  first: number,
): Int32Array | undefined {
  const joined: number[] = [];
  let bucket = 0;
  let last: number | undefined;
  let count = 0;
  let at = 0;
  for (let s = 0; s < spans.length; s += 2) {
    const offset = spans[s] as number;
    if (s > 0 && offset < 0) return undefined;
    bucket += offset;
    for (let left = spans[s + 1] as number; left > 0; left--, bucket++) {
      const coarse = Math.floor((bucket - 1) / group) + 1;
      if (coarse !== last) {
        if (last !== undefined && coarse === last + 1) {
          joined[joined.length - 1] = (joined.at(-1) as number) + 1;
        } else joined.push(last === undefined ? coarse : coarse - last - 1, 1);
        last = coarse;
        count++;
      }
      target[at++] = first + count - 1;
    }
  }
  return Int32Array.from(joined);
}
