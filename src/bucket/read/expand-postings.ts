/**
 * Matchers to the series of a block: postings are taken from a cache or fetched by ranged reads, joined, intersected and taken
 * away. Behaviour: thanos pkg/store/bucket.go (ExpandedPostings, fetchPostings).
 */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Matcher } from '../../model/matcher.ts';
import { EMPTY_POSTINGS, intersect, subtract, union } from '../../tsdb/index/postings.ts';
import type { Postings } from '../../tsdb/index/postings.ts';
import { INDEX_FILE } from '../block-path.ts';
import type { IndexHeader } from '../index-header/index-header.ts';
import { chooseGroups } from './lazy-postings.ts';
import type { LazyPostingsOptions, LazyReason } from './lazy-postings.ts';
import { postingGroups } from './posting-groups.ts';
import type { PostingGroup, PostingList } from './posting-groups.ts';
import { GAP_BYTES_MAX, mergeRanges } from './ranges.ts';
import { readRange } from './stored-block.ts';
import type { LabelPair, ReadCall, StoredBlock } from './stored-block.ts';

/** The series that matchers select in a block. */
export interface ExpandedPostings {
  /** Refs as the index has them: offset / 16 in version 2, the offset in version 1. */
  readonly postings: Postings;
  /** All matchers, as they were given. */
  readonly matchers: readonly Matcher[];
  /** Those that are still to be applied to the labels of the series. */
  readonly lazyMatchers: readonly Matcher[];
}

/** Lazy expansion, and who counts it. */
export interface LazyExpansion extends Omit<LazyPostingsOptions, 'seriesBytesMax'> {
  /** Called for each group that is not fetched. */
  readonly onLazy: (reason: LazyReason, bytes: number) => void;
}

/** The matchers in the order of keys of caches: by type, name and value. */
export function sortMatchers(matchers: readonly Matcher[]): Matcher[] {
  const rank = ({ type }: Matcher): number => ['=', '!=', '=~', '!~'].indexOf(type);
  return matchers.toSorted(
    (a, b) => rank(a) - rank(b) || compareUtf8(a.name, b.name) || compareUtf8(a.value, b.value),
  );
}

/**
 * Finds the series. `matchers` are sorted; without any there are none.
 * @throws LimitError; CorruptionError; CodedError as the bucket does.
 */
export async function expandPostings(
  block: StoredBlock,
  header: IndexHeader,
  matchers: readonly Matcher[],
  call: ReadCall,
  lazy: LazyExpansion | undefined,
): Promise<ExpandedPostings> {
  const nothing = { postings: EMPTY_POSTINGS, matchers, lazyMatchers: [] };
  if (matchers.length === 0) return nothing;
  const { cache, cost, bytesLimit } = call;
  const cached = await cache?.fetchExpanded(block.ulid, matchers, call);
  if (cached !== undefined) {
    bytesLimit.reserve(
      cached.bytes,
      'exceeded bytes limit while loading expanded postings from index cache',
    );
    cost.touch('postings', 1, cached.bytes);
    return { postings: cached.postings, matchers, lazyMatchers: [] };
  }
  const groups = await postingGroups(header.postings, matchers, call.signal);
  if (groups === undefined) {
    cache?.storeExpanded(block.ulid, matchers, EMPTY_POSTINGS, call);
    return nothing;
  }
  const choice =
    lazy === undefined || groups.length < 2
      ? { fetched: groups, lazy: [] }
      : chooseGroups(groups, { ...lazy, seriesBytesMax: block.seriesBytesMax });
  for (const { group, reason } of choice.lazy) lazy?.onLazy(reason, group.cardinality * 4);
  const postings = await fetchGroups(block, choice.fetched, call);
  const lazyMatchers = choice.lazy.flatMap(({ group }) => group.matchers);
  if (lazyMatchers.length === 0) cache?.storeExpanded(block.ulid, matchers, postings, call);
  return { postings, matchers, lazyMatchers };
}

