/** What a fragment computes of each series: plain data, for any thread. */

/** What to compute of each series. */
export interface ScanSpec {
  /** 'value' and 'timestamp' of the last sample of each step, or a range function. */
  readonly func: string;
  readonly params: readonly Float64Array[];
  readonly steps: number;
  /** The end of the first step's window, and from one to the next; ms. */
  readonly refStartMs: number;
  readonly refStepMs: number;
  /** The evaluation time of the first step, and from one to the next; ms. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly lookbackMs: number;
  readonly extension: 'none' | 'anchored' | 'smoothed';
  /** Whether start timestamps are looked at. */
  readonly useStarts: boolean;
  /** Whether counters are corrected as Thanos' querier does it. */
  readonly correctsCounters: boolean;
  /** Whether of native histograms nothing but count and sum is looked at. */
  readonly statsOnly: boolean;
}
