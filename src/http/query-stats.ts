/**
 * What a query cost, with Prometheus' names: the member `stats` of answers and of lines of the query log. What is not
 * measured is left out. Behaviour: prometheus util/stats/query_stats.go.
 */

/** Times in seconds, by what was done in them. */
export interface QueryTimings {
  /** Everything but waiting. */
  readonly evalTotalTime: number;
  readonly resultSortTime?: number;
  /** Parsing, planning and finding the series. */
  readonly queryPreparationTime?: number;
  /** Reading samples and computing. */
  readonly innerEvalTime?: number;
  readonly execQueueTime: number;
  readonly execTotalTime: number;
}

/** Numbers of samples. */
export interface QuerySamples {
  /** `[time in seconds, samples]` of each step; only on request. */
  readonly totalQueryableSamplesPerStep?: readonly (readonly [number, number])[];
  readonly totalQueryableSamples: number;
  readonly peakSamples: number;
}

/** All of it, in the order in which it is written. */
export interface QueryStatistics {
  readonly timings: QueryTimings;
  /** Absent for a query that failed. */
  readonly samples?: QuerySamples;
}
