/** Exemplars of a head's series, found by matchers. */
import { decodeUtf8 } from '../../lib/utf8.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { TimeRange } from '../../storage/storage.ts';
import { union } from '../index/postings.ts';
import { selectPostings } from '../index/select-postings.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, S } from './arena-layout.ts';
import type { ExemplarStore } from './exemplar-store.ts';
import { PostingsReader } from './postings-reader.ts';

/** The exemplars of a series, oldest first: plain data. */
export interface SeriesExemplars {
  /** Name, value, … by name. */
  readonly labels: readonly string[];
  readonly exemplars: readonly {
    readonly labels: readonly string[];
    readonly t: number;
    readonly value: number;
  }[];
}

/** Exemplars in a range of time (ms, inclusive) of the series that match any of the sets, in label order. */
export function searchExemplars(
  arenas: readonly ArenaIngest[],
  store: ExemplarStore,
  matcherSets: readonly (readonly Matcher[])[],
  range: TimeRange,
): SeriesExemplars[] {
  if (store.size === 0) return [];
  const found: { labels: Labels; exemplars: SeriesExemplars['exemplars'] }[] = [];
  for (const ingest of arenas) {
    const { arena } = ingest;
    const postings = new PostingsReader(arena);
    const matching = union(matcherSets.map((matchers) => selectPostings(postings, matchers)));
    for (const index of matching) {
      const series = arena.record(arena.header(H.seriesSlabs), S.bytes, index);
      const exemplars = store.of(arena.getI64(series + S.ref), range.mint, range.maxt);
      if (exemplars.length === 0) continue;
      found.push({
        labels: new Labels(ingest.labelsOf(series).map((part) => decodeUtf8(part))),
        exemplars: exemplars.map(({ labels, t, value }) => ({
          labels: labels.map((part) => decodeUtf8(part)),
          t,
          value,
        })),
      });
    }
  }
  found.sort((a, b) => compareLabels(a.labels, b.labels));
  return found.map(({ labels, exemplars }) => ({ labels: labels.pairs, exemplars }));
}
