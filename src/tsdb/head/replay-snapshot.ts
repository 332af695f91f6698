/** Replay of a snapshot of the head (memory-snapshot.ts): series, their open chunks, deletions, exemplars. */
import { join } from 'node:path';
import { CorruptionError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { SeriesRecordBuilder } from '../wal/records.ts';
import { listSnapshots } from '../wal/snapshot-format.ts';
import type { SnapshotName, SnapshotSeries } from '../wal/snapshot-format.ts';
import { readSnapshot } from '../wal/snapshot-reader.ts';
import { H, HEADER, META, S } from './arena-layout.ts';
import type { HeadWriter } from './head-writer.ts';
import { REGION_CLASS } from './histogram-writer.ts';
import type { OwnedSeries } from './histogram-stager.ts';
import { regionBytes } from './late-samples.ts';
import { putMeta } from './meta-list.ts';
import { noFloatIsNewest } from './newest-samples.ts';
import type { RecordReplay } from './replay-records.ts';

/** perf: series that are made known at a time, by the kernel. */
const BATCH = 1000;

/** An open chunk, its bytes copied. */
interface OpenChunk {
  readonly ref: number;
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly lastValue: Uint32Array | undefined;
  readonly lastHistogram: HistogramColumns | undefined;
}

/**
 * The newest snapshot of a TSDB's directory that stands for a point of its log; undefined when there is none. `lastSegment`
 * is the log's newest one: a snapshot beyond it is of a log that is gone.
 */
export function usableSnapshot(directory: string, lastSegment: number): SnapshotName | undefined {
  const newest = listSnapshots(directory).at(-1);
  return newest === undefined || newest.segment > lastSegment ? undefined : newest;
}

/**
 * Fills a head from a snapshot, which is read through before anything of it is used: half of one must not be.
 * @throws CorruptionError when it is damaged; the head is then as it was.
 */
export function replaySnapshot(
  head: HeadWriter,
  records: RecordReplay,
  { directory, name, log }: { directory: string; name: string; log: Logger },
): void {
  const reading = new SnapshotReplay(head, records);
  const path = join(directory, name);
  const ignore = (): void => undefined;
  readSnapshot(path, { onSeries: ignore, onTombstones: ignore, onExemplars: ignore });
  readSnapshot(path, {
    onSeries: (series) => reading.add(series),
    onTombstones: (stones) => {
      reading.flush();
      records.addTombstones(stones);
    },
    onExemplars: (exemplars) => records.addExemplars(exemplars),
  });
  reading.flush();
  log.info('took the head from a snapshot', { path, series: reading.count });
}

class SnapshotReplay {
  readonly #head: HeadWriter;
  readonly #records: RecordReplay;
  readonly #builder = new SeriesRecordBuilder();
  #chunks: OpenChunk[] = [];
  #pending = 0;
  count = 0;

  constructor(head: HeadWriter, records: RecordReplay) {
    this.#head = head;
    this.#records = records;
  }

  /** Views of a series are valid during the call only. */
  add({ ref, labels, chunk }: SnapshotSeries): void {
    this.#builder.add(ref, labels);
    this.count++;
    if (chunk !== undefined) {
      const { lastHistogram } = chunk;
      let columns: HistogramColumns | undefined;
      if (lastHistogram !== undefined) {
        columns = new HistogramColumns();
        columns.addFrom(lastHistogram.columns, lastHistogram.row);
      }
      this.#chunks.push({
        ...chunk,
        ref,
        bytes: chunk.bytes.slice(),
        lastValue: chunk.lastValue?.slice(),
        lastHistogram: columns,
      });
    }
    if (++this.#pending === BATCH) this.flush();
  }

  /** Makes the series that were added known, with what is cut of them, and then gives them their open chunks. */
  flush(): void {
    if (this.#pending > 0) this.#records.takeWal(this.#builder.bytes, 'snapshot');
    this.#builder.clear();
    this.#pending = 0;
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) {
      const target = this.#records.find(chunk.ref);
      if (target !== undefined) this.#restore(target, chunk);
    }
  }

  /**
   * compat: as in Prometheus the chunk is not continued: the next sample of its series begins another one. So it is cut here,
   * and goes to chunks_head/ with others.
   */
  #restore({ owner, series }: OwnedSeries, chunk: OpenChunk): void {
    const { arena, kernel } = owner;
    const { mint, maxt, bytes, encoding } = chunk;
    if (bytes.length < 2) throw new CorruptionError('chunk without a count', 'snapshot', 0);
    if (maxt < arena.getI64(HEADER + H.minValidTime) || mint <= arena.getI64(series + S.lastT))
      return;
    const capacity = regionBytes(bytes.length);
    const buffer = arena.allocRegion(capacity);
    arena.u8.set(bytes, buffer);
    const meta = kernel.addMeta(HEADER, series) >>> 0;
    if (meta === 0) throw arena.fullError(META.bytes);
    const count = ((bytes[0] as number) << 8) | (bytes[1] as number);
    const sizeClass = REGION_CLASS | Math.log2(capacity);
    const place = { file: 0, offset: buffer, length: bytes.length };
    putMeta(arena, meta, { mint, maxt, ...place, count, encoding, sizeClass });
    arena.setI64(series + S.lastT, maxt);
    if (chunk.lastValue !== undefined) {
      arena.set(series + S.lastV, chunk.lastValue[0] as number);
      arena.set(series + S.lastV + 4, chunk.lastValue[1] as number);
    }
    if (chunk.lastHistogram !== undefined) {
      this.#head.histogramWriter(owner).keepNewest(series, chunk.lastHistogram, 0);
      noFloatIsNewest(owner, series);
    }
    this.#head.noteRestored(owner, { series, meta, mint, maxt, count });
  }
}
