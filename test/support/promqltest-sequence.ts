/** Sequences of histograms of Prometheus' test language: each is the one before, more or less a difference. */
import {
  isCustom,
  type BucketSide,
  type FloatHistogram,
} from '../../src/model/float-histogram/float-histogram.ts';
import { RESET_HINT, equalBits } from '../../src/model/histogram.ts';

/** A histogram with another one added so many times (sign 1) or taken away (-1). @throws Error when they do not fit. */
export function addHistogram(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): FloatHistogram {
  if (isCustom(a) !== isCustom(b) || a.schema > b.schema) {
    throw new Error(`cannot merge from schema ${b.schema} to ${a.schema}`);
  }
  // Prometheus would bring these into line; no script needs it.
  if (a.zeroThreshold !== b.zeroThreshold) throw new Error('zero thresholds differ');
  if (!equalBits(a.customValues, b.customValues)) throw new Error('custom values differ');
  const shift = b.schema - a.schema;
  return {
    ...a,
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    hint: joinHints(a.hint, b.hint),
    positive: addSide(a.positive, { side: b.positive, shift, sign }),
    negative: addSide(a.negative, { side: b.negative, shift, sign }),
  };
}

function addSide(
  a: BucketSide,
  b: { readonly side: BucketSide; readonly shift: number; readonly sign: number },
): BucketSide {
  const counts = new Map(Array.from(a.index, (at, i) => [at, a.count[i] as number] as const));
  for (const [i, fine] of b.side.index.entries()) {
    // A bucket ends at a bound that is its own: index 0 ends at 1 in every schema.
    const at = ((fine - 1) >> b.shift) + 1;
    counts.set(at, (counts.get(at) ?? 0) + b.sign * (b.side.count[i] as number));
  }
  const sorted = [...counts].sort(([x], [y]) => x - y);
  return {
    index: Int32Array.from(sorted, ([at]) => at),
    count: Float64Array.from(sorted, ([, count]) => count),
  };
}

/** What is known of the sum: a gauge if either is one; a counter's hint only if both have it. */
function joinHints(a: number, b: number): number {
  if (a === b) return a;
  return a === RESET_HINT.gauge || b === RESET_HINT.gauge ? RESET_HINT.gauge : RESET_HINT.unknown;
}
