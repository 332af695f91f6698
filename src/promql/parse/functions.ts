/** The functions of PromQL (Prometheus 3.14) with the types of their arguments and results. */
import type { ValueType } from './value-type.ts';

/** What the parser knows of a function. */
export interface FunctionSignature {
  readonly name: string;
  readonly args: readonly ValueType[];
  /** How often the last argument may be left out or repeated: 0 never, -1 without end, n up to n times. */
  readonly variadic: number;
  readonly returns: ValueType;
  /** Whether it needs the feature option `experimentalFunctions`. */
  readonly experimental: boolean;
}

interface Family {
  readonly args: readonly ValueType[];
  readonly names: string;
  readonly variadic?: number;
  readonly returns?: ValueType;
  readonly experimental?: true;
}

const FAMILIES: readonly Family[] = [
  {
    args: ['vector'],
    names: `abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg
      histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin
      sinh sort sort_desc sqrt tan tanh timestamp`,
  },
  {
    args: ['matrix'],
    names: `absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta
      increase irate last_over_time max_over_time min_over_time present_over_time rate resets
      stddev_over_time stdvar_over_time sum_over_time`,
  },
  {
    args: ['matrix'],
    names: `mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
      ts_of_min_over_time`,
    experimental: true,
  },
  {
    args: ['vector'],
    names: 'day_of_month day_of_week day_of_year days_in_month hour minute month year',
    variadic: 1,
  },
  { args: ['vector'], names: 'scalar', returns: 'scalar' },
  { args: ['vector'], names: 'start_timestamp', experimental: true },
  { args: ['scalar'], names: 'vector' },
  { args: [], names: 'pi time', returns: 'scalar' },
  { args: [], names: 'end range start step', returns: 'scalar', experimental: true },
  { args: ['scalar', 'scalar'], names: 'max_of min_of', returns: 'scalar', experimental: true },
  { args: ['vector', 'scalar'], names: 'clamp_max clamp_min' },
  { args: ['vector', 'scalar'], names: 'round', variadic: 1 },
  { args: ['vector', 'scalar', 'scalar'], names: 'clamp' },
  { args: ['matrix', 'scalar'], names: 'predict_linear' },
  { args: ['scalar', 'matrix'], names: 'quantile_over_time' },
  {
    args: ['matrix', 'scalar', 'scalar'],
    names: 'double_exponential_smoothing',
    experimental: true,
  },
  { args: ['scalar', 'vector'], names: 'histogram_quantile' },
  { args: ['scalar', 'scalar', 'vector'], names: 'histogram_fraction' },
  {
    args: ['vector', 'string', 'scalar', 'scalar'],
    names: 'histogram_quantiles',
    variadic: 9,
    experimental: true,
  },
  { args: ['vector', 'vector'], names: 'info', variadic: 1, experimental: true },
  { args: ['vector', 'string', 'string', 'string'], names: 'label_join', variadic: -1 },
  { args: ['vector', 'string', 'string', 'string', 'string'], names: 'label_replace' },
  {
    args: ['vector', 'string'],
    names: 'sort_by_label sort_by_label_desc',
    variadic: -1,
    experimental: true,
  },
];

/** All functions by name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map(
  FAMILIES.flatMap(({ args, names, variadic = 0, returns = 'vector', experimental = false }) =>
    names
      .split(/\s+/)
      .map((name): [string, FunctionSignature] => [
        name,
        { name, args, variadic, returns, experimental },
      ]),
  ),
);
