/** The native histograms of a matrix. */
import type { FloatHistogram } from './float-histogram.ts';

/**
 * The native histograms of all series, one after the other: series i has those from offsets[i] (inclusive) to
 * offsets[i + 1] (exclusive) of `t` and `values`. Where no series has any, `offsets` is empty.
 */
export interface MatrixHistograms {
  readonly offsets: Uint32Array;
  readonly t: Float64Array;
  readonly values: readonly FloatHistogram[];
}

/** Of an answer without native histograms. */
export const NO_HISTOGRAMS: MatrixHistograms = {
  offsets: new Uint32Array(0),
  t: new Float64Array(0),
  values: [],
};
