/** What the query endpoints ask of whoever evaluates: a boundary of bytes, so that results may come from a worker. */

/** An answer's `data` member as UTF-8 JSON in pieces, and what goes beside it. */
export interface QueryAnswer {
  /** In order; memory of the caller's own, not shared with another thread. */
  readonly data: readonly Uint8Array[];
  /** Shown as `warnings`: what may be wrong with the data, such as a partial answer. */
  readonly warnings: readonly string[];
  /** Shown as `infos`: what may be wrong with the query. */
  readonly infos: readonly string[];
}

/** The warning of an answer that was cut to the limit that the request asked for. */
export const TRUNCATED_WARNING = 'results truncated due to limit';

/** Who asked a query over HTTP, for the query log. */
export interface QueryOrigin {
  readonly clientIP: string;
  readonly method: string;
  readonly path: string;
}

/** What both kinds of query have. */
export interface QueryParams {
  readonly query: string;
  /** Milliseconds from now on, above 0; then the promise rejects with `timeout`. */
  readonly timeoutMs: number;
  /** The lookback delta that the request asks for, in ms, above 0. */
  readonly lookbackMs?: number;
  /** At most so many series, with {@link TRUNCATED_WARNING} when there are more; above 0. */
  readonly limit?: number;
  /** Which figures about itself the answer is to hold, as its member `stats`; none when absent. */
  readonly stats?: 'true' | 'all';
  /** Whether the answer is to say what each operator took, as its member `analysis`. */
  readonly analyze?: boolean;
  readonly origin?: QueryOrigin;
}

/** A query at one time. */
export interface InstantParams extends QueryParams {
  readonly timeMs: number;
}

/** A query at start, start + step, … up to end; at most 11,001 steps. */
export interface RangeParams extends QueryParams {
  readonly startMs: number;
  readonly endMs: number;
  /** A whole number above 0. */
  readonly stepMs: number;
}

/** What the metadata endpoints have. Both ends of the range are inclusive. */
export interface MetadataParams {
  /**
   * Selectors, each with a matcher that does not match the empty text; series match any of them. Long ones are not checked
   * yet: what is wrong with them is `bad_data`.
   */
  readonly matcherSets: readonly string[];
  readonly mint: number;
  readonly maxt: number;
  /** At most so many entries, with {@link TRUNCATED_WARNING} when there are more; 0 is no limit. */
  readonly limit: number;
}

/**
 * Answers queries. Promises reject with CodedError; `bad_data` is what is wrong with the query itself. An aborted
 * signal makes them reject with `canceled` and frees what they hold.
 */
export interface QueryService {
  instant(params: InstantParams, signal: AbortSignal): Promise<QueryAnswer>;
  range(params: RangeParams, signal: AbortSignal): Promise<QueryAnswer>;
  /** How a query would be evaluated, `{"name":…,"children":[…]}`; no data are asked. */
  explain(params: InstantParams | RangeParams, signal: AbortSignal): Promise<QueryAnswer>;
  /** Label sets; there is at least one matcher set. */
  series(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer>;
  /** Sorted names; no matcher set means all series. */
  labelNames(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer>;
  /** Sorted values of a label; no matcher set means all series. */
  labelValues(
    params: MetadataParams & { readonly name: string },
    signal: AbortSignal,
  ): Promise<QueryAnswer>;
}
