/**
 * Writes the WAL: records in, durable segments out, in Prometheus' format (docs/format/wal.md).
 *
 * Invariants:
 * - `log` writes all its records with one write, and leaves the segment ending after the last whole record, whatever
 *   fails: a failed write is cut back. When even that fails, the segment is abandoned and the next one begun.
 * - A segment whose fsync failed is never fsynced again: what the kernel dropped would be reported as safe. With
 *   `keepUnsynced`, its records are written anew, before any others, to the segment that is begun for it.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, errorText } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import { onDisk } from '../../lib/on-disk.ts';
import type { Phases } from '../../lib/phase-clock.ts';
import { FrameBuilder, framedSize } from './frame-builder.ts';
import { SEGMENT_BYTES, parseSegmentName, segmentName } from './page-format.ts';
import { compressRecord, compressionFlag } from './record-compression.ts';
import type { RecordCompression } from './record-compression.ts';
import { UnsyncedRecords } from './unsynced-records.ts';

/** What a writer needs. */
export interface WalWriterOptions {
  readonly directory: string;
  readonly files: FileLayer;
  readonly log: Logger;
  /** limit: for tests; otherwise Prometheus' 128 MiB. */
  readonly segmentBytes?: number;
  /** How records are compressed: snappy unless it is given. Prometheus 2.42 does not read zstd. */
  readonly compression?: RecordCompression;
  /** Told how long compressing, checksums and writing take. */
  readonly phases?: Phases<LogPhase>;
  /** Keeps what was logged since the last {@link WalWriter.sync}, which is called soon, in memory, too. */
  readonly keepUnsynced?: boolean;
}

/** limit: bytes that wait for an fsync: on a disk that refuses it they are written anew again and again. */
const UNSYNCED_BYTES_MAX = 64 << 20;

/** What logging consists of. */
export type LogPhase = 'compress' | 'checksum' | 'write';

/** Appends records to the newest segment of a directory. One writer a directory; not for several threads. */
export class WalWriter {
  readonly #options: WalWriterOptions;
  readonly #segmentBytes: number;
  #fd = -1;
  #index: number;
  /** Bytes of the open segment that hold whole records. */
  #offset = 0;
  /** Whether bytes were written since the last fsync. */
  #dirty = false;
  /** Why records in a segment that was left behind are not durable; told to the next caller of sync. */
  #lost: Error | undefined;
  readonly #compression: RecordCompression;
  readonly #frames: FrameBuilder;
  readonly #unsynced: UnsyncedRecords | undefined;

