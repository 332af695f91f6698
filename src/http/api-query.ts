/** `/api/v1/query` and `/api/v1/query_range`: parameters in Prometheus' order of checks, then Thanos' own. */
import { CodedError } from '../lib/errors.ts';
import type { ApiCall } from './api-call.ts';
import { paramError, withParam } from './api-params.ts';
import { parseDurationParam, parseLimit, parseTime, parseTimeParam } from './params.ts';
import type { InstantParams, QueryAnswer, QueryParams, RangeParams } from './query-service.ts';
import { checkThanosParams, engineOf, isAnalyzeAsked } from './thanos-params.ts';

/** limit: of Prometheus, for the points of one series: 60 s steps for a week, 1 h steps for a year. */
const STEPS_MAX = 11_000;

/** Thanos' step when a range query names none: a 250th of the range, at least a second. */
const DEFAULT_STEPS = 250;

/** Answers an instant query. */
export async function instantQuery(call: ApiCall): Promise<QueryAnswer> {
  const { options, signal } = call;
  return finish(call, options.service.instant(instantParams(call), signal));
}

/** Answers a range query. */
export async function rangeQuery(call: ApiCall): Promise<QueryAnswer> {
  const { options, signal } = call;
  return finish(call, options.service.range(rangeParams(call), signal));
}

/** Answers how an instant query would be evaluated. */
export async function explainInstant(call: ApiCall): Promise<QueryAnswer> {
  requireExplainable(call);
  return explain(call, instantParams(call));
}

/** The same for a range query. */
export async function explainRange(call: ApiCall): Promise<QueryAnswer> {
  requireExplainable(call);
  return explain(call, rangeParams(call));
}

function requireExplainable(call: ApiCall): void {
  if (!isThanosEngine(call)) throw new CodedError('bad_data', "engine type must be 'thanos'");
}

/** Whether the engine is asked for that explains and analyzes in Thanos. */
function isThanosEngine({ form, options }: ApiCall): boolean {
  return engineOf(form, options.defaultEngine) === 'thanos';
}

async function explain(call: ApiCall, params: InstantParams | RangeParams): Promise<QueryAnswer> {
  const { options, signal } = call;
  return options.service.explain(params, signal).catch((thrown: unknown) => {
    throw paramError(call, 'query', thrown);
  });
}

function instantParams(call: ApiCall): InstantParams {
  const { form, options } = call;
  const limit = withParam(call, 'limit', () => parseLimit(form.get('limit')));
  const now = options.clock.now();
  const timeMs = withParam(call, 'time', () => parseTimeParam('time', form.get('time'), now));
  return { ...queryParams(call, limit), timeMs };
}

function rangeParams(call: ApiCall): RangeParams {
  const { form, options } = call;
  const { dialect } = options;
  const limit = withParam(call, 'limit', () => parseLimit(form.get('limit')));
  const startMs = withParam(call, 'start', () => parseTime(form.get('start')));
  const endMs = withParam(call, 'end', () => parseTime(form.get('end')));
  if (endMs < startMs) {
    const text = 'end timestamp must not be before start time';
    throw new CodedError('bad_data', dialect.paramError('end', text));
  }
  const stepMs = stepParam(call, endMs - startMs);
  if (Math.trunc((endMs - startMs) / stepMs) > STEPS_MAX) {
    throw new CodedError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  return { ...queryParams(call, limit), startMs, endMs, stepMs };
}

function stepParam(call: ApiCall, rangeMs: number): number {
  const { dialect } = call.options;
  const text = call.form.get('step');
  if (text === '' && dialect.stepOptional) {
    return Math.max(Math.trunc(rangeMs / 1000 / DEFAULT_STEPS), 1) * 1000;
  }
  // The engine's grid is in whole milliseconds; what is shorter than one is no step.
  const stepMs = Math.trunc(withParam(call, 'step', () => parseDurationParam(text)));
  if (stepMs <= 0) {
    const reason =
      'zero or negative query resolution step widths are not accepted. Try a positive integer';
    throw new CodedError('bad_data', dialect.paramError('step', reason));
  }
  return stepMs;
}

function queryParams(call: ApiCall, limit: number): QueryParams {
  const { form, options } = call;
  const timeoutText = form.get('timeout');
  let timeoutMs = options.queryTimeoutMs;
  if (timeoutText !== '') {
    const asked = withParam(call, 'timeout', () => parseDurationParam(timeoutText));
    timeoutMs = Math.min(timeoutMs, asked);
  }
  const lookbackText = form.get('lookback_delta');
  const lookbackMs = lookbackText === '' ? 0 : lookbackParam(call, lookbackText);
  checkThanosParams(form);
  if (timeoutMs <= 0) {
    throw new CodedError('timeout', 'query timed out in expression evaluation');
  }
  return {
    query: form.get('query'),
    timeoutMs,
    ...(lookbackMs > 0 ? { lookbackMs } : {}),
    ...(limit > 0 ? { limit } : {}),
    ...statsParam(form.get('stats')),
    ...(isAnalyzeAsked(form) && isThanosEngine(call) ? { analyze: true } : {}),
    ...(call.origin === undefined ? {} : { origin: call.origin }),
  };
}

/** Any value asks for figures, and `all` for those of each step, too. */
function statsParam(text: string): Pick<QueryParams, 'stats'> {
  if (text === '') return {};
  return { stats: text === 'all' ? 'all' : 'true' };
}

function lookbackParam(call: ApiCall, text: string): number {
  try {
    return parseDurationParam(text);
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    throw new CodedError('bad_data', call.options.dialect.lookbackError(thrown.message));
  }
}

/** Names the parameter in what is wrong with the query, and adds what is to be said about the request. */
async function finish(call: ApiCall, answer: Promise<QueryAnswer>): Promise<QueryAnswer> {
  const result = await answer.catch((thrown: unknown) => {
    throw paramError(call, 'query', thrown);
  });
  const more = requestWarnings(call);
  return more.length === 0 ? result : { ...result, warnings: [...result.warnings, ...more] };
}

function requestWarnings(call: ApiCall): string[] {
  const { form, options } = call;
  const warnings: string[] = [];
  // There is one engine. It takes itself apart when it is asked by the name of the one that does so in Thanos.
  if (isAnalyzeAsked(form) && !isThanosEngine(call))
    warnings.push("Query not analyzable; change engine to 'thanos'.");
  if (options.dialect.name !== 'prometheus') return warnings;
  const stats = form.get('stats');
  if (!['', 'true', 'all'].includes(stats)) {
    warnings.push(
      `value ${JSON.stringify(stats)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
    );
  }
  return warnings;
}
