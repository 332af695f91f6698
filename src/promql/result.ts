/**
 * Results of queries, in columns, ready to be streamed. All arrays belong to the caller.
 *
 * A matrix keeps the samples of all series one after the other: series i has the samples offsets[i] (inclusive) to
 * offsets[i + 1] (exclusive) of `t` and `v`, so `offsets` has one element more than `labels`. A series may have floats and native histograms.
 *
 *   labels   [ {a}        {b}     ]
 *   offsets  [ 0          3      5 ]
 *   t        [ 10 20 30   10  30   ]   ms since the epoch
 *   v        [ 1  2  3    7   9    ]
 *
 * Timestamps are those of the steps, except for an instant query of a range selector, whose samples keep their own.
 * Series without any sample do not occur. -0 is a value of its own and prints as "-0".
 */
import type { FloatHistogram } from '../model/float-histogram/float-histogram.ts';
import type { MatrixHistograms } from '../model/float-histogram/matrix-histograms.ts';
import type { Labels } from '../model/labels.ts';
import type { ProfiledNode } from './exec/profile.ts';

/** The series of a range query, or of an instant query of a range selector, sorted by labels. */
export interface MatrixResult {
  readonly type: 'matrix';
  readonly labels: readonly Labels[];
  readonly offsets: Uint32Array;
  readonly t: Float64Array;
  readonly v: Float64Array;
  readonly histograms: MatrixHistograms;
}

/** The series of an instant query with one value each, in the order that sort() and topk() give. */
export interface VectorResult {
  readonly type: 'vector';
  readonly labels: readonly Labels[];
  /** The evaluation time, ms. */
  readonly t: number;
  readonly v: Float64Array;
  /** The native histogram of each series that has one in place of a number; undefined when none has. */
  readonly histograms: readonly (FloatHistogram | undefined)[] | undefined;
}

/** A number. */
export interface ScalarResult {
  readonly type: 'scalar';
  readonly t: number;
  readonly v: number;
}

/** A text. */
export interface StringResult {
  readonly type: 'string';
  readonly t: number;
  readonly v: string;
}

/** What a query cost. */
export interface QueryStats {
  /** Samples that selectors looked at, as Prometheus counts totalQueryableSamples. */
  readonly samplesTotal: number;
  /** The most samples that were held at one time. */
  readonly samplesPeak: number;
  /** All of it, ms; what is left beside the other two is sorting the result. */
  readonly elapsedMs: number;
  /** Parsing, planning and finding the series, ms. */
  readonly prepareMs: number;
  /** Reading samples and computing, ms. */
  readonly evalMs: number;
}

/** A result with what there is to say about it. */
export type QueryResult = (MatrixResult | VectorResult | ScalarResult | StringResult) & {
  /** Texts with "PromQL warning: " and the position in the query. */
  readonly warnings: readonly string[];
  /** Texts with "PromQL info: " and the position in the query. */
  readonly infos: readonly string[];
  readonly stats: QueryStats;
  /** What each operator took, when the query was to be analyzed. */
  readonly analysis?: ProfiledNode;
};
