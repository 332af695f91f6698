/**
 * Fills a head from the files of its directory: chunks_head/ first, then the WAL, whose samples are taken where
 * they are newer than the series' chunks, then the log of samples that came out of order (docs/format/wal.md, "Replay").
 *
 * Replay only reads. It reports what it found: what must be repaired before the directory is written to, and what
 * this version cannot carry, for which the directory opens read-only.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CorruptionError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { newestCheckpoint } from '../wal/checkpoint.ts';
import { RECORD_NAMES } from '../wal/records.ts';
import type { SnapshotName } from '../wal/snapshot-format.ts';
import { checkManifest } from '../wal/snapshot-manifest.ts';
import { readSegmentFrom } from '../wal/wal-reader.ts';
import type { OnRecord, WalDamage } from '../wal/wal-reader.ts';
import { segmentName } from '../wal/page-format.ts';
import { segmentIndexes } from '../wal/wal-writer.ts';
import type { HeadWriter } from './head-writer.ts';
import { restoreNewestSamples } from './newest-samples.ts';
import { ReplayChunks } from './replay-chunks.ts';
import { RecordReplay } from './replay-records.ts';
import { replaySnapshot, usableSnapshot } from './replay-snapshot.ts';

/** A log of a directory. */
export type LogName = 'wal' | 'wbl';

/** What replay found besides samples. */
export interface ReplayReport {
  readonly series: number;
  readonly samples: number;
  /** Chunks taken from chunks_head/. */
  readonly chunks: number;
  /** What this version cannot carry, with how often it occurs: any entry makes the directory read-only. */
  readonly unsupported: ReadonlyMap<string, number>;
  /** How often each kind of record and each encoding of head chunks occurs. */
  readonly contents: ReadonlyMap<string, number>;
  /** The newest time in each chunks_head/ file, by sequence number. */
  readonly chunkFiles: ReadonlyMap<number, number>;
  /** Those of these files that hold samples which came out of order. */
  readonly lateFiles: ReadonlySet<number>;
  /** The torn ends of the logs' newest segments: to be cut off before the next segment is begun. */
  readonly tornEnds: readonly { readonly file: string; readonly soundEnd: number }[];
  /** Segments that are damaged before their end: to be rewritten before the next segment is begun. */
  readonly damagedSegments: readonly { readonly log: LogName; readonly segment: number }[];
  /** Damaged chunk files: entries end at `soundEnd`, and later files were not read. */
  readonly damagedChunkFiles: readonly { readonly sequence: number; readonly soundEnd: number }[];
}

/**
 * Reads the directory of a TSDB into an empty head; with `snapshot`, a snapshot of the head in place of the log before it.
 * @throws CodedError when a file cannot be read at all.
 */
export function replayHead(
  head: HeadWriter,
  directory: string,
  log: Logger,
  { snapshot = false }: { readonly snapshot?: boolean } = {},
): ReplayReport {
  return new Replay(head, directory, log).run(snapshot);
}

class Replay {
  readonly #head: HeadWriter;
  readonly #directory: string;
  readonly #log: Logger;
  readonly #contents = new Map<string, number>();
  readonly #damagedSegments = new Map<string, { log: LogName; segment: number }>();
  readonly #tornEnds: { file: string; soundEnd: number }[] = [];
  readonly #chunks: ReplayChunks;
  readonly #records: RecordReplay;

  constructor(head: HeadWriter, directory: string, log: Logger) {
    this.#head = head;
    this.#directory = directory;
    this.#log = log;
    this.#chunks = new ReplayChunks(head, (what) => this.#found(what));
    this.#records = new RecordReplay(head, this.#chunks);
  }

