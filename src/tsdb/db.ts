/**
 * A TSDB directory: opened, replayed, repaired, written to and closed. Lives in the ingest worker, whose files are
 * synchronous; readers in other threads use the {@link HeadHandle}.
 *
 * What it cannot carry it does not touch: a directory with other data than floats in its head opens read-only.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { uncompressSync } from 'snappy';
import { CodedError, errorText } from '../lib/errors.ts';
import type { FileLayer } from '../lib/file-layer.ts';
import type { Logger } from '../lib/log.ts';
import { ShortBytesError, readUvarint } from '../lib/varint.ts';
import { headChunkFileName } from './chunks/head-chunk-format.ts';
import { HeadChunkWriter } from './chunks/head-chunk-writer.ts';
import { lockDirectory } from './directory-lock.ts';
import type { DirectoryLock } from './directory-lock.ts';
import type { StageCounts } from './head/arena-ingest.ts';
import type { ArenaMemory } from './head/arena.ts';
import { HeadWriter } from './head/head-writer.ts';
import type { HeadStats } from './head/head-writer.ts';
import { replayHead } from './head/replay.ts';
import type { ReplayReport } from './head/replay.ts';
import { GroupCommit } from './wal/group-commit.ts';
import type { FsyncPolicy } from './wal/group-commit.ts';
import { rewriteSegment } from './wal/rewrite-segment.ts';
import { WalWriter, segmentIndexes } from './wal/wal-writer.ts';

/** How a TSDB is opened. */
export interface DbOptions {
  readonly directory: string;
  /** The arenas' memories, empty; a power of two of them. */
  readonly memories: readonly ArenaMemory[];
  readonly fsync: FsyncPolicy;
  readonly files: FileLayer;
  readonly log: Logger;
}

/** What opening found. */
export interface OpenReport {
  readonly series: number;
  readonly samples: number;
  readonly chunks: number;
  /** Why the directory is read-only; '' when it takes writes. */
  readonly readOnlyReason: string;
}

/** Figures of a TSDB. */
export interface DbStats extends HeadStats {
  readonly walSegment: number;
}

/** One TSDB directory, for the one thread that owns it. */
export class Db {
  readonly report: OpenReport;
  readonly #options: DbOptions;
  readonly #lock: DirectoryLock;
  readonly #head: HeadWriter;
  readonly #wal: WalWriter | undefined;
  readonly #commit: GroupCommit | undefined;

  /**
   * Opens a directory, made if need be, and replays it.
   * @throws CodedError when it is in use, cannot be read or cannot be written.
   */
  static open(options: DbOptions): Db {
    makeDirectory(options.directory);
    const lock = lockDirectory(options.directory);
    try {
      return new Db(options, lock);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  private constructor(options: DbOptions, lock: DirectoryLock) {
    this.#options = options;
    this.#lock = lock;
    this.#head = new HeadWriter(options);
    const replay = replayHead(this.#head, options.directory, options.log);
    const readOnlyReason = describeUnsupported(options.directory, replay);
    const { series, samples, chunks } = replay;
    this.report = { series, samples, chunks, readOnlyReason };
    if (readOnlyReason !== '') return;
    this.#repair(replay);
    const { directory, files, log } = options;
    this.#wal = new WalWriter({ directory: join(directory, 'wal'), files, log });
    this.#commit = new GroupCommit(this.#wal, options.fsync);
    this.#head.attach(this.#wal, new HeadChunkWriter(join(directory, 'chunks_head'), files));
  }

  /**
   * Stores a snappy-compressed write request. Resolves when the samples are as durable as the fsync policy says.
   * @throws CodedError bad_data, too_large, unavailable; nothing was applied then, a failed fsync apart.
   */
  async write(body: Uint8Array, maxDecodedBytes: number): Promise<StageCounts> {
    return this.writeDecoded(decompress(body, maxDecodedBytes));
  }

  /** The same for a request that is not compressed. */
  async writeDecoded(body: Uint8Array): Promise<StageCounts> {
    if (this.#commit === undefined) {
      throw new CodedError('unavailable', `the TSDB is read-only: ${this.report.readOnlyReason}`);
    }
    const counts = this.#head.write(body);
    if (counts.accepted > 0) await this.#commit.durable();
    return counts;
  }

  /** Current figures. */
  stats(): DbStats {
    return { ...this.#head.stats(), walSegment: this.#wal?.segment ?? -1 };
  }

  /** Makes everything durable and gives the directory free. */
  close(): void {
    try {
      this.#head.close();
      this.#wal?.close();
    } finally {
      this.#lock.release();
    }
  }

  /** Brings the files to what replay took from them, so that any reader sees the same. */
  #repair(replay: ReplayReport): void {
    const { directory, files, log } = this.#options;
    if (replay.tornEnd !== undefined) {
      const { file, soundEnd } = replay.tornEnd;
      truncate(files, file, soundEnd);
      log.info('cut the torn end off the WAL', { file, size: soundEnd });
    }
    for (const segment of replay.damagedSegments) {
      const records = rewriteSegment(join(directory, 'wal'), segment);
      log.warn(
        'rewrote a damaged WAL segment with its sound records, the old one is kept beside it',
        {
          segment,
          records,
        },
      );
    }
    for (const { sequence, soundEnd } of replay.damagedChunkFiles) {
      const path = join(directory, 'chunks_head', headChunkFileName(sequence));
      if (soundEnd > 0) truncate(files, path, soundEnd);
      else renameSync(path, `${path}.damaged`);
      log.info('repaired chunks_head', { file: path, size: soundEnd });
    }
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (thrown) {
    throw new CodedError('unavailable', `create data directory ${path}: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}

function truncate(files: FileLayer, path: string, size: number): void {
  const fd = files.open(path, false);
  try {
    files.truncate(fd, size);
    files.fsync(fd);
  } finally {
    files.close(fd);
  }
}

/** Why a directory must not be written to by this version, as the end of a sentence; '' when it may be. */
function describeUnsupported(directory: string, replay: ReplayReport): string {
  const found = [...replay.unsupported].map(
    ([what, count]) => `${what} (${count} records or chunks)`,
  );
  const blocks = readdirSync(directory).filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name));
  if (blocks.length > 0) found.push(`blocks (${blocks.length}, whose samples are not served)`);
  if (
    existsSync(join(directory, 'wal')) &&
    segmentIndexes(join(directory, 'wal')).some((i) => i > 99_999_999)
  ) {
    found.push('WAL segments beyond 99999999');
  }
  if (found.length === 0) return '';
  return `it holds what this version cannot carry yet: ${found.join(', ')}`;
}

/** Decompresses a body whose claimed size is checked before anything is allocated. */
function decompress(body: Uint8Array, maxBytes: number): Uint8Array {
  let size: number;
  try {
    size = readUvarint({ bytes: body, pos: 0, end: Math.min(body.length, 5) });
  } catch (thrown) {
    if (thrown instanceof ShortBytesError)
      throw new CodedError('bad_data', 'snappy: corrupt input');
    throw thrown;
  }
  if (size > maxBytes) {
    throw new CodedError(
      'too_large',
      `write request of ${size} bytes decompressed exceeds ${maxBytes}`,
    );
  }
  try {
    const out = uncompressSync(body, { asBuffer: true, copyOutputData: true });
    return typeof out === 'string' ? Buffer.from(out) : out;
  } catch (thrown) {
    const text = errorText(thrown);
    throw new CodedError('bad_data', text.startsWith('snappy') ? text : `snappy: ${text}`);
  }
}
