/** Marks samples of a block as deleted, in its file `tombstones`. Behaviour: prometheus tsdb/block.go, Block.Delete. */
import { join } from 'node:path';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Matcher } from '../../model/matcher.ts';
import { readBlockMeta, writeBlockMeta } from '../block/meta.ts';
import type { BlockMeta } from '../block/meta.ts';
import { joinIntervals, readTombstones, writeTombstones } from '../block/tombstones.ts';
import type { DeletedInterval } from '../block/tombstones.ts';
import { FileSource } from '../index/file-source.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import { IndexReader } from '../index/index-reader.ts';
import { LabelStore } from '../index/label-store.ts';
import { selectPostings } from '../index/select-postings.ts';
import { SeriesEntry } from '../index/series-entry.ts';

/** What is to be deleted: the samples with mint <= t <= maxt, ms, of the series that satisfy all matchers. */
export interface Deletion {
  readonly matchers: readonly Matcher[];
  readonly mint: number;
  readonly maxt: number;
}

/**
 * Deletes samples of the block in a directory; answers its meta, which counts the tombstones. Both files are durable when it
 * returns; tombstones come first, so that what fails in between is a wrong count at worst. Readers that have the block open
 * see it when they open it again.
 * @throws CodedError: unavailable when the disk refuses, corrupt when the block is damaged.
 */
export function deleteFromBlock(
  files: FileLayer,
  directory: string,
  deletion: Deletion,
): BlockMeta {
  const meta = readBlockMeta(directory);
  const found = intervalsOf(directory, deletion);
  if (found.size === 0) return meta;
  for (const [series, intervals] of readTombstones(directory))
    found.set(series, joinIntervals([...intervals, ...(found.get(series) ?? [])]));
  // Series in the order of the index, so that equal deletions are equal files.
  const stones = new Map([...found].sort(([a], [b]) => a - b));
  writeTombstones(files, directory, stones);
  let numTombstones = 0;
  for (const intervals of stones.values()) numTombstones += intervals.length;
  const counted = { ...meta, stats: { ...meta.stats, numTombstones } };
  writeBlockMeta(files, directory, counted);
  return counted;
}

/** By series that has a chunk in the range: the range, as far as the series' chunks go. */
function intervalsOf(
  directory: string,
  { matchers, mint, maxt }: Deletion,
): Map<number, readonly DeletedInterval[]> {
  const path = join(directory, INDEX_FILE);
  using file = new FileSource(path);
  const index = new IndexReader(file, path, new LabelStore());
  const entry = new SeriesEntry();
  const found = new Map<number, readonly DeletedInterval[]>();
  for (const series of selectPostings(index, matchers)) {
    index.readSeries(series, entry);
    if (!hasChunkIn(entry, mint, maxt)) continue;
    const first = entry.mint[0] as number;
    const last = entry.maxt[entry.chunkCount - 1] as number;
    found.set(series, [{ mint: Math.max(mint, first), maxt: Math.min(maxt, last) }]);
  }
  return found;
}

function hasChunkIn(entry: SeriesEntry, mint: number, maxt: number): boolean {
  for (let i = 0; i < entry.chunkCount; i++)
    if ((entry.mint[i] as number) <= maxt && (entry.maxt[i] as number) >= mint) return true;
  return false;
}
