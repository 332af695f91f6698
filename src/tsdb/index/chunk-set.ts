/**
 * Series of one source of samples, the head or a block, below the waist: columns are put together from the sources of
 * a series in one scratch (chunk-series-set.ts), so a series that goes through many blocks is decoded without a copy.
 */
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';

/**
 * Series of one source in label order, each label set once. Everything is synchronous: for compute workers. Not safe
 * for use by two callers at a time.
 */
export interface ChunkSet {
  /** How many series there are. */
  readonly count: number;
  /** The same object of two sets: they have the same series, in the same order. */
  readonly identity?: object;
  /** The labels of the i-th series; not to be called on a set that another thread shared. */
  labels(i: number): Labels;
  /** About how many samples the i-th series' chunks that overlap the range hold. Reads no chunk. */
  sampleEstimate(i: number): number;
  /**
   * Appends the float samples of the i-th series' chunks that overlap the range, in time order, behind what `scratch`
   * holds; the caller clips. Stale markers are left out when `dropStale`.
   * @throws CorruptionError when the stored bytes are not what their format says.
   */
  appendFloats(i: number, scratch: XorScratch, dropStale: boolean): void;
  /**
   * Appends the native histograms of the i-th series' chunks that overlap the range behind what `into` holds, in time order
   * as far as its chunks are; the caller orders and clips. `scratch` is used to read with; stale ones are kept.
   * @throws CorruptionError as appendFloats.
   */
  appendHistograms(i: number, scratch: XorScratch, into: HistogramColumns): void;
  /** The series of these numbers, in this order, as plain data for another thread. */
  share(indexes: readonly number[]): unknown;
}
