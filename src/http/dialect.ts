/**
 * The differences between the answers of Prometheus and of Thanos, in one table. `thanos all` speaks Prometheus'
 * dialect, the other components Thanos'.
 */

/** How an API answers. */
export interface Dialect {
  readonly name: 'prometheus' | 'thanos';
  /** The text of an error about one parameter. */
  paramError(name: string, text: string): string;
  /** The text of an error about lookback_delta. */
  lookbackError(text: string): string;
  /** Whether infos have a member of their own; otherwise they are warnings. */
  readonly infos: boolean;
  /** The status of a query that was canceled. */
  readonly canceledStatus: number;
  /** Whether query_range does without `step`. */
  readonly stepOptional: boolean;
}

/** Prometheus 3.14. */
export const prometheusDialect: Dialect = {
  name: 'prometheus',
  paramError: (name, text) => `invalid parameter "${name}": ${text}`,
  lookbackError: (text) => `error parsing lookback delta duration: ${text}`,
  infos: true,
  canceledStatus: 499,
  stepOptional: false,
};

/** Thanos 0.43. */
export const thanosDialect: Dialect = {
  name: 'thanos',
  paramError: (_name, text) => text,
  lookbackError: (text) => `'lookback_delta' parameter: ${text}`,
  infos: false,
  canceledStatus: 503,
  stepOptional: true,
};
