/**
 * The parameters that Thanos adds to the query API. `thanos all` has one storage and one engine, so most of them
 * choose nothing; their values are checked as Thanos checks them.
 */
import { CodedError, errorText } from '../lib/errors.ts';
import { parseMetricSelector } from '../promql/parse/parse.ts';
import type { Form } from './form.ts';
import { CHECKED_CHARACTERS_MAX, parseBool, parseDurationParam } from './params.ts';

/** @throws CodedError bad_data for the first value that Thanos refuses. */
export function checkThanosParams(form: Form): void {
  checkBool(form, 'dedup');
  for (const selector of form.getAll('storeMatch[]')) {
    if (selector.length <= CHECKED_CHARACTERS_MAX) parseMetricSelector(selector);
  }
  checkBool(form, 'partial_response');
  checkResolution(form.get('max_source_resolution'));
  checkShardInfo(form.get('shard_info'));
  engineOf(form, 'prometheus');
}

/** The engines that Thanos can choose from. There is one here: the names decide only about explaining and analyzing. */
export type PromqlEngine = 'prometheus' | 'thanos';

/**
 * The engine that a request names, or the default one.
 * @throws CodedError bad_data when it names another.
 */
export function engineOf(form: Form, other: PromqlEngine = 'prometheus'): PromqlEngine {
  const engine = form.get('engine');
  if (engine === '') return other;
  if (engine === 'prometheus' || engine === 'thanos') return engine;
  throw new CodedError('bad_data', `'${engine}' bad engine`);
}

/** Whether a query is to be analyzed. As in Thanos, anything but these two values says no. */
export function isAnalyzeAsked(form: Form): boolean {
  return ['true', '1'].includes(form.get('analyze'));
}

function checkBool(form: Form, name: string): void {
  const text = form.get(name);
  if (text !== '') about(name, () => parseBool(text));
}

function checkResolution(text: string): void {
  const name = 'max_source_resolution';
  if (text === '' || text === 'auto') return;
  if (about(name, () => parseDurationParam(text)) < 0) {
    const reason = `negative '${name}' is not accepted. Try a positive integer`;
    throw new CodedError('bad_data', reason);
  }
}

function checkShardInfo(text: string): void {
  if (text === '') return;
  try {
    JSON.parse(text);
  } catch (thrown) {
    const reason = `could not unmarshal parameter shard_info: ${errorText(thrown)}`;
    throw new CodedError('bad_data', reason, { cause: thrown });
  }
}

function about<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw new CodedError('bad_data', `'${name}' parameter: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