  run(snapshot: boolean): ReplayReport {
    const chunks = this.#chunks;
    const records = this.#records;
    chunks.read(this.#directory, this.#log);
    const from = snapshot ? this.#readSnapshot() : undefined;
    this.#readLog('wal', (record, where) => records.takeWal(record, where), from);
    this.#readLog('wbl', (record, where) => records.takeWbl(record, where));
    records.close();
    restoreNewestSamples(this.#head, this.#directory, this.#log);
    const { unknownRefs, startTimestamps } = records;
    if (unknownRefs > 0)
      this.#log.warn('samples without a series record were left out', { samples: unknownRefs });
    if (startTimestamps > 0)
      this.#log.warn('start timestamps in the WAL are not kept', { samples: startTimestamps });
    const { series, samples } = this.#head.stats();
    return {
      series,
      samples,
      chunks: chunks.count,
      unsupported: new Map([...chunks.unknown, ...records.unknownTypes]),
      contents: this.#contents,
      chunkFiles: chunks.files,
      lateFiles: chunks.lateFiles,
      tornEnds: this.#tornEnds,
      damagedSegments: [...this.#damagedSegments.values()],
      damagedChunkFiles: chunks.damaged,
    };
  }

  #found(what: string): void {
    this.#contents.set(what, (this.#contents.get(what) ?? 0) + 1);
  }

  /** Answers where the log goes on behind the snapshot; undefined when there is none, or it is damaged. */
  #readSnapshot(): SnapshotName | undefined {
    const wal = join(this.#directory, 'wal');
    const last = existsSync(wal) ? (segmentIndexes(wal).at(-1) ?? -1) : -1;
    const snapshot = usableSnapshot(this.#directory, last);
    if (snapshot === undefined) return undefined;
    const { name } = snapshot;
    const places = {
      snapshot: join(this.#directory, name),
      chunks: join(this.#directory, 'chunks_head'),
    };
    // compat: as Prometheus, what chunks_head/ has lost comes from the log.
    const problem = this.#chunks.damaged.length > 0 ? 'it is damaged' : checkManifest(places);
    if (problem !== '') {
      this.#log.warn(
        'chunks_head/ is not that of the snapshot, the log is read from its beginning',
        {
          snapshot: name,
          reason: problem,
        },
      );
      return undefined;
    }
    try {
      const directory = this.#directory;
      replaySnapshot(this.#head, this.#records, { directory, name, log: this.#log });
      return snapshot;
    } catch (thrown) {
      if (!(thrown instanceof CorruptionError)) throw thrown;
      this.#log.warn('the snapshot of the head is damaged, the log is read from its beginning', {
        err: thrown.message,
      });
      return undefined;
    }
  }

  /** `from`: what is before it is known, unless a checkpoint holds what comes after it, too. */
  #readLog(
    log: LogName,
    take: (record: Uint8Array, where: string) => void,
    from?: Pick<SnapshotName, 'segment' | 'offset'>,
  ): void {
    const directory = join(this.#directory, log);
    if (!existsSync(directory)) return;
    const checkpoint = newestCheckpoint(directory);
    const before = from?.segment ?? -1;
    if (checkpoint !== undefined && checkpoint.index >= before) {
      const at = join(directory, checkpoint.name);
      for (const index of segmentIndexes(at)) this.#readSegment({ directory: at, index }, take);
    }
    const first = Math.max(before, (checkpoint?.index ?? -1) + 1);
    const segments = segmentIndexes(directory).filter((i) => i >= first);
    // The WBL loses its oldest segments without a checkpoint.
    this.#noteGaps(log, log === 'wal' ? first : segments[0], segments);
    for (const index of segments) {
      const offset = index === from?.segment ? from.offset : 0;
      const newest = index === segments.at(-1);
      this.#readSegment({ directory, index, offset }, take, { log, newest });
    }
  }

  /** Says which segments are not there: what they held is lost, and nothing else would tell. */
  #noteGaps(log: LogName, first: number | undefined, segments: readonly number[]): void {
    let expected = first;
    for (const index of segments) {
      if (index !== expected)
        this.#log.error('WAL segments are missing, what they held is lost', {
          log,
          from: segmentName(expected ?? index),
          to: segmentName(index - 1),
        });
      expected = index + 1;
    }
  }

  /** Segments of a checkpoint, which is not repaired, come without `of`. */
  #readSegment(
    { directory, index, offset: start = 0 }: { directory: string; index: number; offset?: number },
    take: (record: Uint8Array, where: string) => void,
    of?: { readonly log: LogName; readonly newest: boolean },
  ): void {
    const path = join(directory, segmentName(index));
    const onRecord: OnRecord = (record, offset) => {
      const type = record[0] ?? 0;
      const name = RECORD_NAMES[type] ?? `log records of type ${type}`;
      this.#found(of?.log === 'wbl' ? `out-of-order ${name}` : name);
      try {
        take(record, `${path} at ${offset}`);
      } catch (thrown) {
        if (!(thrown instanceof CorruptionError)) throw thrown;
        // Its checksum is right: whoever wrote it wrote nonsense. What other records hold is sound.
        this.#log.error('a WAL record cannot be read, it was lost', { err: thrown.message });
      }
    };
    const from = { directory, index, offset: start };
    readSegmentFrom(from, onRecord, (damage) => this.#onDamage(damage, index, of));
  }

  #onDamage(
    { file, soundEnd, offset, reason, atEnd }: WalDamage,
    segment: number,
    of: { readonly log: LogName; readonly newest: boolean } | undefined,
  ): void {
    if (of?.newest === true && atEnd) {
      this.#tornEnds.push({ file, soundEnd });
      this.#log.info('the WAL ends inside a record, as after a crash', { file, offset });
      return;
    }
    this.#log.error('the WAL is damaged, records were lost', { file, offset, reason });
    if (of !== undefined) this.#damagedSegments.set(file, { log: of.log, segment });
  }
}
