/** The parts of the language that Prometheus keeps behind feature flags. */
export interface ParseOptions {
  /** limitk, limit_ratio and the functions that are marked experimental. */
  readonly experimentalFunctions: boolean;
  /** Arithmetic in ranges and offsets: `[5m * 2]`. On by default since 3.14. */
  readonly durationExpr: boolean;
  /** `anchored` and `smoothed`. */
  readonly extendedRangeSelectors: boolean;
  /** `fill(0)` and its kin. */
  readonly binopFill: boolean;
}

/** Everything on: what Prometheus' own test scripts run with. */
export const ALL_FEATURES: ParseOptions = {
  experimentalFunctions: true,
  durationExpr: true,
  extendedRangeSelectors: true,
  binopFill: true,
};

/** Everything off. */
export const NO_FEATURES: ParseOptions = {
  experimentalFunctions: false,
  durationExpr: false,
  extendedRangeSelectors: false,
  binopFill: false,
};

/** Prometheus 3.14's defaults. */
export const DEFAULT_FEATURES: ParseOptions = { ...NO_FEATURES, durationExpr: true };
