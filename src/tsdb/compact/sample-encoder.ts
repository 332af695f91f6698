/**
 * Samples in order of time to chunks. A chunk ends with the kind of its samples, with its samples' number, and where
 * histograms do not fit. Behaviour: prometheus storage/series.go, seriesToChunkEncoder.
 */
import {
  ENCODING_FLOAT_HISTOGRAM,
  ENCODING_HISTOGRAM,
  ENCODING_XOR,
} from '../../chunkenc/encodings.ts';
import { HistogramAppender } from '../../chunkenc/histogram-appender.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import { MergedChunk } from './merged-chunk.ts';

/** Encodes the samples of one series. */
export class SampleEncoder {
  readonly #samplesMax: number;
  readonly #chunks: MergedChunk[] = [];
  /** Of the chunk under way; both undefined before the first. */
  #floats: XorAppender | undefined;
  #histograms: HistogramAppender | undefined;
  #mint = 0;
  #maxt = 0;

  /** `samplesMax` is what a chunk holds at the most. */
  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax;
  }

  /** Appends a float by the halves of its bits. */
  float(t: number, high: number, low: number): void {
    let appender = this.#floats;
    if (appender === undefined || appender.count >= this.#samplesMax) {
      this.#end();
      appender = this.#floats = new XorAppender();
      this.#mint = t;
    }
    appender.append(t, high, low);
    this.#maxt = t;
  }

  /** Appends row i of columns. */
  histogram(columns: HistogramColumns, i: number): void {
    const t = columns.t[i] as number;
    const encoding = columns.isFloat[i] === 1 ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
    const before = this.#histograms;
    if (before?.encoding !== encoding || before.count >= this.#samplesMax) {
      // compat: what the header says of a counter reset is left open here, as in Prometheus.
      this.#begin(new HistogramAppender(encoding), columns, i);
    } else if (before.append(columns, i) !== 'appended') {
      this.#begin(new HistogramAppender(encoding, before), columns, i);
    }
    this.#maxt = t;
  }

  /** The chunks; the encoder is used up. */
  finish(): MergedChunk[] {
    this.#end();
    return this.#chunks;
  }

  #begin(appender: HistogramAppender, columns: HistogramColumns, i: number): void {
    this.#end();
    this.#histograms = appender;
    this.#mint = columns.t[i] as number;
    appender.append(columns, i);
  }

  #end(): void {
    const appender = this.#floats ?? this.#histograms;
    if (appender === undefined) return;
    const chunk = new MergedChunk();
    chunk.mint = this.#mint;
    chunk.maxt = this.#maxt;
    chunk.encoding = appender instanceof XorAppender ? ENCODING_XOR : appender.encoding;
    chunk.count = appender.count;
    chunk.data = appender.bytes();
    this.#chunks.push(chunk);
    this.#floats = undefined;
    this.#histograms = undefined;
  }
}
