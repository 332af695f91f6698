/**
 * Checkpoints of the WAL (docs/format/wal.md): the oldest segments, rewritten without the samples that blocks hold,
 * so that the log stays as short as what only it holds. The rule of how many segments, and the directory's name, are
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
import { ShortBytesError, readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { segmentName } from './page-format.ts';
import { RECORD } from './records.ts';
import { readSegment } from './wal-reader.ts';
import { WalWriter, segmentIndexes } from './wal-writer.ts';

/** limit: bytes of records that are written at a time. */
const BATCH_BYTES = 1 << 20;
/** Type byte, base ref and base time of a samples record. */
const SAMPLES_HEADER_BYTES = 17;
const VALUE_BYTES = 8;

/** What a checkpoint is made of. */
export interface CheckpointOptions {
  /** The `wal` directory. */
  readonly directory: string;
  /** Samples before it (ms) are left out: blocks hold them. */
  readonly mint: number;
  /** The newest segment when the cut was made: it and what follows is not touched. */
  readonly openSegment: number;
  readonly files: FileLayer;
  readonly log: Logger;
}

/** What became of it. */
export interface CheckpointReport {
  /** The last segment that the checkpoint stands for. */
  readonly segment: number;
  readonly samplesKept: number;
  readonly samplesDropped: number;
}

/** The newest checkpoint of a WAL directory: its name and the last segment it stands for. */
export function newestCheckpoint(directory: string): { name: string; index: number } | undefined {
  return checkpoints(directory).at(-1);
}

/**
 * Makes a checkpoint of the older two thirds of the closed segments and deletes what it stands for; undefined when
 * there are too few. Safe beside a writer that appends to `openSegment`.
 * @throws CorruptionError when a segment is damaged (nothing is deleted then); the file layer's errors.
 */
export function makeCheckpoint(options: CheckpointOptions): CheckpointReport | undefined {
  const { directory, openSegment, files } = options;
  const previous = newestCheckpoint(directory);
  if (previous !== undefined) removeUpTo(directory, previous.index, files);
  const segments = segmentIndexes(directory).filter((i) => i > (previous?.index ?? -1));
  const first = segments[0] ?? openSegment;
  const last = first + Math.floor(((openSegment - 1 - first) * 2) / 3);
  if (last <= first) return undefined;
  const target = join(directory, `checkpoint.${segmentName(last)}`);
  const temporary = `${target}.tmp`;
  files.remove(temporary);
  const copier = new Copier(temporary, options);
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
  return { segment: last, samplesKept: copier.kept, samplesDropped: copier.dropped };
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

/** Copies records to the segments of a checkpoint, without samples before a time. */
class Copier {
  kept = 0;
  dropped = 0;
  readonly #mint: number;
  readonly #writer: WalWriter;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;

  constructor(temporary: string, { files, log, mint }: CheckpointOptions) {
    this.#mint = mint;
    this.#writer = new WalWriter({ directory: temporary, files, log });
  }

  copy(directory: string, index: number): void {
    const where = join(directory, segmentName(index));
    readSegment(
      directory,
      index,
      (record) => this.#add(record, where),
      ({ file, offset, reason }) => {
        throw new CorruptionError(reason, file, offset);
      },
    );
  }

  /** Writes what is left and makes everything durable. */
  close(): void {
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

  #add(record: Uint8Array, where: string): void {
    const out = record[0] === RECORD.samples ? this.#withoutOld(record, where) : record.slice();
    if (out.length === 0) return;
    this.#batch.push(out);
    this.#batchBytes += out.length;
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#batch.length > 0) this.#writer.log(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
  }

  /** A samples record with its samples from `mint` on, empty when there are none. Values stay bytes. */
  #withoutOld(record: Uint8Array, where: string): Uint8Array {
    const out = new Uint8Array(record.length);
    if (record.length < SAMPLES_HEADER_BYTES) return out.subarray(0, 0);
    // Entries count from the record's base, not from each other: they can be left out one by one.
    out.set(record.subarray(0, SAMPLES_HEADER_BYTES));
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const baseTime = view.getInt32(9) * 4294967296 + view.getUint32(13);
    const cursor: ByteCursor = { bytes: record, pos: SAMPLES_HEADER_BYTES, end: record.length };
    let size = SAMPLES_HEADER_BYTES;
    while (cursor.pos < cursor.end) {
      const from = cursor.pos;
      const t = baseTime + readEntryTime(cursor, where);
      if (t < this.#mint) {
        this.dropped++;
        continue;
      }
      out.set(record.subarray(from, cursor.pos), size);
      size += cursor.pos - from;
      this.kept++;
    }
    return out.subarray(0, size === SAMPLES_HEADER_BYTES ? 0 : size);
  }
}

/** Reads one entry of a samples record up to its end; answers its time relative to the base. */
function readEntryTime(cursor: ByteCursor, where: string): number {
  try {
    readUvarint(cursor);
    const t = readVarint(cursor);
    cursor.pos += VALUE_BYTES;
    if (cursor.pos > cursor.end) throw new ShortBytesError();
    return t;
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
    throw new CorruptionError('samples record ends early', where, 0);
  }
}
