/**
 * A walk over all series of an index: sizes that Thanos writes to meta.json (`index_stats`), and what it finds wrong
 * with series and chunks. Behaviour: thanos pkg/block/index.go, GatherIndexHealthStats.
 */
import { join } from 'node:path';
import { compareUtf8 } from '../../lib/utf8.ts';
import { SEGMENT_REFS } from '../chunks/segment-format.ts';
import { NamedSource } from '../index/byte-source.ts';
import { FileSource } from '../index/file-source.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import { IndexReader } from '../index/index-reader.ts';
import { LabelStore } from '../index/label-store.ts';
import { SeriesEntry } from '../index/series-entry.ts';
import { readBlockMeta } from './meta.ts';

/** perf: series are read from the first to the last. */
const WINDOW_BYTES = 1 << 20;

/** What a walk found. */
export interface BlockIndexStats {
  readonly totalSeries: number;
  readonly totalChunks: number;
  /** Series with at least one chunk that overlaps the one before it. */
  readonly outOfOrderSeries: number;
  /** Chunks that do not begin behind the end of the one before them, duplicates apart. */
  readonly outOfOrderChunks: number;
  /** Chunks with just the times of the one before them. */
  readonly duplicatedChunks: number;
  /** Chunks that are not wholly inside the block's range, its end included. */
  readonly outsideChunks: number;
  /** Of those, chunks that have no time in common with it. */
  readonly completeOutsideChunks: number;
  /** Of those, chunks that begin with the range's end: an old fault that Thanos mends. */
  readonly issue347OutsideChunks: number;
  /** Neighbouring labels of a series in the wrong order: written by Prometheus 2.8.0 and before. */
  readonly outOfOrderLabels: number;
  /** The largest distance between two series in the index, bytes: about the largest entry; 0 for less than two. */
  readonly seriesMaxSize: number;
  /** The largest distance between two chunks of a series, bytes: about the largest chunk; 0 when there is none. */
  readonly chunkMaxSize: number;
}

type Counts = { -readonly [K in keyof BlockIndexStats]: number };

/** Walks over the index of a block's directory, with the range in its meta.json. @throws CodedError, as below. */
export function blockIndexStats(directory: string): BlockIndexStats {
  const { minTime, maxTime } = readBlockMeta(directory);
  return indexStats(join(directory, INDEX_FILE), { mint: minTime, maxt: maxTime });
}

/**
 * Walks over an index file; the range is that of the block, ms.
 * @throws CodedError: unavailable, or corrupt when the index cannot be read, or series without labels or chunks or out
 *   of order show that it is none to go on with.
 */
export function indexStats(
  path: string,
  range: { readonly mint: number; readonly maxt: number },
): BlockIndexStats {
  using file = new FileSource(path, WINDOW_BYTES);
  const source = new NamedSource(file, path);
  const index = new IndexReader(file, path, new LabelStore());
  const counts: Counts = {
    totalSeries: 0,
    totalChunks: 0,
    outOfOrderSeries: 0,
    outOfOrderChunks: 0,
    duplicatedChunks: 0,
    outsideChunks: 0,
    completeOutsideChunks: 0,
    issue347OutsideChunks: 0,
    outOfOrderLabels: 0,
    seriesMaxSize: 0,
    chunkMaxSize: 0,
  };
  let [entry, last] = [new SeriesEntry(), new SeriesEntry()];
  let before = 0;
  for (const series of index.all()) {
    const at = index.seriesOffset(series);
    if (before !== 0) counts.seriesMaxSize = Math.max(counts.seriesMaxSize, at - before);
    index.readSeries(series, entry);
    if (entry.labelCount === 0) throw source.corrupt('series has no labels', at);
    if (entry.chunkCount === 0) throw source.corrupt('series has no chunks', at);
    if (before !== 0 && compareEntries(index, last, entry) >= 0) {
      throw source.corrupt('series is not behind the one before it', at);
    }
    counts.totalSeries++;
    countLabels(index, entry, counts);
    countChunks(entry, range, counts);
    before = at;
    [entry, last] = [last, entry];
  }
  return counts;
}

/** Order of two texts by their references; symbols are sorted in version 2. */
function compareSymbols(index: IndexReader, a: number, b: number): number {
  if (a === b || index.version !== 1) return a - b;
  return compareUtf8(index.symbols.text(a), index.symbols.text(b));
}

function compareEntries(index: IndexReader, a: SeriesEntry, b: SeriesEntry): number {
  const n = Math.min(a.labelCount, b.labelCount) * 2;
  for (let i = 0; i < n; i++) {
    const order = compareSymbols(index, a.symbols[i] as number, b.symbols[i] as number);
    if (order !== 0) return order;
  }
  return a.labelCount - b.labelCount;
}

function countLabels(
  index: IndexReader,
  { symbols, labelCount }: SeriesEntry,
  counts: Counts,
): void {
  for (let i = 1; i < labelCount; i++) {
    const name = symbols[i * 2] as number;
    if (compareSymbols(index, name, symbols[i * 2 - 2] as number) < 0) counts.outOfOrderLabels++;
  }
}

function countChunks(
  { mint, maxt, refs, chunkCount }: SeriesEntry,
  range: { readonly mint: number; readonly maxt: number },
  counts: Counts,
): void {
  counts.totalChunks += chunkCount;
  let disorder = 0;
  for (let i = 0; i < chunkCount; i++) {
    const [from, to] = [mint[i] as number, maxt[i] as number];
    // compat: Thanos leaves the last two chunks of a series out of this.
    if (i < chunkCount - 2) {
      const [ref, next] = [refs[i] as number, refs[i + 1] as number];
      if (Math.floor(ref / SEGMENT_REFS) === Math.floor(next / SEGMENT_REFS)) {
        counts.chunkMaxSize = Math.max(counts.chunkMaxSize, next - ref);
      }
    }
    if (from < range.mint || to > range.maxt) {
      counts.outsideChunks++;
      if (from > range.maxt || to < range.mint) counts.completeOutsideChunks++;
      else if (from === range.maxt) counts.issue347OutsideChunks++;
    }
    if (i === 0 || from > (maxt[i - 1] as number)) continue;
    if (from === mint[i - 1] && to === maxt[i - 1]) counts.duplicatedChunks++;
    else disorder++;
  }
  if (disorder > 0) counts.outOfOrderSeries++;
  counts.outOfOrderChunks += disorder;
}
