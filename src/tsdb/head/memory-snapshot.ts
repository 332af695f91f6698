/**
 * The head in memory, written when the process ends and read by the next one in place of most of the log
 * (docs/format/chunk-snapshot.md, prometheus tsdb/head_wal.go). Whoever does not know it reads the log.
 */
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import { ExemplarBatch } from '../wal/exemplar-records.ts';
import { TombstoneBatch } from '../wal/tombstone-records.ts';
import type { SnapshotChunk, SnapshotSeries } from '../wal/snapshot-format.ts';
import { writeSnapshot } from '../wal/snapshot-writer.ts';
import type { SnapshotReport } from '../wal/snapshot-writer.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, S, X } from './arena-layout.ts';
import { deletedOf } from './deleted-intervals.ts';
import type { HeadWriter } from './head-writer.ts';

/** Where a snapshot goes and the end of the log that it stands for. */
export interface SaveOptions {
  readonly directory: string;
  readonly segment: number;
  readonly offset: number;
  readonly files: FileLayer;
  readonly log: Logger;
}

/**
 * Writes all series with their open chunks, what is deleted of them, and the exemplars. What was cut is in chunks_head/,
 * what came out of order in its own log.
 * @throws CodedError unavailable when the disk refuses.
 */
export function saveHead(head: HeadWriter, options: SaveOptions): SnapshotReport {
  const content = {
    series: seriesOf(head),
    tombstones: tombstonesOf(head),
    exemplars: exemplarsOf(head, liveRefs(head)),
  };
  return writeSnapshot(options, content);
}

function* seriesOf(head: HeadWriter): IterableIterator<SnapshotSeries> {
  for (const ingest of head.arenas) {
    for (const series of addresses(ingest)) {
      const chunk = openChunk(head, ingest, series);
      yield {
        ref: ingest.arena.getI64(series + S.ref),
        labels: ingest.labelsOf(series),
        ...(chunk && { chunk }),
      };
    }
  }
}

function* addresses({ arena }: ArenaIngest): IterableIterator<number> {
  const count = arena.header(H.seriesCount);
  for (let i = 0; i < count; i++) {
    const series = arena.record(arena.header(H.seriesSlabs), S.bytes, i);
    if (arena.get(series + S.pairCount) > 0) yield series;
  }
}

function openChunk(
  head: HeadWriter,
  ingest: ArenaIngest,
  series: number,
): SnapshotChunk | undefined {
  const { arena } = ingest;
  const at = arena.get(series + S.chunk);
  if (at === 0) return undefined;
  const published = arena.get(series + S.published);
  const encoding = arena.u8[series + S.encoding] as number;
  const times = { mint: arena.getI64(series + S.chunkMint), maxt: arena.getI64(series + S.lastT) };
  if (encoding !== 0) {
    const lastHistogram = head.histogramWriter(ingest).newestOf(series);
    if (lastHistogram === undefined) return undefined;
    const length = arena.get(arena.get(series + S.extra) + X.openLength);
    const bytes = arena.u8.slice(at, at + length);
    return { ...times, encoding, bytes, lastHistogram: { columns: lastHistogram, row: 0 } };
  }
  const bytes = arena.u8.slice(at, at + Math.ceil((published & 0xffff) / 8));
  bytes[0] = published >>> 24;
  bytes[1] = (published >>> 16) & 0xff;
  const lastValue = Uint32Array.of(arena.get(series + S.lastV), arena.get(series + S.lastV + 4));
  return { ...times, encoding: 1, bytes, lastValue };
}

function tombstonesOf(head: HeadWriter): TombstoneBatch {
  const stones = new TombstoneBatch();
  for (const ingest of head.arenas) {
    const { arena } = ingest;
    for (const series of addresses(ingest)) {
      if (arena.get(series + S.extra) === 0) continue;
      const deleted = deletedOf(arena, series);
      for (let i = 0; i < deleted.length; i += 2)
        stones.add(arena.getI64(series + S.ref), deleted[i] as number, deleted[i + 1] as number);
    }
  }
  return stones;
}

function liveRefs(head: HeadWriter): ReadonlySet<number> {
  const refs = new Set<number>();
  if (head.exemplars.size === 0) return refs;
  for (const ingest of head.arenas)
    for (const series of addresses(ingest)) refs.add(ingest.arena.getI64(series + S.ref));
  return refs;
}

/** Those of series that are still there: nobody could find the others again. */
function exemplarsOf(head: HeadWriter, live: ReadonlySet<number>): ExemplarBatch {
  const batch = new ExemplarBatch();
  head.exemplars.each((ref, { labels, t, value }) => {
    if (!live.has(ref)) return;
    const i = batch.add(ref, t, labels);
    batch.samples.v[i] = value;
  });
  return batch;
}
