/** A histogram chunk under construction: writes what it is told to; whether a sample fits is histogram-fit.ts. */
import { HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { BitWriter } from './bit-writer.ts';
import { Halves } from './halves.ts';
import {
  HISTOGRAM_HEADER_BYTES,
  holdsFloatHistograms,
  holdsStartTimes,
  writeHistogramHeader,
} from './histogram-chunk-header.ts';
import { writeChunkLayout } from './histogram-chunk-layout.ts';
import { FloatSampleWriter, IntegerSampleWriter } from './histogram-sample-writers.ts';
import type { SampleSource, SampleWriter } from './histogram-sample-writers.ts';
import { StartTimeWriter } from './start-times.ts';
import { writeVarbitInt } from './varbit.ts';

const FIRST_BYTES = 128;

/** Where the buckets of a sample are in the order of the chunk's layout: from `at` on. */
export interface LaidBuckets {
  readonly buckets: Float64Array;
  readonly at: number;
}

/** perf: one for all chunks, filled in for each sample; a chunk of its own would keep the columns it saw last. */
const source: SampleSource = {
  columns: new HistogramColumns(),
  i: 0,
  buckets: new Float64Array(0),
  at: 0,
  isStale: false,
};
const sums = new Halves();

/** Whether row i of columns is a stale marker: by the bits of its sum. */
export function isStaleRow(columns: HistogramColumns, i: number): boolean {
  const words = sums.of(columns.sum);
  return words[2 * i + 1] === STALE_NAN_HI && words[2 * i] === STALE_NAN_LO;
}

/** One chunk of encoding 2, 3, 5 or 6 with one layout. */
export class HistogramChunkWriter {
  readonly encoding: number;
  readonly layout: HistogramLayout;
  /** One of RESET_HINT, for the header. */
  hint: number;
  /** Whether the last sample is a stale marker. */
  isStale = false;
  /** How many samples there are. */
  count = 0;
  readonly #out = new BitWriter(FIRST_BYTES);
  readonly #samples: SampleWriter;
  readonly #starts: StartTimeWriter | undefined;
  #t = 0;
  #delta = 0;

  /** A chunk whose first sample is a stale marker has EMPTY_LAYOUT. */
  constructor(encoding: number, layout: HistogramLayout, hint: number) {
    this.encoding = encoding;
    this.layout = layout;
    this.hint = hint;
    this.#samples = holdsFloatHistograms(encoding)
      ? new FloatSampleWriter(layout)
      : new IntegerSampleWriter(layout);
    if (holdsStartTimes(encoding)) this.#starts = new StartTimeWriter();
    this.#out.bits(0, HISTOGRAM_HEADER_BYTES * 8);
    writeChunkLayout(this.#out, layout);
  }

  get isGauge(): boolean {
    return this.hint === RESET_HINT.gauge;
  }

  /** The last sample that was no stale marker: count, zero count, something else, buckets; absolute. */
  get last(): Float64Array {
    return this.#samples.last;
  }

  /** How long {@link bytes} is. */
  get byteLength(): number {
    return this.#out.byteLength;
  }

  /** The chunk, its count in front: a view, valid until the next sample. */
  bytes(): Uint8Array {
    const startTimes = this.#starts?.header ?? 0;
    const { count, hint } = this;
    writeHistogramHeader(this.#out.bytes, this.encoding, { count, hint, startTimes });
    return this.#out.bytes.subarray(0, this.#out.byteLength);
  }

  /**
   * Appends row i of columns. Its buckets are taken from `laid` when they lie otherwise than in the chunk's layout.
   * `st` is the start timestamp in ms, 0 for none; only encodings 5 and 6 keep it.
   */
  write(columns: HistogramColumns, i: number, st: number, laid?: LaidBuckets): void {
    const out = this.#out;
    const isFirst = this.count === 0;
    const t = columns.t[i] as number;
    const before = this.#t;
    if (isFirst) writeVarbitInt(out, t);
    else {
      const delta = t - before;
      writeVarbitInt(out, delta - this.#delta);
      this.#delta = delta;
    }
    this.#t = t;
    this.isStale = isStaleRow(columns, i);
    source.columns = columns;
    source.i = i;
    source.buckets = laid?.buckets ?? columns.buckets;
    source.at = laid?.at ?? columns.start[i] ?? 0;
    source.isStale = this.isStale;
    this.#samples.write(out, isFirst, source);
    this.#starts?.write(out, this.count, { t, before, st });
    this.count++;
  }
}
