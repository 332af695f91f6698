/**
 * Checkpoints of the WAL (docs/format/wal.md): the oldest segments, rewritten without what blocks hold and what belongs
 * to no series, so that the log stays as short as what only it holds. The rule of how many segments, and the directory's name, are
 * Prometheus' (tsdb/wlog/checkpoint.go, tsdb/head.go truncateWAL).
 *
 * The log is whole at every moment: a checkpoint is durable before it takes its name, and what it stands for is deleted
 * afterwards. Segments up to the checkpoint's number that a crash left behind are not read, and deleted by the next one.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CorruptionError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import { CheckpointFilter } from './checkpoint-filter.ts';
import type { CheckpointCounts } from './checkpoint-filter.ts';
import { segmentName } from './page-format.ts';
import type { RecordCompression } from './record-compression.ts';
import { readSegment } from './wal-reader.ts';
import { WalWriter, segmentIndexes } from './wal-writer.ts';

/** limit: bytes of records that are written at a time. */
const BATCH_BYTES = 1 << 20;

/** What a checkpoint is made of. */
export interface CheckpointOptions {
  /** The `wal` directory. */
  readonly directory: string;
  /** Samples, histograms and exemplars before it (ms) are left out, and deletions that end before it: blocks hold them. */
  readonly mint: number;
  /** Refs that have no series any more. None unless it is given. */
  readonly dead?: DeadRefs;
  /** How its records are compressed: snappy unless it is given. */
  readonly compression?: RecordCompression;
  /** The newest segment when the cut was made: it and what follows is not touched. */
  readonly openSegment: number;
  readonly files: FileLayer;
  readonly log: Logger;
}

/**
 * Refs without series, ascending, and for each the last segment whose records may name it: once a checkpoint stands for that
 * segment, their series, deletions and metadata are left out.
 */
export interface DeadRefs {
  readonly refs: Float64Array;
  readonly segments: Float64Array;
}

/** What became of it. Metadata that is kept is the latest of each series. */
export interface CheckpointReport extends Readonly<CheckpointCounts> {
  /** The last segment that the checkpoint stands for. */
  readonly segment: number;
}

/** The newest checkpoint of a WAL directory: its name and the last segment it stands for. */
export function newestCheckpoint(directory: string): { name: string; index: number } | undefined {
  return checkpoints(directory).at(-1);
}

/**
 * Makes a checkpoint of the older two thirds of the closed segments and deletes what it stands for; undefined when
 * there are too few. Safe beside a writer that appends to `openSegment`.
 * @throws CorruptionError when a segment is damaged, CodedError not_implemented when a record's type is not
 * known (what the log holds stays as it is then); the file layer's errors.
 */
export function makeCheckpoint(options: CheckpointOptions): CheckpointReport | undefined {
  const { directory, openSegment, files } = options;
  const previous = newestCheckpoint(directory);
  if (previous !== undefined) {
    // Its name may have failed to become durable the last time.
    files.fsyncDirectory(directory);
    removeUpTo(directory, previous.index, files);
  }
  const segments = segmentIndexes(directory).filter((i) => i > (previous?.index ?? -1));
  const first = segments[0] ?? openSegment;
  const last = first + Math.floor(((openSegment - 1 - first) * 2) / 3);
  if (last <= first) return undefined;
  const target = join(directory, `checkpoint.${segmentName(last)}`);
  const temporary = `${target}.tmp`;
  files.remove(temporary);
  const copier = new Copier(temporary, options, last);
  try {
    if (previous !== undefined) {
      const at = join(directory, previous.name);
      for (const index of segmentIndexes(at)) copier.copy(at, index);
    }
    for (const index of segments) if (index <= last) copier.copy(directory, index);
    copier.close();
    files.rename(temporary, target);
    files.fsyncDirectory(directory);
  } catch (thrown) {
    copier.abort();
    files.remove(temporary);
    throw thrown;
  }
  removeUpTo(directory, last, files);
  files.fsyncDirectory(directory);
  return { segment: last, ...copier.counts };
}

/** Deletes what a checkpoint stands for: segments up to its number and older checkpoints. */
function removeUpTo(directory: string, last: number, files: FileLayer): void {
  for (const index of segmentIndexes(directory)) {
    if (index <= last) files.remove(join(directory, segmentName(index)));
  }
  for (const { name, index } of checkpoints(directory)) {
    if (index < last) files.remove(join(directory, name));
  }
}

function checkpoints(directory: string): { name: string; index: number }[] {
  if (!existsSync(directory)) return [];
  const found: { name: string; index: number }[] = [];
  for (const name of readdirSync(directory)) {
    const match = /^checkpoint\.(\d{8,})$/.exec(name);
    if (match !== null) found.push({ name, index: Number(match[1]) });
  }
  return found.sort((a, b) => a.index - b.index);
}

/** Copies records to the segments of a checkpoint, without what it leaves out. */
class Copier {
  readonly #filter: CheckpointFilter;
  readonly #writer: WalWriter;
  readonly #log: Logger;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;

  constructor(temporary: string, options: CheckpointOptions, last: number) {
    const { files, log, compression, mint, dead } = options;
    const deadRefs = dead?.refs.filter((_ref, i) => (dead.segments[i] as number) <= last);
    this.#filter = new CheckpointFilter({ mint, ...(deadRefs && { deadRefs }) });
    this.#log = log;
    this.#writer = new WalWriter({
      directory: temporary,
      files,
      log,
      ...(compression && { compression }),
    });
  }

  get counts(): CheckpointCounts {
    return this.#filter.counts;
  }

  copy(directory: string, index: number): void {
    const path = join(directory, segmentName(index));
    readSegment(
      directory,
      index,
      (record, offset) => this.#add(this.#keptOf(record, `${path} at ${offset}`)),
      ({ file, offset, reason }) => {
        throw new CorruptionError(reason, file, offset);
      },
    );
  }

  /** Writes what is left and makes everything durable. */
  close(): void {
    for (const record of this.#filter.metadata()) this.#add(record);
    this.#flush();
    this.#writer.close();
  }

  /** Closes without writing. Never throws. */
  abort(): void {
    try {
      this.#writer.close();
    } catch {
      // Its directory is deleted next, and the error that led here is what the caller throws.
    }
  }

  /** A record of the right checksum that is none of its type would keep the log from getting shorter for ever. */
  #keptOf(record: Uint8Array, where: string): Uint8Array {
    try {
      return this.#filter.filter(record, where);
    } catch (thrown) {
      if (!(thrown instanceof CorruptionError)) throw thrown;
      const err = thrown.message;
      this.#log.error('a WAL record cannot be read, the checkpoint leaves it out', { err });
      return this.#filter.soundPart();
    }
  }

  #add(record: Uint8Array): void {
    if (record.length === 0) return;
    this.#batch.push(record);
    this.#batchBytes += record.length;
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#batch.length > 0) this.#writer.log(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
  }
}
