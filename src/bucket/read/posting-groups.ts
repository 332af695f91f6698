/**
 * Matchers as lists of postings: for each label name the values whose lists are joined, or taken away. Behaviour: thanos
 * pkg/store/bucket.go (matchersToPostingGroups), which answers the same series.
 */
import { throwIfAborted } from '../../lib/abort.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PostingsOffsets, PostingsRange } from '../index-header/postings-offsets.ts';

/** The lists of one label name. */
export interface PostingGroup {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  /** Whether the lists are taken away from the others; otherwise they are joined. */
  readonly removes: boolean;
  readonly lists: readonly PostingList[];
  /** How many series they have altogether, about. */
  readonly cardinality: number;
}

/** The list of one value. */
export interface PostingList {
  readonly value: string;
  readonly range: PostingsRange;
}

/** The name of the list of all series. */
const ALL = '';
/** Length, count and checksum of a list. */
const LIST_BYTES_MIN = 12;

/**
 * The groups of matchers, by name; undefined when nothing can match. One that neither adds nor removes anything is left out; there
 * is always one that adds: the list of all series if need be.
 */
export async function postingGroups(
  postings: PostingsOffsets,
  matchers: readonly Matcher[],
  signal: AbortSignal,
): Promise<PostingGroup[] | undefined> {
  const byName = Map.groupBy(matchers, ({ name }) => name);
  const groups: PostingGroup[] = [];
  for (const name of [...byName.keys()].sort(compareUtf8)) {
    throwIfAborted(signal);
    const ofName = byName.get(name) ?? [];
    const removes = ofName.every((matcher) => matcher.matchesEmpty);
    const lists = removes
      ? await listsToRemove(postings, name, ofName)
      : await listsToAdd(postings, name, ofName);
    if (removes && lists.length === 0) continue;
    if (!removes && lists.length === 0) return undefined;
    groups.push(group(name, ofName, removes, lists));
  }
  if (groups.every(({ removes }) => removes)) {
    const [range] = await postings.find(ALL, ['']);
    if (range === undefined) return undefined;
    groups.push(group(ALL, [], false, [{ value: '', range }]));
  }
  return groups;
}

function group(
  name: string,
  matchers: readonly Matcher[],
  removes: boolean,
  lists: readonly PostingList[],
): PostingGroup {
  const cardinality = lists.reduce(
    (sum, { range }) => sum + Math.max(0, range.end - range.start - LIST_BYTES_MIN) / 4,
    0,
  );
  return { name, matchers, removes, lists, cardinality };
}

/** Values that satisfy all matchers, one of which the empty value does not. */
async function listsToAdd(
  postings: PostingsOffsets,
  name: string,
  matchers: readonly Matcher[],
): Promise<PostingList[]> {
  const accepts = (value: string): boolean => matchers.every((one) => one.matches(value));
  const set = smallestSet(matchers, (type) => type === '=' || type === '=~');
  if (set !== undefined) return find(postings, name, set.filter(accepts));
  return scan(postings, name, accepts);
}

/** Values that do not satisfy all matchers, which the empty value does. */
async function listsToRemove(
  postings: PostingsOffsets,
  name: string,
  matchers: readonly Matcher[],
): Promise<PostingList[]> {
  const real = matchers.filter(({ type, value }) => !(type === '=~' && value === '.*'));
  const sets = real.map((one) =>
    one.type === '!=' || one.type === '!~' ? one.setMatches : undefined,
  );
  if (sets.every((one) => one !== undefined)) {
    return find(postings, name, [...new Set(sets.flat())]);
  }
  return scan(postings, name, (value) => !real.every((one) => one.matches(value)));
}

function smallestSet(
  matchers: readonly Matcher[],
  isOf: (type: Matcher['type']) => boolean,
): readonly string[] | undefined {
  let smallest: readonly string[] | undefined;
  for (const matcher of matchers) {
    const set = isOf(matcher.type) ? matcher.setMatches : undefined;
    if (set !== undefined && (smallest === undefined || set.length < smallest.length))
      smallest = set;
  }
  return smallest;
}

async function find(
  postings: PostingsOffsets,
  name: string,
  values: readonly string[],
): Promise<PostingList[]> {
  const wanted = values.filter((value) => value !== '');
  const ranges = await postings.find(name, wanted);
  return wanted.flatMap((value, i) => {
    const range = ranges[i];
    return range === undefined ? [] : [{ value, range }];
  });
}

async function scan(
  postings: PostingsOffsets,
  name: string,
  accepts: (value: string) => boolean,
): Promise<PostingList[]> {
  const lists: PostingList[] = [];
  await postings.each(name, (value, start, end) => {
    if (accepts(value)) lists.push({ value, range: { start, end } });
  });
  return lists;
}
