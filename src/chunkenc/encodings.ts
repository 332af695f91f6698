/** The encoding bytes of chunks (prometheus tsdb/chunkenc/chunk.go). */

/** Floats. */
export const ENCODING_XOR = 1;
/** Native histograms with integer counts. */
export const ENCODING_HISTOGRAM = 2;
/** Native histograms with float counts. */
export const ENCODING_FLOAT_HISTOGRAM = 3;
/** Floats with start timestamps. */
export const ENCODING_XOR2 = 4;
/** Native histograms with integer counts and start timestamps. */
export const ENCODING_HISTOGRAM_ST = 5;
/** Native histograms with float counts and start timestamps. */
export const ENCODING_FLOAT_HISTOGRAM_ST = 6;
