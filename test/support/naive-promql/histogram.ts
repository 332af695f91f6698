/** Native histograms of the naive evaluator: buckets in Maps by their index. */

/** Whether a histogram continues the one before it. */
export type Hint = 'unknown' | 'reset' | 'not-reset' | 'gauge';

/** A histogram. Nobody changes one that he did not make. */
export interface NaiveHistogram {
  /** -4 to 8, or -53 for custom bounds. */
  schema: number;
  hint: Hint;
  count: number;
  sum: number;
  zeroThreshold: number;
  zeroCount: number;
  /** Counts by index: bucket i of schema s holds (2^(2^-s·(i-1)), 2^(2^-s·i)]; of custom bounds (bounds[i-1], bounds[i]]. */
  positive: Map<number, number>;
  negative: Map<number, number>;
  /** The upper bounds of custom buckets, without +Inf. */
  bounds: readonly number[];
}

/** The schema of histograms with custom bounds. */
export const CUSTOM_SCHEMA = -53;
