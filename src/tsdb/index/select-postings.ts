/**
 * Matchers to postings, over any index that can list a label's values (head now, blocks later).
 *
 * Behaviour: prometheus tsdb/querier.go PostingsForMatchers. A matcher that the empty value satisfies also selects
 * series without the label, so it is applied by taking away what does not match.
 */
import type { Matcher } from '../../model/matcher.ts';
import { EMPTY_POSTINGS, intersect, subtract, union } from './postings.ts';
import type { Postings } from './postings.ts';

/** What a select needs of an index. */
export interface IndexView {
  /** All series, ascending. */
  all(): Postings;
  /** The series of one label pair; empty when there is none. */
  postings(name: string, value: string): Postings;
  /** The union of the postings of those values of a label for which `accept` says yes. */
  postingsWhere(name: string, accept: (value: string) => boolean): Postings;
}

/** The series that satisfy all matchers, ascending. */
export function selectPostings(index: IndexView, matchers: readonly Matcher[]): Postings {
  let selected: Postings | undefined;
  const excluded: Postings[] = [];
  for (const matcher of matchers) {
    if (matcher.matchesEmpty) {
      if (!(matcher.type === '=~' && matcher.value === '.*'))
        excluded.push(notMatching(index, matcher));
      continue;
    }
    const found = matching(index, matcher);
    selected = selected === undefined ? found : intersect(selected, found);
    if (selected.length === 0) return EMPTY_POSTINGS;
  }
  let result = selected ?? index.all();
  for (const list of excluded) result = subtract(result, list);
  return result;
}

function matching(index: IndexView, matcher: Matcher): Postings {
  const set = matcher.type === '=' || matcher.type === '=~' ? matcher.setMatches : undefined;
  if (set !== undefined) return union(set.map((value) => index.postings(matcher.name, value)));
  return index.postingsWhere(matcher.name, (value) => matcher.matches(value));
}

function notMatching(index: IndexView, matcher: Matcher): Postings {
  // `!=` and `!~` of a finite set exclude just its values; `=""` and the like exclude what they do not accept.
  const set = matcher.type === '!=' || matcher.type === '!~' ? matcher.setMatches : undefined;
  if (set !== undefined) return union(set.map((value) => index.postings(matcher.name, value)));
  return index.postingsWhere(matcher.name, (value) => !matcher.matches(value));
}
