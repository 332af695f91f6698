/** The sentence for a disk that refuses. */
import { CodedError, errorText } from './errors.ts';

/** Runs an operation on files; `doing` is the beginning of the sentence. @throws CodedError unavailable. */
export function onDisk<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    throw new CodedError('unavailable', `${doing}: ${errorText(thrown)}`, { cause: thrown });
  }
}
