/**
 * Whether a chunk takes another histogram, and if so what has to be made of either for it: decisions, without bytes
 * (prometheus tsdb/chunkenc appendable, appendableGauge; docs/format/histogram-chunks.md, "When a chunk ends").
 */
import { CUSTOM_BUCKETS_SCHEMA, RESET_HINT, countBuckets } from '../model/histogram.ts';
import type { HistogramColumns, HistogramLayout } from '../model/histogram.ts';
import type { HistogramChunkWriter } from './histogram-chunk-writer.ts';
import { BUCKETS, COUNT, ZERO_COUNT } from './histogram-samples.ts';
import { mergeSpans } from './span-merge.ts';
import type { SpanMerge } from './span-merge.ts';

/** How a sample goes into a chunk; one that is as it is has none of the fields. */
export interface Fit {
  /** The chunk is to be written anew with this layout. */
  readonly layout?: HistogramLayout;
  /** For each bucket of the chunk, its number in the new layout. */
  readonly chunkTo?: Uint32Array;
  /** For each bucket of the sample, its number in the new layout, or in the chunk's when there is none. */
  readonly sampleTo?: Uint32Array;
}

/** What is known of a counter reset before a sample that does not fit: one of RESET_HINT. */
export type Misfit = number;

const AS_IT_IS: Fit = {};

/** Whether sample i of columns goes into a chunk of its kind that is not empty; a number when it does not. */
export function fitHistogram(
  chunk: HistogramChunkWriter,
  columns: HistogramColumns,
  i: number,
  isStale: boolean,
): Fit | Misfit {
  if (columns.hint[i] === RESET_HINT.gauge) return fitGauge(chunk, columns, i, isStale);
  return fitCounter(chunk, columns, i, isStale);
}

function fitGauge(
  chunk: HistogramChunkWriter,
  columns: HistogramColumns,
  i: number,
  isStale: boolean,
): Fit | Misfit {
  if (!chunk.isGauge) return RESET_HINT.gauge;
  if (isStale) return AS_IT_IS;
  const layout = columns.layoutAt(i);
  if (chunk.isStale || !sameScale(chunk.layout, layout) || !sameBounds(chunk.layout, layout))
    return RESET_HINT.gauge;
  if (sameSpans(chunk.layout, layout)) return AS_IT_IS;
  const positive = mergeSpans(chunk.layout.positiveSpans, layout.positiveSpans);
  const negative = mergeSpans(chunk.layout.negativeSpans, layout.negativeSpans);
  const lacks = positive.secondLacks || negative.secondLacks;
  return fitOf({ layout, positive, negative }, { positive: lacks, negative: lacks });
}

/**
 * The same for what is no gauge. A chunk of a counter ends where the counter was reset, so that within a chunk no sample
 * is less than the one before.
 */
export function fitCounter(
  chunk: HistogramChunkWriter,
  columns: HistogramColumns,
  i: number,
  isStale: boolean,
): Fit | Misfit {
  if (chunk.isGauge) return RESET_HINT.notReset;
  if (columns.hint[i] === RESET_HINT.reset) return RESET_HINT.reset;
  if (isStale) return AS_IT_IS;
  if (chunk.isStale) return RESET_HINT.unknown;
  const { last } = chunk;
  const layout = columns.layoutAt(i);
  if ((columns.count[i] as number) < (last[COUNT] as number)) return RESET_HINT.reset;
  if (!sameScale(chunk.layout, layout)) return RESET_HINT.unknown;
  if (!sameBounds(chunk.layout, layout)) return RESET_HINT.reset;
  if ((columns.zeroCount[i] as number) < (last[ZERO_COUNT] as number)) return RESET_HINT.reset;
  const start = columns.start[i] as number;
  if (sameSpans(chunk.layout, layout)) {
    for (let k = BUCKETS, at = start; k < last.length; k++) {
      if ((last[k] as number) > (columns.buckets[at++] as number)) return RESET_HINT.reset;
    }
    return AS_IT_IS;
  }
  const positive = mergeSpans(chunk.layout.positiveSpans, layout.positiveSpans);
  const negative = mergeSpans(chunk.layout.negativeSpans, layout.negativeSpans);
  const split = BUCKETS + chunk.layout.positiveCount;
  if (
    isReset(positive, last.subarray(BUCKETS, split), columns.buckets, start) ||
    isReset(negative, last.subarray(split), columns.buckets, start + layout.positiveCount)
  )
    return RESET_HINT.reset;
  return fitOf(
    { layout, positive, negative },
    { positive: positive.secondLacks, negative: negative.secondLacks },
  );
}

