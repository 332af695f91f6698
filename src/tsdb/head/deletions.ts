/** Which samples of which series a deletion by matchers reaches (prometheus tsdb/head.go Delete). */
import type { Matcher } from '../../model/matcher.ts';
import type { TimeRange } from '../../storage/storage.ts';
import { selectPostings } from '../index/select-postings.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, S, X } from './arena-layout.ts';
import { deletedOf } from './deleted-intervals.ts';
import type { OwnedSeries } from './histogram-stager.ts';
import { regionBytes } from './late-samples.ts';
import { oldestTime } from './meta-list.ts';
import { PostingsReader } from './postings-reader.ts';

/** What is deleted of a series: from..to (ms, inclusive). */
export interface Deletion extends OwnedSeries {
  readonly from: number;
  readonly to: number;
}

/** Deletions of the series that match: the part of the range in which each has samples. */
export function findDeletions(
  arenas: readonly ArenaIngest[],
  matchers: readonly Matcher[],
  { mint, maxt }: TimeRange,
): Deletion[] {
  const found: Deletion[] = [];
  for (const owner of arenas) {
    const { arena } = owner;
    for (const index of selectPostings(new PostingsReader(arena), matchers)) {
      const series = arena.record(arena.header(H.seriesSlabs), S.bytes, index);
      const oldest = oldestTime(arena, series);
      if (oldest === Infinity) continue;
      const from = Math.max(mint, oldest);
      const to = Math.min(maxt, arena.getI64(series + S.lastT));
      if (from <= to) found.push({ owner, series, from, to });
    }
  }
  return found;
}

/** Bytes of an arena that carrying out deletions can take at the most. */
export function deletionRoom(deletions: readonly Deletion[]): number {
  let bytes = 0;
  for (const { owner, series } of deletions)
    bytes += X.bytes + regionBytes(24 + deletedOf(owner.arena, series).length * 8);
  return bytes;
}
