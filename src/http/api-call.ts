/** What the API is made of, and one request to it. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { StatusSource } from './api-status.ts';
import type { ParseOptions } from '../promql/parse/options.ts';
import type { Dialect } from './dialect.ts';
import type { Form } from './form.ts';
import type { QueryOrigin, QueryService } from './query-service.ts';
import type { RemoteReadOptions } from './remote-read-handler.ts';
import type { PromqlEngine } from './thanos-params.ts';
import type { TsdbService } from './tsdb-service.ts';

/** What the API is made of. */
export interface ApiOptions {
  readonly service: QueryService;
  readonly status: StatusSource;
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly log: Logger;
  /** The longest that a query may take, in ms; requests may ask for less. */
  readonly queryTimeoutMs: number;
  readonly disableCors: boolean;
  /** The engine of requests that name none, which decides whether they may be analyzed; `prometheus` by default. */
  readonly defaultEngine?: PromqlEngine;
  /** The parts of PromQL that the service's engine has beyond the default ones. */
  readonly promqlFeatures?: Partial<ParseOptions>;
  /** What the endpoints about the TSDB ask; without it they are not implemented. */
  readonly tsdb?: TsdbService;
  /** What answers remote read; without it, it is not implemented. */
  readonly read?: RemoteReadOptions;
  /** Whether the endpoints that change the TSDB do so: `--web.enable-admin-api`. Off by default. */
  readonly adminApi?: boolean;
}

/** One request to an endpoint. */
export interface ApiCall {
  readonly options: ApiOptions;
  readonly form: Form;
  /** The `:name` of the path, as it was sent but for percent escapes. */
  readonly name: string;
  /** Who asks. */
  readonly origin?: QueryOrigin;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}
