/**
 * The first three bytes of histogram chunks (prometheus tsdb/chunkenc/histogram.go, histogram_st.go): how many samples
 * there are, what is known of a counter reset before them, and with start timestamps their header.
 */
import { RESET_HINT } from '../model/histogram.ts';
import {
  ENCODING_FLOAT_HISTOGRAM,
  ENCODING_FLOAT_HISTOGRAM_ST,
  ENCODING_HISTOGRAM,
  ENCODING_HISTOGRAM_ST,
} from './encodings.ts';

/** How long the header is. */
export const HISTOGRAM_HEADER_BYTES = 3;
/** limit: samples of a chunk, by the width of their count. */
const SAMPLES_MAX = 0xffff;
const SAMPLES_MAX_ST = 0x3fff;

/** The two bits of each of RESET_HINT. */
const BITS_OF_HINT = Uint8Array.of(0, 2, 1, 3);
const HINT_OF_BITS = Uint8Array.of(
  RESET_HINT.unknown,
  RESET_HINT.notReset,
  RESET_HINT.reset,
  RESET_HINT.gauge,
);

/** Whether chunks of an encoding hold histograms. */
export function isHistogramEncoding(encoding: number): boolean {
  return (
    encoding === ENCODING_HISTOGRAM ||
    encoding === ENCODING_FLOAT_HISTOGRAM ||
    encoding === ENCODING_HISTOGRAM_ST ||
    encoding === ENCODING_FLOAT_HISTOGRAM_ST
  );
}

/** Whether the counts of an encoding's histograms are floats. */
export function holdsFloatHistograms(encoding: number): boolean {
  return encoding === ENCODING_FLOAT_HISTOGRAM || encoding === ENCODING_FLOAT_HISTOGRAM_ST;
}

/** Whether chunks of an encoding of histograms have start timestamps. */
export function holdsStartTimes(encoding: number): boolean {
  return encoding === ENCODING_HISTOGRAM_ST || encoding === ENCODING_FLOAT_HISTOGRAM_ST;
}

/** How many samples a chunk of an encoding can have. */
export function histogramSamplesMax(encoding: number): number {
  return holdsStartTimes(encoding) ? SAMPLES_MAX_ST : SAMPLES_MAX;
}

/** How many samples a histogram chunk, at least three bytes from an offset on, says it has. */
export function histogramChunkCount(bytes: Uint8Array, offset: number, encoding: number): number {
  const count = ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
  return count & histogramSamplesMax(encoding);
}

/**
 * What a histogram chunk says of a counter reset between its first sample and the one before: one of RESET_HINT. The
 * chunk's three bytes of header must be there; nothing else is read.
 */
export function histogramChunkHint(
  bytes: Uint8Array,
  offset = 0,
  encoding = ENCODING_HISTOGRAM,
): number {
  const byte = bytes[holdsStartTimes(encoding) ? offset : offset + 2] as number;
  return HINT_OF_BITS[byte >>> 6] as number;
}

/** Writes the header. */
export function writeHistogramHeader(
  bytes: Uint8Array,
  encoding: number,
  header: { readonly count: number; readonly hint: number; readonly startTimes: number },
): void {
  const bits = BITS_OF_HINT[header.hint] as number;
  const hasStartTimes = holdsStartTimes(encoding);
  bytes[0] = (header.count >>> 8) | (hasStartTimes ? bits << 6 : 0);
  bytes[1] = header.count & 0xff;
  bytes[2] = hasStartTimes ? header.startTimes : bits << 6;
}
