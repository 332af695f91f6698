/** Native histograms between the naive evaluator's Maps and the columns that storages and the engine move. */
import {
  HistogramColumns,
  RESET_HINT,
  type HistogramLayout,
} from '../../../src/model/histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../../src/model/value.ts';
import { ascending, type Buckets } from './histogram-buckets.ts';
import type { Hint, NaiveHistogram } from './histogram.ts';
import type { Point } from './sample.ts';

const HINTS: readonly (readonly [Hint, number])[] = [
  ['unknown', RESET_HINT.unknown],
  ['reset', RESET_HINT.reset],
  ['not-reset', RESET_HINT.notReset],
  ['gauge', RESET_HINT.gauge],
];

/** A hint by its number. */
export function hintOf(number: number): Hint {
  return HINTS.find(([, hint]) => hint === number)?.[0] ?? 'unknown';
}

/** One span a bucket: touching spans are allowed, and nothing is easier. */
function spansOf(buckets: Buckets): Int32Array {
  let next = 0;
  return Int32Array.from(
    ascending(buckets).flatMap((index) => {
      const offset = index - next;
      next = index + 1;
      return [offset, 1];
    }),
  );
}

function layoutOf(h: NaiveHistogram): HistogramLayout {
  return {
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    positiveSpans: spansOf(h.positive),
    negativeSpans: spansOf(h.negative),
    customValues: Float64Array.from(h.bounds),
    positiveCount: h.positive.size,
    negativeCount: h.negative.size,
  };
}

/** A stale marker among histograms counts nothing and has a sum of certain bits. */
const STALE: NaiveHistogram = {
  schema: 0,
  hint: 'unknown',
  count: 0,
  sum: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  positive: new Map(),
  negative: new Map(),
  bounds: [],
};

/** Appends a histogram, or a stale marker. */
export function appendHistogram({ t, value }: Point, to: HistogramColumns): void {
  if (typeof value === 'number') throw new Error('a float is no histogram');
  const h = value === 'stale' ? STALE : value;
  const i = to.add(layoutOf(h));
  to.t[i] = t;
  to.count[i] = h.count;
  to.sum[i] = h.sum;
  if (value === 'stale') {
    new Uint32Array(to.sum.buffer).set([STALE_NAN_LO, STALE_NAN_HI], 2 * i);
  }
  to.zeroCount[i] = h.zeroCount;
  to.hint[i] = HINTS.find(([hint]) => hint === h.hint)?.[1] ?? RESET_HINT.unknown;
  to.isFloat[i] = 1;
  const counts = [h.positive, h.negative].flatMap((buckets) =>
    ascending(buckets).map((index) => buckets.get(index) ?? 0),
  );
  to.buckets.set(counts, to.start[i]);
}

/** The i-th histogram of columns. */
export function histogramAt(columns: HistogramColumns, i: number): NaiveHistogram {
  const layout = columns.layoutAt(i);
  let at = columns.start[i] as number;
  const read = (spans: Int32Array): Map<number, number> => {
    const buckets = new Map<number, number>();
    let index = 0;
    for (let k = 0; k < spans.length; k += 2) {
      index += spans[k] as number;
      for (let n = spans[k + 1] as number; n > 0; n--) {
        buckets.set(index, columns.buckets[at] as number);
        index++;
        at++;
      }
    }
    return buckets;
  };
  return {
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    bounds: Array.from(layout.customValues),
    hint: hintOf(columns.hint[i] as number),
    count: columns.count[i] as number,
    sum: columns.sum[i] as number,
    zeroCount: columns.zeroCount[i] as number,
    positive: read(layout.positiveSpans),
    negative: read(layout.negativeSpans),
  };
}
