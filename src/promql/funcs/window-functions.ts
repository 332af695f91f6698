/** Range functions by their PromQL names. */
import * as overTime from './over-time.ts';
import * as ranked from './ranked-windows.ts';
import * as rates from './rate.ts';
import type { WindowFunction } from './series-windows.ts';

/** Functions of a range vector; scalar arguments come as `params`, in the order of the call. */
export const WINDOW_FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map([
  ['rate', rates.rate],
  ['increase', rates.increase],
  ['delta', rates.delta],
  ['irate', rates.irate],
  ['idelta', rates.idelta],
  ['resets', rates.resets],
  ['changes', rates.changes],
  ['deriv', rates.deriv],
  ['predict_linear', rates.predictLinear],
  ['sum_over_time', overTime.sumOverTime],
  ['avg_over_time', overTime.avgOverTime],
  ['min_over_time', overTime.minOverTime],
  ['max_over_time', overTime.maxOverTime],
  ['count_over_time', overTime.countOverTime],
  ['last_over_time', overTime.lastOverTime],
  ['first_over_time', overTime.firstOverTime],
  ['present_over_time', overTime.presentOverTime],
  ['stddev_over_time', overTime.stddevOverTime],
  ['stdvar_over_time', overTime.stdvarOverTime],
  ['quantile_over_time', ranked.quantileOverTime],
  ['mad_over_time', ranked.madOverTime],
  ['ts_of_first_over_time', overTime.tsOfFirstOverTime],
  ['ts_of_last_over_time', overTime.tsOfLastOverTime],
  ['ts_of_min_over_time', overTime.tsOfMinOverTime],
  ['ts_of_max_over_time', overTime.tsOfMaxOverTime],
  ['double_exponential_smoothing', overTime.doubleExponentialSmoothing],
]);