/** Whether a bucket counts less than before; one that the sample lacks must have been empty. */
function isReset(
  merge: SpanMerge,
  before: Float64Array,
  buckets: Float64Array,
  start: number,
): boolean {
  const now = new Float64Array(merge.count);
  const isThere = new Uint8Array(merge.count);
  for (const [k, to] of merge.second.entries()) {
    now[to] = buckets[start + k] as number;
    isThere[to] = 1;
  }
  for (const [k, to] of merge.first.entries()) {
    const was = before[k] as number;
    if (isThere[to] === 1 ? was > (now[to] as number) : was !== 0) return true;
  }
  return false;
}

/** A sample's layout, and its buckets with those of the chunk. */
interface Sides {
  readonly layout: HistogramLayout;
  readonly positive: SpanMerge;
  readonly negative: SpanMerge;
}

/**
 * compat: when the chunk is written anew its spans are those of the sample as they came, which need not be the fewest;
 * only where buckets of the chunk were added, `merged`, they are the fewest.
 */
function fitOf(
  { layout, positive, negative }: Sides,
  merged: { readonly positive: boolean; readonly negative: boolean },
): Fit {
  const sampleLacks = positive.secondLacks || negative.secondLacks;
  const sampleTo = sampleLacks ? joinPlaces(positive, negative, 'second') : undefined;
  if (!positive.firstLacks && !negative.firstLacks)
    return sampleTo === undefined ? AS_IT_IS : { sampleTo };
  const positiveSpans = merged.positive ? positive.spans : layout.positiveSpans;
  const negativeSpans = merged.negative ? negative.spans : layout.negativeSpans;
  const fit = {
    layout: {
      ...layout,
      positiveSpans,
      negativeSpans,
      positiveCount: countBuckets(positiveSpans),
      negativeCount: countBuckets(negativeSpans),
    },
    chunkTo: joinPlaces(positive, negative, 'first'),
  };
  return sampleTo === undefined ? fit : { ...fit, sampleTo };
}

/** The places of both signs in one list; negative buckets follow the positive ones. */
function joinPlaces(positive: SpanMerge, negative: SpanMerge, of: 'first' | 'second'): Uint32Array {
  const places = new Uint32Array(positive[of].length + negative[of].length);
  places.set(positive[of]);
  for (const [k, to] of negative[of].entries()) {
    places[positive[of].length + k] = positive.count + to;
  }
  return places;
}

function sameScale(a: HistogramLayout, b: HistogramLayout): boolean {
  return a === b || (a.schema === b.schema && a.zeroThreshold === b.zeroThreshold);
}

function sameBounds(a: HistogramLayout, b: HistogramLayout): boolean {
  if (a === b || a.schema !== CUSTOM_BUCKETS_SCHEMA) return true;
  return equalNumbers(a.customValues, b.customValues);
}

/** Whether spans are the same word by word; if not, they may still describe the same buckets. */
function sameSpans(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a === b ||
    (equalNumbers(a.positiveSpans, b.positiveSpans) &&
      equalNumbers(a.negativeSpans, b.negativeSpans))
  );
}

function equalNumbers(a: Int32Array | Float64Array, b: Int32Array | Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
