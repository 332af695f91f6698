/** Series selectors of requests, in worker threads. The handler has checked that they parse. */
import { CodedError } from '../../lib/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import { parseMetricSelector } from '../../promql/parse/parse.ts';

/** The matchers of a selector. @throws CodedError bad_data for an expression of another kind. */
export function parseSelector(text: string): readonly Matcher[] {
  try {
    return parseMetricSelector(text);
  } catch (thrown) {
    throw new CodedError('bad_data', String(thrown), { cause: thrown });
  }
}
