/** `/api/v1/series`, `/api/v1/labels` and `/api/v1/label/:name/values`. */
import { CodedError } from '../lib/errors.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { quote } from '../promql/parse/quote.ts';
import type { ApiCall } from './api-call.ts';
import { paramError, withParam } from './api-params.ts';
import { unescapeLabelName } from './label-name.ts';
import { checkMatcherSets, parseLimit, parseTimeParam } from './params.ts';
import type { MetadataParams, QueryAnswer } from './query-service.ts';
import { checkThanosParams } from './thanos-params.ts';

/** Answers with the label sets of the series that match. */
export async function series(call: ApiCall): Promise<QueryAnswer> {
  const selectors = call.form.getAll('match[]');
  if (selectors.length === 0) throw new CodedError('bad_data', 'no match[] parameter provided');
  const range = rangeParams(call);
  const matcherSets = withParam(call, 'match[]', () => checkMatcherSets(selectors));
  return call.options.service.series({ ...range, matcherSets }, call.signal).catch((thrown) => {
    throw paramError(call, 'match[]', thrown);
  });
}

/** Answers with the label names of the series that match. */
export async function labelNames(call: ApiCall): Promise<QueryAnswer> {
  return call.options.service.labelNames(metadataParams(call), call.signal);
}

/** Answers with the values that a label has in the series that match. */
export async function labelValues(call: ApiCall): Promise<QueryAnswer> {
  const name = unescapeLabelName(call.name);
  if (name === '' || !name.isWellFormed()) {
    throw new CodedError('bad_data', `invalid label name: ${quote(name)}`);
  }
  return call.options.service.labelValues({ ...metadataParams(call), name }, call.signal);
}

function metadataParams(call: ApiCall): MetadataParams {
  const range = rangeParams(call);
  // compat: only /series names the parameter in what is wrong with a matcher.
  return { ...range, matcherSets: checkMatcherSets(call.form.getAll('match[]')) };
}

function rangeParams(call: ApiCall): Omit<MetadataParams, 'matcherSets'> {
  const { form } = call;
  const limit = withParam(call, 'limit', () => parseLimit(form.get('limit')));
  const mint = withParam(call, 'start', () => parseTimeParam('start', form.get('start'), MIN_TIME));
  const maxt = withParam(call, 'end', () => parseTimeParam('end', form.get('end'), MAX_TIME));
  checkThanosParams(form);
  return { limit, mint, maxt };
}
