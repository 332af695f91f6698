/**
 * The names of what an index cache holds, so that all programs of a fleet find what one of them has stored:
 *
 *   P:BLOCK:HASH(name:value):dss     postings of a label
 *   EP:BLOCK:HASH(matchers):dss      postings of all matchers of a query
 *   S:BLOCK:REF                      a series
 *
 * HASH is blake2b-256 in base64 for URLs, without padding. Format: thanos pkg/store/cache/cache.go.
 */
import type { Hashes } from '../../cache/hashes.ts';
import { goBytes, quoteGo } from '../../lib/go-strings.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Matcher, MatchType } from '../../model/matcher.ts';

/** The codec of postings that the key names. */
const CODEC = 'dss';

/** A label of a block. */
export interface PostingsLabel {
  readonly name: string;
  readonly value: string;
}

/** The key of a label's postings. */
export function postingsKey(hashes: Hashes, block: string, { name, value }: PostingsLabel): string {
  return `P:${block}:${digest(hashes, `${name}:${value}`)}:${CODEC}`;
}

/** The key of the postings of matchers, which are {@link sortMatchers sorted}. */
export function expandedPostingsKey(
  hashes: Hashes,
  block: string,
  matchers: readonly Matcher[],
): string {
  return `EP:${block}:${digest(hashes, matchersText(matchers))}:${CODEC}`;
}

/** The key of a series; `ref` is its offset in the index (version 2: sixteen times its id). */
export function seriesKey(block: string, ref: number): string {
  return `S:${block}:${ref}`;
}

function digest(hashes: Hashes, text: string): string {
  return Buffer.from(hashes.blake2b256(goBytes(text))).toString('base64url');
}

/** Matchers as Go prints them, with semicolons between them. */
export function matchersText(matchers: readonly Matcher[]): string {
  return matchers.map(matcherText).join(';');
}

/** compat: a name that is no plain one is quoted as well. */
function matcherText({ type, name, value }: Matcher): string {
  const shown = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoteGo(name);
  return shown + type + quoteGo(value);
}

const TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

/** Matchers in the order of the key: by type, name and value. Behaviour: thanos pkg/store/bucket.go (sortedMatchers). */
export function sortMatchers(matchers: readonly Matcher[]): Matcher[] {
  return matchers.toSorted(
    (a, b) =>
      TYPES.indexOf(a.type) - TYPES.indexOf(b.type) ||
      compareUtf8(a.name, b.name) ||
      compareUtf8(a.value, b.value),
  );
}
