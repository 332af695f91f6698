/** `/api/v1/admin/tsdb/*`: what changes a TSDB. Texts: prometheus web/api/v1/api.go. */
import { CodedError, errorText } from '../lib/errors.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { parseMetricSelector } from '../promql/parse/parse.ts';
import { NO_CONTENT, jsonAnswer } from './api-answer.ts';
import type { ApiCall } from './api-call.ts';
import { withParam } from './api-params.ts';
import { AnswerError } from './envelope.ts';
import { toSpecs } from './matcher-specs.ts';
import { parseBool, parseTimeParam } from './params.ts';
import type { QueryAnswer } from './query-service.ts';
import type { TsdbService } from './tsdb-service.ts';

/** Deletes samples of the series that match. */
export async function deleteSeries(call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  checkEnabled(call);
  const { form } = call;
  const selectors = form.getAll('match[]');
  if (selectors.length === 0) throw new CodedError('bad_data', 'no match[] parameter provided');
  const mint = withParam(call, 'start', () => parseTimeParam('start', form.get('start'), MIN_TIME));
  const maxt = withParam(call, 'end', () => parseTimeParam('end', form.get('end'), MAX_TIME));
  const matcherSets = withParam(call, 'match[]', () =>
    selectors.map((selector) => toSpecs(parseMetricSelector(selector))),
  );
  await tsdb.deleteSeries(matcherSets, mint, maxt);
  return NO_CONTENT;
}

/** Writes blocks anew without what was deleted. */
export async function cleanTombstones(call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  checkEnabled(call);
  await tsdb.cleanTombstones();
  return NO_CONTENT;
}

/** Makes a copy of all blocks beside them, and answers its name. */
export async function snapshot(call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  checkEnabled(call);
  const text = call.form.get('skip_head');
  const skipHead = text !== '' && withParam(call, 'skip_head', () => parseSkipHead(text));
  return jsonAnswer(JSON.stringify({ name: await tsdb.snapshot(skipHead) }));
}

function parseSkipHead(text: string): boolean {
  try {
    return parseBool(text);
  } catch (thrown) {
    const reason = `unable to parse boolean: ${errorText(thrown)}`;
    throw new CodedError('bad_data', reason, { cause: thrown });
  }
}

function checkEnabled({ options }: ApiCall): void {
  if (options.adminApi === true) return;
  // compat: Prometheus has no status for its type "unavailable", so that it falls to 500.
  throw new AnswerError('unavailable', 500, 'admin APIs disabled');
}
