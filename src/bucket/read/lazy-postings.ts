/**
 * Which groups of postings are worth fetching: a long list may cost more bytes than the series that it would spare; its matchers
 * are then applied to the series. Behaviour: thanos pkg/store/lazy_postings.go (optimizePostingsFetchByDownloadedBytes).
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import type { PostingGroup } from './posting-groups.ts';

/** How to choose. */
export interface LazyPostingsOptions {
  /** Bytes of a series, at the most. */
  readonly seriesBytesMax: number;
  /** Which part of the series is taken to be left by each group. */
  readonly matchRatio: number;
  /** A group is not fetched that has more lists than this times the series at hand; 0 for any number. */
  readonly maxKeySeriesRatio: number;
}

/** Why a group is not fetched: labels of a metric. */
export type LazyReason = 'keys_limit' | 'postings_size';

/** The choice. */
export interface LazyChoice {
  readonly fetched: readonly PostingGroup[];
  readonly lazy: readonly { readonly group: PostingGroup; readonly reason: LazyReason }[];
}

const REF_BYTES = 4;

/** Chooses the groups to fetch; one that adds series is always among them. */
export function chooseGroups(
  groups: readonly PostingGroup[],
  { seriesBytesMax, matchRatio, maxKeySeriesRatio }: LazyPostingsOptions,
): LazyChoice {
  const sorted = groups.toSorted(
    (a, b) => a.cardinality - b.cardinality || compareUtf8(a.name, b.name),
  );
  const first = sorted.findIndex(({ removes }) => !removes);
  if (first < 0 || first >= sorted.length - 1) return { fetched: sorted, lazy: [] };
  const removed = sorted.slice(0, first).reduce((sum, { cardinality }) => sum + cardinality, 0);
  let matched = (sorted[first] as PostingGroup).cardinality - Math.ceil(removed * matchRatio);
  const matchedMax = matched;
  const fetched = sorted.slice(0, first + 1);
  const lazy: { group: PostingGroup; reason: LazyReason }[] = [];
  let i = first + 1;
  for (; i < sorted.length && matched > 0; i++) {
    const group = sorted[i] as PostingGroup;
    if (maxKeySeriesRatio > 0 && group.lists.length / matchedMax > maxKeySeriesRatio) {
      lazy.push({ group, reason: 'keys_limit' });
      continue;
    }
    let spared: number;
    if (group.removes) {
      spared = Math.ceil(Math.min(group.cardinality, matched) * matchRatio);
      matched -= spared;
    } else {
      spared = Math.ceil(matched * (1 - matchRatio));
      matched = Math.ceil(matched * matchRatio);
    }
    if (group.cardinality * REF_BYTES > spared * seriesBytesMax) break;
    fetched.push(group);
  }
  for (; i < sorted.length; i++) {
    lazy.push({ group: sorted[i] as PostingGroup, reason: 'postings_size' });
  }
  return { fetched, lazy };
}
