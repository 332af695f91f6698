/**
 * Appends histograms to chunks as Prometheus does, byte for byte (tsdb/chunkenc/histogram.go, float_histogram.go and their
 * _st variants; docs/format/histogram-chunks.md).
 */
import { HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';
import {
  HISTOGRAM_HEADER_BYTES,
  histogramSamplesMax,
  holdsFloatHistograms,
  isHistogramEncoding,
} from './histogram-chunk-header.ts';
import { EMPTY_LAYOUT } from './histogram-chunk-layout.ts';
import { HistogramChunkWriter, isStaleRow } from './histogram-chunk-writer.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { fitCounter, fitHistogram } from './histogram-fit.ts';
import type { Fit, Misfit } from './histogram-fit.ts';
import { StartTimes } from './start-times.ts';

/** One chunk that grows. */
export class HistogramAppender {
  readonly encoding: number;
  readonly #isFloat: boolean;
  #chunk: HistogramChunkWriter | undefined;
  /** Until the first sample: whose chunk precedes this one. */
  #before: HistogramAppender | undefined;
  /** What the header says when it is not to be found out. */
  #hint: number | undefined;
  /** The sample that was turned away last, by its time, and what is known of a reset before it. */
  #misfit: { readonly t: number; readonly hint: Misfit } | undefined;

  /**
   * @param encoding 2 or 3, or with start timestamps 5 or 6.
   * @param before the appender of the series' chunk before: its last sample decides what this chunk's header says of a
   * counter reset. It is read at the first append and then let go of.
   */
  constructor(encoding: number, before?: HistogramAppender) {
    if (!isHistogramEncoding(encoding)) throw new RangeError(`BUG: encoding ${encoding}`);
    this.encoding = encoding;
    this.#isFloat = holdsFloatHistograms(encoding);
    this.#before = before;
  }

  /** An appender whose header says one of RESET_HINT, whatever the first sample is: for writing a chunk anew. */
  static withHint(encoding: number, hint: number): HistogramAppender {
    const appender = new HistogramAppender(encoding);
    appender.#hint = hint;
    return appender;
  }

  /** How many samples the chunk holds. */
  get count(): number {
    return this.#chunk?.count ?? 0;
  }

  /** How long {@link bytes} is. */
  get byteLength(): number {
    return this.#chunk?.byteLength ?? HISTOGRAM_HEADER_BYTES;
  }

  /** The whole chunk with its count in front: a view that is valid until the next append. */
  bytes(): Uint8Array {
    return this.#chunk?.bytes() ?? new Uint8Array(HISTOGRAM_HEADER_BYTES);
  }

  /**
   * Appends sample i of columns, which is later than the last one and of the encoding's kind; the columns stay the
   * caller's and are not changed. A sample with other buckets may have the whole chunk written anew. `st` is its start
   * timestamp in ms, 0 for none.
   * @returns 'new chunk needed' when it does not fit: nothing has changed then, and the caller makes an appender with
   * this one as the one before, which takes it.
   */
  append(columns: HistogramColumns, i: number, st = 0): 'appended' | 'new chunk needed' {
    const isStale = isStaleRow(columns, i);
    const chunk = this.#chunk;
    if (chunk === undefined) {
      const layout = isStale ? EMPTY_LAYOUT : columns.layoutAt(i);
      const hint = this.#hint ?? this.#firstHint(columns, i);
      this.#chunk = new HistogramChunkWriter(this.encoding, layout, hint);
      this.#chunk.write(columns, i, st);
      this.#before = undefined;
      return 'appended';
    }
    this.#misfit = undefined;
    if (chunk.count === histogramSamplesMax(this.encoding)) return 'new chunk needed';
    const fit = fitHistogram(chunk, columns, i, isStale);
    if (typeof fit === 'number') {
      this.#misfit = { t: columns.t[i] as number, hint: fit };
      return 'new chunk needed';
    }
    if (fit.layout !== undefined || fit.sampleTo !== undefined)
      this.#fit(chunk, fit, { columns, i, st });
    else chunk.write(columns, i, st);
    return 'appended';
  }

  /** What the header says of a counter reset before the first sample. */
  #firstHint(columns: HistogramColumns, i: number): number {
    const hint = columns.hint[i];
    if (hint === RESET_HINT.gauge) return RESET_HINT.gauge;
    const before = this.#before;
    const misfit = before === undefined ? undefined : before.#misfit;
    if (misfit !== undefined && misfit.t === columns.t[i]) {
      // compat: of float histograms Prometheus tells only resets when a chunk takes no more…
      return this.#isFloat && misfit.hint !== RESET_HINT.reset ? RESET_HINT.unknown : misfit.hint;
    }
    if (hint === RESET_HINT.reset) return RESET_HINT.reset;
    const last = before === undefined ? undefined : before.#chunk;
    if (last === undefined || holdsFloatHistograms(last.encoding) !== this.#isFloat)
      return RESET_HINT.unknown;
    const fit = fitCounter(last, columns, i, isStaleRow(columns, i));
    if (fit === RESET_HINT.reset) return RESET_HINT.reset;
    // compat: … and takes everything else for none when a chunk ended by its size or time.
    return typeof fit === 'number' && !this.#isFloat ? fit : RESET_HINT.notReset;
  }

  /** Appends a sample that has other buckets than the chunk. */
  #fit(chunk: HistogramChunkWriter, fit: Fit, sample: RowWithStart): void {
    const { columns, i, st } = sample;
    let target = chunk;
    if (fit.layout !== undefined) {
      target = recode(chunk, fit.layout, fit.chunkTo ?? new Uint32Array(0));
      this.#chunk = target;
    }
    const laid = fit.sampleTo === undefined ? undefined : lay(columns, i, fit.sampleTo, target);
    target.write(columns, i, st, laid);
  }
}

/** Row i of columns with its start timestamp. */
interface RowWithStart {
  readonly columns: HistogramColumns;
  readonly i: number;
  readonly st: number;
}

/** The chunk with a layout that has buckets more. */
function recode(
  chunk: HistogramChunkWriter,
  layout: HistogramLayout,
  to: Uint32Array,
): HistogramChunkWriter {
  const columns = new HistogramColumns();
  const starts = new StartTimes();
  const bytes = chunk.bytes();
  decodeHistogramChunk(bytes, 0, bytes.length, chunk.encoding, columns, 'own chunk', starts);
  const next = new HistogramChunkWriter(chunk.encoding, layout, chunk.hint);
  for (let i = 0; i < columns.length; i++) {
    next.write(columns, i, starts.values[i] as number, lay(columns, i, to, next));
  }
  return next;
}

/** The buckets of row i, each at its place in a chunk's layout; the others are empty. */
function lay(
  columns: HistogramColumns,
  i: number,
  to: Uint32Array,
  { layout }: HistogramChunkWriter,
): { readonly buckets: Float64Array; readonly at: number } {
  const buckets = new Float64Array(layout.positiveCount + layout.negativeCount);
  const start = columns.start[i] as number;
  // Buckets of float histograms move as bits, as all values do.
  const from = new Uint32Array(
    columns.buckets.buffer,
    columns.buckets.byteOffset + start * 8,
    to.length * 2,
  );
  const words = new Uint32Array(buckets.buffer);
  for (const [k, place] of to.entries()) {
    words[2 * place] = from[2 * k] as number;
    words[2 * place + 1] = from[2 * k + 1] as number;
  }
  return { buckets, at: 0 };
}