async function fetchGroups(
  block: StoredBlock,
  groups: readonly PostingGroup[],
  call: ReadCall,
): Promise<Postings> {
  const keys = groups.flatMap(({ name, lists }) => lists.map((list) => ({ name, ...list })));
  const fetched = await fetchPostings(block, keys, call);
  let at = 0;
  const joined = groups.map((group) => {
    const lists = fetched.slice(at, at + group.lists.length);
    at += group.lists.length;
    return { removes: group.removes, postings: union(lists) };
  });
  const added = joined.filter(({ removes }) => !removes).map(({ postings }) => postings);
  // perf: the shortest first, so that each step works on few.
  added.sort((a, b) => a.length - b.length);
  let result = added[0] ?? EMPTY_POSTINGS;
  for (const postings of added.slice(1)) result = intersect(result, postings);
  for (const { removes, postings } of joined) if (removes) result = subtract(result, postings);
  return result;
}

/** The lists of keys, in their order: from the cache, the others by few requests. */
async function fetchPostings(
  block: StoredBlock,
  keys: readonly (LabelPair & PostingList)[],
  call: ReadCall,
): Promise<Postings[]> {
  const { cache, cost, bytesLimit } = call;
  const cached = (await cache?.fetchPostings(block.ulid, keys, call)) ?? [];
  const cachedBytes = cached.reduce((sum, one) => sum + (one?.bytes ?? 0), 0);
  bytesLimit.reserve(cachedBytes, 'exceeded bytes limit while loading postings from index cache');
  const found: Postings[] = [];
  const missing: number[] = [];
  for (let i = 0; i < keys.length; i++) {
    const one = cached[i];
    if (one === undefined) missing.push(i);
    else {
      cost.touch('postings', 1, one.bytes);
      found[i] = one.postings;
    }
  }
  cost.postingsToFetch += missing.length;
  const rangeOf = (k: number) => (keys[missing[k] as number] as PostingList).range;
  missing.sort(
    (a, b) => (keys[a] as PostingList).range.start - (keys[b] as PostingList).range.start,
  );
  const parts = mergeRanges(missing.length, GAP_BYTES_MAX, {
    start: (k) => rangeOf(k).start,
    end: (k) => rangeOf(k).end,
  });
  const total = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  bytesLimit.reserve(total, 'exceeded bytes limit while fetching postings');
  const name = `${block.ulid}/${INDEX_FILE}`;
  await Promise.all(
    parts.map(async ({ start, end, from, to }) => {
      const range = { offset: start, length: end - start };
      const bytes = await readRange(block, call, {
        name,
        type: 'postings',
        items: to - from,
        ...range,
      });
      for (let k = from; k < to; k++) {
        const i = missing[k] as number;
        const key = keys[i] as LabelPair & PostingList;
        const list = decodePostings(bytes, key.range.start - start, { name, base: start });
        found[i] = list;
        cost.touch('postings', 1, list.length * 4);
        cache?.storePostings(block.ulid, key, list, call);
      }
    }),
  );
  return found;
}

/** Length and count before the refs. */
const HEADER_BYTES = 8;

/**
 * The list at a place of bytes of an index that begin at `base`: refs, ascending.
 * @throws CorruptionError with the offset in the index.
 */
function decodePostings(
  bytes: Uint8Array,
  at: number,
  { name, base }: { readonly name: string; readonly base: number },
): Postings {
  const corrupt = (what: string) => new CorruptionError(`postings${what}`, name, base + at);
  if (at + HEADER_BYTES + 4 > bytes.length) throw corrupt(' end early');
  const length = readU32(bytes, at);
  const count = readU32(bytes, at + 4);
  const end = at + 4 + length;
  if (length !== 4 + count * 4) throw corrupt(`: ${count} series in ${length} bytes`);
  if (end + 4 > bytes.length) throw corrupt(' end early');
  if (crc32c(bytes, at + 4, end) !== readU32(bytes, end)) throw corrupt(': checksum mismatch');
  const refs = new Uint32Array(count);
  let before = -1;
  for (let i = 0, p = at + HEADER_BYTES; i < count; i++, p += 4) {
    const ref = readU32(bytes, p);
    if (ref <= before) throw corrupt(' are not ascending');
    refs[i] = ref;
    before = ref;
  }
  return refs;
}
