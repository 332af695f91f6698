/** The sentence for a disk that refuses. */
import { CodedError, errorText } from './errors.ts';

/** Runs an operation on files; `doing` is the beginning of the sentence. @throws CodedError unavailable. */
export function onDisk<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw diskError(doing, thrown);
  }
}

/** The error for what an operation on files threw: a CodedError as it is. */
export function diskError(doing: string, thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  return new CodedError('unavailable', `${doing}: ${errorText(thrown)}`, { cause: thrown });
}
