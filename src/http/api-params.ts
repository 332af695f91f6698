/** Parameter errors in the words of the API's dialect. */
import { CodedError } from '../lib/errors.ts';
import type { ApiCall } from './api-call.ts';

/** Runs a parser and, where it refuses, names the parameter as the dialect does. */
export function withParam<T>(call: ApiCall, name: string, parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw paramError(call, name, thrown);
  }
}

/** What is wrong with a parameter, naming it as the dialect does; any other failure as it is. */
export function paramError(call: ApiCall, name: string, thrown: unknown): unknown {
  if (!(thrown instanceof CodedError) || thrown.code !== 'bad_data') return thrown;
  const text = call.options.dialect.paramError(name, thrown.message);
  return new CodedError('bad_data', text, { cause: thrown });
}