  /** Starts a fresh segment after the newest one there is. @throws CodedError unavailable when the disk refuses. */
  constructor(options: WalWriterOptions) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#compression = options.compression ?? 'snappy';
    this.#frames = new FrameBuilder(compressionFlag(this.#compression));
    if (options.keepUnsynced === true) this.#unsynced = new UnsyncedRecords();
    const { directory, files } = options;
    onDisk(`create ${directory}`, () => files.makeDirectory(directory));
    this.#index = Math.max(-1, ...segmentIndexes(options.directory));
    this.#nextSegment();
  }

  /** The index of the segment being written. */
  get segment(): number {
    return this.#index;
  }

  /** Where the next record goes in it, unless it is too large: what a snapshot of now stands for. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Writes records with one write; nothing is durable before {@link sync}.
   * @throws CodedError unavailable when the disk refuses; then none of the records is in the log.
   */
  log(records: readonly Uint8Array[]): void {
    const { phases } = this.#options;
    phases?.begin();
    const bodies = records.map((record) => compressRecord(record, this.#compression));
    phases?.end('compress');
    this.#write(bodies);
  }

  #write(bodies: readonly Uint8Array[]): void {
    const { phases } = this.#options;
    const unsynced = this.#unsynced;
    const waiting = unsynced?.bytes ?? 0;
    if (waiting > UNSYNCED_BYTES_MAX && bodies.length > 0) {
      const reason = `${waiting} of ${UNSYNCED_BYTES_MAX} bytes are not durable yet`;
      throw new CodedError('unavailable', `write WAL: ${reason}`);
    }
    if (this.#fd < 0 || this.#offset + framedSize(bodies) > this.#segmentBytes) this.#roll();
    const frame = this.#frames.build(unsynced?.before(bodies) ?? bodies, this.#offset);
    phases?.end('checksum');
    try {
      this.#options.files.write(this.#fd, frame, this.#offset);
    } catch (thrown) {
      this.#cutBack();
      throw new CodedError('unavailable', `write WAL: ${errorText(thrown)}`, { cause: thrown });
    }
    this.#offset += frame.length;
    this.#dirty = true;
    if (unsynced !== undefined) {
      this.#lost = undefined;
      // perf: a compressed record is memory of its own.
      unsynced.add(this.#compression === 'none' ? bodies.map((body) => body.slice()) : bodies);
    }
    phases?.end('write');
  }

  /**
   * Makes everything logged durable.
   * @throws CodedError unavailable when something logged since the last call is not: the fsync failed, or a segment had to
   * be left behind. With `keepUnsynced` the next call tries again.
   */
  sync(): void {
    if (this.#unsynced?.isLeft === true) this.#write([]);
    this.#syncSegment();
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) throw lost;
  }

  /**
   * Ends the open segment, durably, and begins the next one: segments that blocks stand for can then be let go.
   * @throws CodedError unavailable when the disk refuses a new one; the next {@link log} tries again.
   */
  roll(): void {
    if (this.#offset > 0) this.#roll();
  }

  /** Fsyncs the open segment; one whose fsync fails is left behind for a new one. */
  #syncSegment(): void {
    if (!this.#dirty) return;
    try {
      this.#options.files.fsync(this.#fd);
      this.#dirty = false;
      this.#unsynced?.clear();
    } catch (thrown) {
      this.#abandon(`fsync WAL: ${errorText(thrown)}`, thrown);
    }
  }

  /** Syncs and closes. The writer cannot be used afterwards. */
  close(): void {
    if (this.#fd < 0 && this.#unsynced?.isLeft !== true) return;
    try {
      this.sync();
    } finally {
      if (this.#fd >= 0) this.#options.files.close(this.#fd);
      this.#fd = -1;
    }
  }

  /** Ends the open segment, durably, and starts the next. */
  #roll(): void {
    if (this.#fd >= 0) {
      this.#syncSegment();
      if (this.#fd >= 0) this.#options.files.close(this.#fd);
      this.#fd = -1;
    }
    this.#nextSegment();
  }

  #nextSegment(): void {
    const { directory, files } = this.#options;
    try {
      this.#fd = files.open(join(directory, segmentName(this.#index + 1)), true);
      this.#index++;
      this.#offset = 0;
      files.fsyncDirectory(directory);
    } catch (thrown) {
      // A segment that a crash could take out of its directory must not be written to.
      if (this.#fd >= 0) this.#abandon('', thrown);
      throw new CodedError('unavailable', `create WAL segment: ${errorText(thrown)}`, {
        cause: thrown,
      });
    }
  }

  /** After a failed write: the file must end where its last whole record ends. */
  #cutBack(): void {
    try {
      this.#options.files.truncate(this.#fd, this.#offset);
    } catch (thrown) {
      this.#options.log.error('WAL segment cannot be cut back, starting another', {
        segment: segmentName(this.#index),
        err: errorText(thrown),
      });
      this.#abandon(`cut back WAL: ${errorText(thrown)}`, thrown);
    }
  }

  /** Leaves the open segment behind. What it holds that was not fsynced is lost to {@link sync}. */
  #abandon(message: string, cause: unknown): void {
    try {
      this.#options.files.close(this.#fd);
    } catch {
      // The descriptor is lost either way; the error that led here is reported by the caller.
    }
    if (this.#dirty) {
      this.#lost = new CodedError('unavailable', message, { cause });
      if (this.#unsynced !== undefined) this.#unsynced.isLeft = true;
      this.#options.log.error('segment was not made durable', {
        segment: segmentName(this.#index),
        err: message,
      });
    }
    this.#fd = -1;
    this.#dirty = false;
  }
}

/** The indexes of the segments in a directory, ascending. */
export function segmentIndexes(directory: string): number[] {
  const indexes = readdirSync(directory).map(parseSegmentName);
  return indexes.filter((index) => index !== undefined).sort((a, b) => a - b);
}
