/** What a query cost and how it failed, in Prometheus' terms: for answers, the log and metrics. */
import type { InstantParams, RangeParams } from '../../http/query-service.ts';
import type { QuerySamples, QueryStatistics } from '../../http/query-stats.ts';
import { CodedError } from '../../lib/errors.ts';
import type { QueryResult, QueryStats } from '../../promql/result.ts';

/** The statistics of a query that waited for so long; per step only where there is one step, which is all of it. */
export function statisticsOf(
  { type, stats }: Pick<QueryResult, 'type' | 'stats'>,
  params: InstantParams | RangeParams,
  { queueMs, perStep }: { readonly queueMs: number; readonly perStep: boolean },
): QueryStatistics {
  const { elapsedMs, prepareMs, evalMs } = stats;
  const timings = {
    evalTotalTime: seconds(elapsedMs),
    resultSortTime: type === 'matrix' ? seconds(elapsedMs - prepareMs - evalMs) : 0,
    queryPreparationTime: seconds(prepareMs),
    innerEvalTime: seconds(evalMs),
    execQueueTime: seconds(queueMs),
    execTotalTime: seconds(queueMs + elapsedMs),
  };
  const samples = samplesOf(stats, perStep ? onlyStep(params) : undefined);
  return { timings, samples };
}

function samplesOf(
  { samplesTotal, samplesPeak }: QueryStats,
  stepMs: number | undefined,
): QuerySamples {
  const totals = { totalQueryableSamples: samplesTotal, peakSamples: samplesPeak };
  if (stepMs === undefined) return totals;
  return { totalQueryableSamplesPerStep: [[stepMs / 1000, samplesTotal]], ...totals };
}

/** The time of the only step; undefined when there are more. */
function onlyStep(params: InstantParams | RangeParams): number | undefined {
  if ('timeMs' in params) return params.timeMs;
  return params.startMs + params.stepMs > params.endMs ? params.startMs : undefined;
}

/** The statistics of a query that failed after so long: what it had read by then is not known. */
export function failedStatistics(queueMs: number, totalMs: number): QueryStatistics {
  return {
    timings: {
      evalTotalTime: seconds(totalMs - queueMs),
      execQueueTime: seconds(queueMs),
      execTotalTime: seconds(totalMs),
    },
  };
}

/** In whole nanoseconds, as Go's durations are. */
function seconds(ms: number): number {
  return Math.max(0, Math.round(ms * 1e6)) / 1e9;
}

/** What V8 says about arrays and maps that are too large for it or for the memory of the machine. */
const TOO_MANY: readonly string[] = [
  'Array buffer allocation failed',
  'Invalid typed array length',
  'Invalid array length',
  'Map maximum size exceeded',
  'Set maximum size exceeded',
];

/** The error of a query that does not fit into memory. */
export function tooManySamples(cause: unknown): CodedError {
  const text = 'query processing would load too many samples into memory in query execution';
  return new CodedError('execution', text, { cause });
}

/** Failures of the evaluation: what is too large is the query's fault, whoever notices it. */
export function evaluationError(thrown: unknown): unknown {
  if (!(thrown instanceof RangeError)) return thrown;
  const { message } = thrown;
  if (TOO_MANY.some((text) => message.startsWith(text))) return tooManySamples(thrown);
  if (message.startsWith('Invalid string length')) {
    const text = 'query processing would make a label value longer than 512 MiB';
    return new CodedError('too_large', text, { cause: thrown });
  }
  return thrown;
}
