/**
 * Float histograms of one series in chunks, as the head of a TSDB would make them (prometheus tsdb/head_append.go
 * histogramsAppendPreprocessor): what is read back has the counter reset hints that a query of a real storage sees.
 */
import { ENCODING_FLOAT_HISTOGRAM_ST } from '../../src/chunkenc/encodings.ts';
import { HistogramAppender } from '../../src/chunkenc/histogram-appender.ts';
import { decodeHistogramChunk } from '../../src/chunkenc/histogram-decode.ts';
import { StartTimes } from '../../src/chunkenc/start-times.ts';
import type {
  BucketSide,
  FloatHistogram,
} from '../../src/model/float-histogram/float-histogram.ts';
import { HistogramColumns, RESET_HINT } from '../../src/model/histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../src/model/value.ts';
import { chunkEndTime, rangeEnd } from '../../src/tsdb/head/chunk-end.ts';

/** What chunks aim at, and how many samples they get even when that makes them larger. */
const TARGET_BYTES = 1024;
const SAMPLES_MIN = 10;
/** The range of the blocks of Prometheus' test storage. */
const RANGE_MS = 24 * 3600_000;

/** The chunk that takes samples. */
interface OpenChunk {
  readonly appender: HistogramAppender;
  readonly mint: number;
  maxt: number;
  nextAt: number;
  endComputed: boolean;
}

/** Samples decoded again, with the start timestamp of each (0: none). */
export interface DecodedHistograms {
  readonly columns: HistogramColumns;
  readonly st: Float64Array;
}

/** The chunks of one series. */
export class HistogramChunks {
  readonly #ended: HistogramAppender[] = [];
  #open: OpenChunk | undefined;

  /** How many chunks there are. */
  get count(): number {
    return this.#ended.length + (this.#open === undefined ? 0 : 1);
  }

  /** Appends a histogram, or a stale marker, that is later than all before. */
  append(t: number, histogram: FloatHistogram | 'stale', st = 0): void {
    const columns = new HistogramColumns();
    if (histogram === 'stale') addStale(columns, t);
    else addFloatHistogram(columns, t, histogram);
    if (this.#open !== undefined && t <= this.#open.maxt) throw new Error(`out of order at ${t}`);
    let open = this.#open;
    if (open === undefined || isFull(open, t)) open = this.#begin(t);
    if (open.appender.append(columns, 0, st) === 'new chunk needed') {
      open = this.#begin(t);
      open.appender.append(columns, 0, st);
    }
    open.maxt = t;
  }

  /** Ends the open chunk: a sample of another kind came. */
  end(): void {
    if (this.#open !== undefined) this.#ended.push(this.#open.appender);
    this.#open = undefined;
  }

  /** All samples so far. */
  decode(): DecodedHistograms {
    const columns = new HistogramColumns();
    const st = new StartTimes();
    for (const appender of [...this.#ended, this.#open?.appender]) {
      if (appender === undefined) continue;
      const bytes = appender.bytes();
      decodeHistogramChunk(bytes, 0, bytes.length, appender.encoding, columns, 'test chunk', st);
    }
    return { columns, st: st.values.slice(0, columns.length) };
  }

  #begin(t: number): OpenChunk {
    const before = this.#open?.appender;
    this.end();
    const appender = new HistogramAppender(ENCODING_FLOAT_HISTOGRAM_ST, before);
    const open = { appender, mint: t, maxt: t, nextAt: rangeEnd(t, RANGE_MS), endComputed: false };
    this.#open = open;
    return open;
  }
}

/** Whether a chunk ends before a sample; estimates its end once it is a quarter full. */
function isFull(open: OpenChunk, t: number): boolean {
  const { appender, mint, maxt } = open;
  const size = appender.byteLength;
  const rangeStart = open.endComputed ? rangeEnd(mint, RANGE_MS) : open.nextAt;
  if (!open.endComputed && size >= TARGET_BYTES / 4) {
    open.nextAt = chunkEndTime(mint, maxt, open.nextAt, TARGET_BYTES / size);
    open.endComputed = true;
  }
  const isDue = t >= open.nextAt || size >= TARGET_BYTES * 2;
  return isDue && (appender.count >= SAMPLES_MIN || t >= rangeStart);
}

/** Appends a histogram to columns, with all its buckets, empty ones too. */
export function addFloatHistogram(
  columns: HistogramColumns,
  t: number,
  histogram: FloatHistogram,
): void {
  const { positive, negative, schema, zeroThreshold, customValues } = histogram;
  const i = columns.add({
    schema,
    zeroThreshold,
    positiveSpans: spansOf(positive),
    negativeSpans: spansOf(negative),
    customValues,
    positiveCount: positive.count.length,
    negativeCount: negative.count.length,
  });
  const start = columns.start[i] as number;
  columns.buckets.set(positive.count, start);
  columns.buckets.set(negative.count, start + positive.count.length);
  columns.t[i] = t;
  columns.sum[i] = histogram.sum;
  columns.count[i] = histogram.count;
  columns.zeroCount[i] = histogram.zeroCount;
  columns.hint[i] = histogram.hint;
  columns.isFloat[i] = 1;
}

function spansOf({ index }: BucketSide): Int32Array {
  const spans: number[] = [];
  let next = 0;
  for (const at of index) {
    if (spans.length > 0 && at === next) spans[spans.length - 1] = (spans.at(-1) as number) + 1;
    else spans.push(at - next, 1);
    next = at + 1;
  }
  return Int32Array.from(spans);
}

function addStale(columns: HistogramColumns, t: number): void {
  const none = new Int32Array(0);
  const i = columns.add({
    schema: 0,
    zeroThreshold: 0,
    positiveSpans: none,
    negativeSpans: none,
    customValues: new Float64Array(0),
    positiveCount: 0,
    negativeCount: 0,
  });
  columns.t[i] = t;
  columns.hint[i] = RESET_HINT.unknown;
  columns.isFloat[i] = 1;
  new Uint32Array(columns.sum.buffer).set([STALE_NAN_LO, STALE_NAN_HI], 2 * i);
}
