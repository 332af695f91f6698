/** Histograms as one writes them down, for tests: to columns, through an appender, and back. */
import { HistogramColumns, RESET_HINT, countBuckets } from '../../src/model/histogram.ts';
import { HistogramAppender } from '../../src/chunkenc/histogram-appender.ts';
import { holdsFloatHistograms } from '../../src/chunkenc/histogram-chunk-header.ts';

/** The bits of the stale marker. */
const STALE_BITS = 0x7ff0000000000002n;

/** One sample; what is left out is 0, unknown or empty. Spans are [offset, length] pairs, counts are absolute. */
export interface PlainHistogram {
  readonly t: number;
  readonly st?: number;
  readonly hint?: keyof typeof RESET_HINT;
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly positiveSpans?: readonly (readonly [number, number])[];
  readonly positive?: readonly number[];
  readonly negativeSpans?: readonly (readonly [number, number])[];
  readonly negative?: readonly number[];
  readonly customValues?: readonly number[];
  readonly zeroCount?: number;
  /** All buckets in sum, if it is left out. */
  readonly count?: number;
  readonly sum?: number | 'stale';
  /** The chunk before ended by its size or time. */
  readonly cut?: boolean;
}

/** Appends samples to columns. */
export function addPlain(
  columns: HistogramColumns,
  samples: readonly PlainHistogram[],
  isFloat: boolean,
): void {
  for (const sample of samples) {
    const positiveSpans = Int32Array.from((sample.positiveSpans ?? []).flat());
    const negativeSpans = Int32Array.from((sample.negativeSpans ?? []).flat());
    const i = columns.add({
      schema: sample.schema ?? 0,
      zeroThreshold: sample.zeroThreshold ?? 0,
      positiveSpans,
      negativeSpans,
      customValues: Float64Array.from(sample.customValues ?? []),
      positiveCount: countBuckets(positiveSpans),
      negativeCount: countBuckets(negativeSpans),
    });
    const buckets = [...(sample.positive ?? []), ...(sample.negative ?? [])];
    columns.buckets.set(buckets, columns.start[i]);
    columns.t[i] = sample.t;
    columns.zeroCount[i] = sample.zeroCount ?? 0;
    columns.count[i] = sample.count ?? buckets.reduce((a, b) => a + b, sample.zeroCount ?? 0);
    columns.hint[i] = RESET_HINT[sample.hint ?? 'unknown'];
    columns.isFloat[i] = isFloat ? 1 : 0;
    if (sample.sum === 'stale') new BigUint64Array(columns.sum.buffer)[i] = STALE_BITS;
    else columns.sum[i] = sample.sum ?? 0;
  }
}

/** The chunks that samples of one series become, one after the other. */
export function encodePlain(encoding: number, samples: readonly PlainHistogram[]): Uint8Array[] {
  const columns = new HistogramColumns();
  addPlain(columns, samples, holdsFloatHistograms(encoding));
  const chunks: Uint8Array[] = [];
  let appender = new HistogramAppender(encoding);
  for (const [i, { cut, st }] of samples.entries()) {
    if (cut !== true && appender.append(columns, i, st) === 'appended') continue;
    chunks.push(appender.bytes().slice());
    appender = new HistogramAppender(encoding, appender);
    appender.append(columns, i, st);
  }
  return [...chunks, appender.bytes().slice()];
}

/** Row i of columns; nothing is left out but `cut` and `st`. */
export function plainAt(columns: HistogramColumns, i: number): PlainHistogram {
  const layout = columns.layoutAt(i);
  const start = columns.start[i] as number;
  const middle = start + layout.positiveCount;
  const isStale = new BigUint64Array(columns.sum.buffer)[i] === STALE_BITS;
  const names = ['unknown', 'reset', 'notReset', 'gauge'] as const;
  return {
    t: columns.t[i] as number,
    hint: names[columns.hint[i] as number] ?? 'unknown',
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    positiveSpans: pairs(layout.positiveSpans),
    positive: [...columns.buckets.subarray(start, middle)],
    negativeSpans: pairs(layout.negativeSpans),
    negative: [...columns.buckets.subarray(middle, middle + layout.negativeCount)],
    customValues: [...layout.customValues],
    zeroCount: columns.zeroCount[i] as number,
    count: columns.count[i] as number,
    sum: isStale ? 'stale' : (columns.sum[i] as number),
  };
}

function pairs(spans: Int32Array): [number, number][] {
  const out: [number, number][] = [];
  for (let s = 0; s < spans.length; s += 2) out.push([spans[s] as number, spans[s + 1] as number]);
  return out;
}
