/** Columns to chunks that hold as many samples as the head's do. */
import type { HistogramColumns } from '../model/histogram.ts';
import { RESET_HINT } from '../model/histogram.ts';
import type { EncodedChunk } from './encoded-chunk.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_HISTOGRAM, ENCODING_XOR } from './encodings.ts';
import { HistogramAppender } from './histogram-appender.ts';
import { XorAppender } from './xor-twin.ts';

/** limit: samples of a chunk, as the head cuts them. */
const SAMPLES_PER_CHUNK = 120;

/**
 * Encodes floats as XOR chunks of up to 120 samples: times in ms, ascending, and values, whose bits move as halves.
 * `length` of each are used.
 */
export function encodeFloats(t: Float64Array, v: Float64Array, length: number): EncodedChunk[] {
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  const chunks: EncodedChunk[] = [];
  for (let from = 0; from < length; from += SAMPLES_PER_CHUNK) {
    const to = Math.min(length, from + SAMPLES_PER_CHUNK);
    const appender = new XorAppender();
    for (let i = from; i < to; i++)
      appender.append(t[i] as number, halves[2 * i + 1] as number, halves[2 * i] as number);
    chunks.push({
      mint: t[from] as number,
      maxt: t[to - 1] as number,
      encoding: ENCODING_XOR,
      count: to - from,
      data: appender.bytes(),
    });
  }
  return chunks;
}

/**
 * Encodes histograms, integer and float ones, in order of time, as chunks of up to 120 samples. A gauge stays a gauge;
 * whether a counter was reset between samples is left open, because some may have been taken out. Hints of `columns` are
 * changed accordingly.
 */
export function encodeHistograms(columns: HistogramColumns): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  let appender: HistogramAppender | undefined;
  let from = 0;
  const end = (to: number): void => {
    if (appender === undefined || appender.count === 0) return;
    chunks.push({
      mint: columns.t[from] as number,
      maxt: columns.t[to - 1] as number,
      encoding: appender.encoding,
      count: appender.count,
      data: appender.bytes().slice(),
    });
  };
  for (let i = 0; i < columns.length; i++) {
    if (columns.hint[i] !== RESET_HINT.gauge) columns.hint[i] = RESET_HINT.unknown;
    const encoding = columns.isFloat[i] === 1 ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
    const fits =
      appender !== undefined &&
      appender.encoding === encoding &&
      appender.count < SAMPLES_PER_CHUNK &&
      appender.append(columns, i) === 'appended';
    if (fits) continue;
    end(i);
    appender = new HistogramAppender(encoding);
    appender.append(columns, i);
    from = i;
  }
  end(columns.length);
  return chunks;
}
