/**
 * The query log: a JSON line for each query that was evaluated, as Prometheus writes them to the file that its
 * `query_log_file` names. Behaviour: prometheus promql/engine.go, web/api/v1, common/promslog.
 */
import type { InstantParams, RangeParams } from '../../http/query-service.ts';
import type { QueryStatistics } from '../../http/query-stats.ts';

/** A query and how it ended. */
export interface LoggedQuery {
  readonly params: InstantParams | RangeParams;
  readonly stats: QueryStatistics;
  /** What is wrong, for one that failed. */
  readonly error?: string;
}

/** Without tracing there are no spans, which Prometheus shows in this way. */
const SPAN_ID = '0'.repeat(16);
const TRACE_ID = '0'.repeat(32);

/** The line of a query that ended at a time (ms), without its newline. */
export function queryLogLine({ params, stats, error }: LoggedQuery, endedMs: number): string {
  const { origin } = params;
  const line = {
    time: isoTime(endedMs),
    level: 'INFO',
    msg: 'promql query logged',
    params: loggedParams(params),
    ...(error === undefined ? {} : { error }),
    stats,
    spanID: SPAN_ID,
    traceID: TRACE_ID,
    ...(origin === undefined ? {} : { httpRequest: origin }),
  };
  return JSON.stringify(line);
}

/** In the order of their names. */
function loggedParams(params: InstantParams | RangeParams): Record<string, string | number> {
  const instant = 'timeMs' in params;
  return {
    end: isoTime(instant ? params.timeMs : params.endMs),
    query: params.query,
    start: isoTime(instant ? params.timeMs : params.startMs),
    step: instant ? 0 : Math.floor(params.stepMs / 1000),
  };
}

/** limit: of JavaScript's dates; times beyond it are shown as its last one. */
const DATE_MS_MAX = 8.64e15;

function isoTime(ms: number): string {
  return new Date(Math.min(Math.max(ms, -DATE_MS_MAX), DATE_MS_MAX)).toISOString();
}
