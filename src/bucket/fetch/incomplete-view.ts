/** The error of a view in which blocks are missing because something failed. */
import { CodedError } from '../../lib/errors.ts';

/** limit: failures that the text names; when the store is down each block has one. */
const NAMED_MAX = 10;

/**
 * What failed, as one error. Text: thanos pkg/block/fetcher.go and pkg/errutil (MultiError), which names all of them.
 */
export function incompleteView(failures: readonly CodedError[]): CodedError {
  const [first] = failures;
  const named = failures.slice(0, NAMED_MAX).map(({ message }) => message);
  const rest = failures.length - named.length;
  const count = failures.length > 1 ? `${failures.length} errors: ` : '';
  const more = rest > 0 ? `; and ${rest} more` : '';
  const text = `incomplete view: ${count}${named.join('; ')}${more}`;
  return new CodedError(first?.code ?? 'internal', text, { cause: first });
}
