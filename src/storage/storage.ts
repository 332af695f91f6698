/**
 * The narrow waist: what a query engine needs of a storage, in columns.
 *
 * A Queryable lives in the thread that uses it (compute worker or test). A select returns series in label order
 * with *references* to their samples; nothing is decoded before {@link SeriesSet.readFloats}, so a select over a
 * million series costs labels and references only, and shards of one select can be decoded by different workers.
 */
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';

/** What to look for. Times are ms, both ends inclusive. */
export interface SelectRequest {
  readonly matchers: readonly Matcher[];
  readonly mint: number;
  readonly maxt: number;
  readonly hints?: SelectHints;
}

/**
 * What is done with the samples. These are hints and nothing else: a storage may use them to read or send less, and may
 * pass over them. Series stay apart and whole as the matchers say; what is not known is left out.
 */
export interface SelectHints {
  /** The range function that sees the samples, or, when they are seen as they are, the aggregation that does. */
  readonly func?: string;
  /** The width of the windows, ms; 0 when only the newest sample within the lookback is looked at. */
  readonly rangeMs?: number;
  /** From one evaluation to the next, ms; 0 when there is one only. */
  readonly stepMs?: number;
  /** The labels that results are grouped by, or without: of others only that series differ is looked at. */
  readonly grouping?: { readonly labels: readonly string[]; readonly without: boolean };
}

/** A memory of kernels that columns lie in. */
export interface ColumnsMemory {
  /** Its buffer is replaced when it grows, and all views are void then. */
  readonly memory: WebAssembly.Memory;
  /**
   * Room beside the columns: its address, a multiple of 16, which stays the same. What is put there stays until somebody
   * else reserves; columns that were read before may have moved.
   * @throws CodedError too_large when it is too much.
   */
  reserve(bytes: number): number;
}

/**
 * Decoded float samples of one series: `t` in ms, strictly increasing, and `v`, both filled up to `length`.
 *
 * A storage may put views of its own memory in place of `t` and `v`: they are valid until the next readFloats of any
 * set of the same Queryable. So use columns before the next read and before the next await, and copy what must stay.
 */
export class FloatColumns {
  t: Float64Array;
  v: Float64Array;
  length = 0;
  /** The memory that the storage read into: `t` and `v` lie in it when they are views of its buffer. */
  memory: ColumnsMemory | undefined;
  /** False when the storage knows that the series has no native histograms in the range: nobody need ask for them. */
  mayHaveHistograms = true;

  constructor(capacity = 1024) {
    this.t = new Float64Array(capacity);
    this.v = new Float64Array(capacity);
  }

  /** Makes room for so many samples in all, keeping what is there. */
  reserve(capacity: number): void {
    if (capacity <= this.t.length) return;
    const size = Math.max(capacity, this.t.length * 2);
    const t = new Float64Array(size);
    const v = new Float64Array(size);
    t.set(this.t.subarray(0, this.length));
    v.set(this.v.subarray(0, this.length));
    this.t = t;
    this.v = v;
  }
}

/**
 * The series of one select, sorted by labels (UTF-8 byte order), each label set once.
 * Not safe for use by two callers at a time. Valid until {@link SeriesSet.close}.
 */
export interface SeriesSet {
  /** How many series there are. */
  readonly count: number;
  /** What is missing from the set and why, a sentence each: an answer made of it is partial. */
  readonly warnings: readonly string[];
  /** The labels of the i-th series. */
  labels(i: number): Labels;
  /** About how many samples the i-th series has in the selected range: what work is divided by. Cheap. */
  sampleEstimate(i: number): number;
  /**
   * Makes the bytes of series from..to (exclusive) resident, so that readFloats of them is synchronous. A storage
   * that has everything at hand returns undefined.
   */
  load(from: number, to: number): Promise<void> | undefined;
  /**
   * Decodes the i-th series' float samples with mint <= t <= maxt of the request into `into`, replacing what it
   * held. Stale markers are dropped when `dropStale`; otherwise they are kept as bits (see model/value.ts), so check
   * for them with {@link isStaleAt}, never with a number variable.
   * @throws CorruptionError when the stored bytes are not what their format says.
   */
  readFloats(i: number, into: FloatColumns, dropStale: boolean): void;
  /**
   * Decodes the i-th series' native histograms with mint <= t <= maxt of the request into `into`, replacing what it held:
   * in order of time, each time once. Stale ones are kept when not `dropStale`: the bits of their sum tell.
   * @throws CorruptionError as readFloats.
   */
  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void;
  /**
   * The start timestamps (ms; 0: none) of the samples that the last readFloats or readHistograms of the i-th series gave,
   * one each; undefined when the storage keeps none. Valid until the next read.
   */
  readStarts?(i: number, of: 'floats' | 'histograms'): Float64Array | undefined;
  /**
   * A description of series from..to (exclusive) that another thread turns into a set over the same samples with
   * {@link Queryable.openShared}: plain data that survives a structured clone. Series keep their order; the new set
   * counts from 0. Labels need not be available there: only samples are.
   */
  share(from: number, to: number): SharedSeries;
  /** The same for series picked by index, in the order given. */
  sharePicked(indexes: readonly number[]): SharedSeries;
  /** Releases what the select holds. */
  close(): void;
}

/** Series of a select made in another thread, as plain data. What is inside is the storage's own affair. */
export interface SharedSeries {
  readonly count: number;
  readonly mint: number;
  readonly maxt: number;
  readonly payload: unknown;
}

/** Label names or values, sorted by UTF-8 bytes, and what is missing from them. */
export interface Texts {
  readonly texts: readonly string[];
  readonly warnings: readonly string[];
}

/** A storage that can be asked for series. */
export interface Queryable {
  /** Finds series. The promise rejects with CodedError for what the storage refuses. */
  select(request: SelectRequest): Promise<SeriesSet>;
  /** Opens series that a set of this storage shared, in this thread. `labels` of the result is not to be called. */
  openShared(shared: SharedSeries): SeriesSet;
  /** Label names of the series that match any of the matcher sets (none: all series). */
  labelNames(matcherSets: readonly (readonly Matcher[])[], range: TimeRange): Promise<Texts>;
  /** Values of one label, likewise. */
  labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<Texts>;
}

/** A closed range of ms timestamps. */
export interface TimeRange {
  readonly mint: number;
  readonly maxt: number;
}

/** Whether the sample at index i of a column is a stale marker; looks at bits, never at the number. */
export function isStaleAt(halves: Uint32Array, i: number): boolean {
  return halves[2 * i + 1] === STALE_NAN_HI && halves[2 * i] === STALE_NAN_LO;
}
