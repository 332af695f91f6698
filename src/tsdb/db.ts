/**
 * A TSDB directory: opened, replayed, repaired, written to and closed. Lives in the ingest worker, whose files are
 * synchronous; readers in other threads use the {@link HeadHandle}.
 *
 * What it cannot carry it does not touch: a directory with such data in its head opens read-only.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { FileLayer } from '../lib/file-layer.ts';
import type { Logger } from '../lib/log.ts';
import { onDisk } from '../lib/on-disk.ts';
import { PhaseClock } from '../lib/phase-clock.ts';
import type { Matcher } from '../model/matcher.ts';
import type { TimeRange } from '../storage/storage.ts';
import { isAdopted, markOurs } from './adoption.ts';
import { listBlocks } from './block/list-blocks.ts';
import type { BlockListing } from './block/list-blocks.ts';
import { HeadChunkWriter, headChunkSequences } from './chunks/head-chunk-writer.ts';
import type { CutRange } from './compact/cut-block.ts';
import { decompressRequest } from './decompress-request.ts';
import { lockDirectory } from './directory-lock.ts';
import type { DirectoryLock } from './directory-lock.ts';
import type { StageCounts } from './head/arena-ingest.ts';
import type { ArenaMemory } from './head/arena.ts';
import type { FamilyMetadata } from './head/metadata-store.ts';
import type { SeriesExemplars } from './head/exemplar-search.ts';
import { CHUNK_RANGE_MS, HeadWriter } from './head/head-writer.ts';
import type { HeadStats, LatePlan, WritePhase } from './head/head-writer.ts';
import { saveHead } from './head/memory-snapshot.ts';
import { describeUnsupported, headStart, replayedSegments } from './opened-directory.ts';
import { removeLeftovers, repairDirectory } from './repair-directory.ts';
import { V2Translator } from './head/remote-write-v2.ts';
import { replayHead } from './head/replay.ts';
import type { DeadRefs } from './wal/checkpoint.ts';
import { GroupCommit } from './wal/group-commit.ts';
import type { FsyncPolicy } from './wal/group-commit.ts';
import { segmentName } from './wal/page-format.ts';
import { WalWriter, segmentIndexes } from './wal/wal-writer.ts';

/** How a TSDB is opened. */
export interface DbOptions {
  readonly directory: string;
  /** The arenas' memories, empty; a power of two of them. */
  readonly memories: readonly ArenaMemory[];
  readonly fsync: FsyncPolicy;
  readonly files: FileLayer;
  readonly log: Logger;
  /** The machine's by default. */
  readonly clock?: Clock;
  /** How far behind the head's newest sample others may come (ms); 0, the default: none may come out of order. */
  readonly outOfOrderWindowMs?: number;
  /** How many exemplars are kept; 0, the default: none. */
  readonly exemplarsMax?: number;
  /** Whether the head is written to a snapshot at the end, and read from one at the start. Off by default. */
  readonly memorySnapshot?: boolean;
}

/** What opening found. */
export interface OpenReport {
  readonly series: number;
  readonly samples: number;
  readonly chunks: number;
  /** Why the directory is read-only; '' when it takes writes. */
  readonly readOnlyReason: string;
  /** The blocks that are there, and those that cannot be read. */
  readonly listing: BlockListing;
  /** The end of the newest block (ms, exclusive): the head begins there. -Infinity without blocks. */
  readonly headMint: number;
  /** Whether the head has samples that came out of order, or may get some. */
  readonly takesLate: boolean;
  /** The first and the last segment of the WAL that was replayed; 0 when there was none. */
  readonly segments: { readonly first: number; readonly last: number };
  /** Whether the directory held data that we had not made, when it was opened for the first time. */
  readonly adopted: boolean;
  /** What log and head chunks hold: how often each kind of record and each chunk encoding occurs. */
  readonly contents: Readonly<Record<string, number>>;
}

/** A part of the head that is complete and can become a block. */
export interface PlannedCut extends CutRange {
  /** The segment of the log that was written to last: older ones can be let go once the block is there. */
  readonly segment: number;
}

/** Figures of a TSDB. */
export interface DbStats extends HeadStats {
  readonly walSegment: number;
  /** Milliseconds that the parts of writes took, by name: {@link WritePhase}, and `decompress`. */
  readonly writeMs: Readonly<Record<string, number>>;
}

/** limit: how much longer than a 2.0 request the same in the 1.0 form may be. */
const TRANSLATION_GROWTH_MAX = 8;

/** A head is cut when it reaches over so much: one and a half block ranges. */
const CUT_AFTER_MS = (CHUNK_RANGE_MS / 2) * 3;

/** One TSDB directory, for the one thread that owns it. */
export class Db {
  readonly report: OpenReport;
  readonly #options: DbOptions;
  readonly #lock: DirectoryLock;
  readonly #head: HeadWriter;
  readonly #wal: WalWriter | undefined;
  /** The log of samples that came out of order: there when they may come, or have come. */
  readonly #wbl: WalWriter | undefined;
  readonly #commit: GroupCommit | undefined;
  readonly #clock: Clock;
  readonly #phases = new PhaseClock<WritePhase | 'decompress' | 'translate'>();
  readonly #translator = new V2Translator();
  /** Refs of collected series, and the segment that was written to then. */
  readonly #dead = new Map<number, number>();
  /** When samples were last accepted, of the wall clock. */
  #writtenAt: number;

  /**
   * Opens a directory, made if need be, and replays it.
   * @throws CodedError when it is in use, cannot be read or cannot be written.
   */
  static open(options: DbOptions): Db {
    makeDirectory(options.directory);
    const lock = lockDirectory(options.directory);
    if (lock.kind === 'file') {
      options.log.warn(
        'there is no flock program: a Prometheus started here later is not kept out',
        {
          path: options.directory,
        },
      );
    }
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
    this.#clock = options.clock ?? systemClock;
    this.#writtenAt = this.#clock.now();
    this.#head = new HeadWriter({ ...options, phases: this.#phases });
    const adopted = isAdopted(options.directory);
    const listing = listBlocks(options.directory);
    const headMint = headStart(listing);
    if (headMint > -Infinity) this.#head.setMinValidTime(headMint);
    const segments = replayedSegments(join(options.directory, 'wal'));
    const replay = replayHead(this.#head, options.directory, options.log, {
      snapshot: options.memorySnapshot === true,
    });
    const readOnlyReason = describeUnsupported(options.directory, replay);
    const hasLate = !this.#head.late.isEmpty;
    const { series, samples, chunks } = replay;
    const contents = Object.fromEntries(replay.contents);
    this.report = {
      series,
      samples,
      chunks,
      readOnlyReason,
      contents,
      listing,
      headMint,
      segments,
      takesLate: hasLate || (options.outOfOrderWindowMs ?? 0) > 0,
      adopted,
    };
    if (readOnlyReason !== '') return;
    if (!adopted) markOurs(options.directory);
    removeLeftovers(listing, options);
    repairDirectory(replay, options);
    const { directory, files, log } = options;
    const chunkWriter = new HeadChunkWriter(join(directory, 'chunks_head'), files);
    for (const [sequence, maxt] of replay.chunkFiles) chunkWriter.note(sequence, maxt);
    for (const sequence of replay.lateFiles) chunkWriter.noteLate(sequence);
    const keepUnsynced = options.fsync !== 'segment';
    const wal = { directory: join(directory, 'wal'), files, log, keepUnsynced };
    this.#wal = new WalWriter({ ...wal, phases: this.#phases });
    if (this.report.takesLate) this.#wbl = this.#openWbl();
    const logs = this.#wbl === undefined ? [this.#wal] : [this.#wal, this.#wbl];
    this.#commit = new GroupCommit(logs, options.fsync);
    this.#head.attach({ wal: this.#wal, wbl: this.#wbl }, chunkWriter);
  }

  /**
   * Stores a snappy-compressed write request. Resolves when the samples are as durable as the fsync policy says.
   * @throws CodedError bad_data, too_large, unavailable; nothing was applied then, a failed fsync apart.
   */
  async write(
    body: Uint8Array,
    { maxDecodedBytes, version = 1 }: { maxDecodedBytes: number; version?: 1 | 2 },
  ): Promise<StageCounts> {
    this.#phases.begin();
    const decoded = decompressRequest(body, maxDecodedBytes);
    this.#phases.end('decompress');
    if (version === 1) return this.writeDecoded(decoded);
    // Texts that a request names once are repeated in the translation.
    const bytesMax = maxDecodedBytes * TRANSLATION_GROWTH_MAX;
    const {
      body: plain,
      refusedSeries,
      firstProblem,
    } = this.#translator.translate(decoded, bytesMax);
    this.#phases.end('translate');
    const counts = await this.writeDecoded(plain);
    counts.invalidSeries += refusedSeries;
    if (counts.firstProblem === '') counts.firstProblem = firstProblem;
    return counts;
  }

  /** The same for a request that is not compressed. */
  async writeDecoded(body: Uint8Array): Promise<StageCounts> {
    if (this.#commit === undefined) throw this.#readOnly();
    const counts = this.#head.write(body);
    if (counts.accepted + counts.histograms + counts.exemplars > 0)
      this.#writtenAt = this.#clock.now();
    // What is there already may wait for its fsync still, or may have been refused because that failed.
    await this.#commit.durable();
    return counts;
  }

  /**
   * The next range of the head that can become a block, as Prometheus decides it (tsdb/head.go compactable): the range
   * in which its oldest sample lies, once it reaches one and a half ranges; and, as Thanos' receive does, all that
   * there is when nothing was written for as long. From here on, samples older than the range's end are refused, so
   * it is complete. Undefined when there is nothing to cut.
   */
  planCut(): PlannedCut | undefined {
    const { mint, maxt } = this.#head.stats();
    if (this.#wal === undefined || mint === undefined || maxt === undefined) return undefined;
    const idle = this.#clock.now() - this.#writtenAt > CUT_AFTER_MS;
    if (maxt - mint <= CUT_AFTER_MS && !idle) return undefined;
    // compat: as Go, division truncates; the kernel ends chunks by the same rule.
    const end = Math.trunc(mint / CHUNK_RANGE_MS) * CHUNK_RANGE_MS + CHUNK_RANGE_MS;
    this.#head.setMinValidTime(end);
    const segment = this.#wal.segment;
    return { mint, maxt: end, segment };
  }

  /**
   * Takes what a block holds now out of memory and begins a new log segment. Nobody may still read head samples before
   * `maxt` (block-table.ts). Works in slices, so that writes come in between. Answers the first chunks_head/ file that
   * is left.
   */
  async truncateHead(maxt: number): Promise<number> {
    await this.#head.truncate(maxt);
    try {
      this.#wal?.roll();
    } catch (thrown) {
      // The next write begins the segment, or says that it cannot.
      this.#options.log.warn('no new WAL segment after a cut', { err: errorText(thrown) });
    }
    return headChunkSequences(join(this.#options.directory, 'chunks_head'))[0] ?? 0;
  }

  /**
   * {@link HeadWriter.collectSeries}: series without samples leave the head; answers how many. Their memory is used again
   * after {@link freeCollected}, the log names them until a checkpoint leaves them out.
   */
  async collectSeries(maxt: number): Promise<number> {
    const collected = await this.#head.collectSeries(maxt);
    if (collected === undefined) return 0;
    const segment = this.#wal?.segment ?? 0;
    for (const ref of collected.refs) this.#dead.set(ref, segment);
    return collected.refs.length;
  }

  /** {@link HeadWriter.freeCollected}. */
  freeCollected(): void {
    this.#head.freeCollected();
  }

  /** What a checkpoint may leave out. */
  deadRefs(): DeadRefs {
    const sorted = [...this.#dead].sort(([a], [b]) => a - b);
    return {
      refs: Float64Array.from(sorted, ([ref]) => ref),
      segments: Float64Array.from(sorted, ([, segment]) => segment),
    };
  }

  /** A checkpoint stands for a segment: no record names refs any more that had their last one there. */
  forgetDead(segment: number): void {
    for (const [ref, last] of this.#dead) if (last <= segment) this.#dead.delete(ref);
  }

  /** {@link HeadWriter.flushLate}: what came out of order and can become blocks. */
  planLateCut(): LatePlan | undefined {
    return this.#wal === undefined ? undefined : this.#head.flushLate();
  }

  /** Takes late samples that blocks hold now out of memory and deletes what of their log is needed no more. */
  truncateLate({ place, segment }: Pick<LatePlan, 'place' | 'segment'>): void {
    this.#head.truncateLate(place);
    const { directory, files } = this.#options;
    const wbl = join(directory, 'wbl');
    for (const index of segmentIndexes(wbl)) {
      if (index > segment) break;
      files.remove(join(wbl, segmentName(index)));
      // In this order on the disk, too: a Prometheus does not start over a gap in the log.
      files.fsyncDirectory(wbl);
    }
  }

  /**
   * {@link HeadWriter.delete} for any of the matcher sets; resolves when it is as durable as the fsync policy says.
   * @throws CodedError unavailable.
   */
  async deleteSeries(
    matcherSets: readonly (readonly Matcher[])[],
    { mint, maxt }: TimeRange,
  ): Promise<number> {
    if (this.#commit === undefined) throw this.#readOnly();
    let touched = 0;
    for (const matchers of matcherSets) touched += this.#head.delete(matchers, mint, maxt);
    if (touched > 0) await this.#commit.durable();
    return touched;
  }

  /** Exemplars of series that match any of the sets, in a range of time (ms, inclusive), series in label order. */
  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): readonly SeriesExemplars[] {
    return this.#head.findExemplars(matcherSets, range);
  }

  /** Metadata of metric families as senders told it: all, or that of a name. */
  metadata(name?: string): readonly [string, FamilyMetadata][] {
    return this.#head.metadata.list(name);
  }

  /** Current figures. */
  stats(): DbStats {
    const walSegment = this.#wal?.segment ?? -1;
    return { ...this.#head.stats(), walSegment, writeMs: this.#phases.spent };
  }

  /** Makes everything durable and gives the directory free. @throws CodedError unavailable; all is closed then, too. */
  close(): void {
    try {
      this.#head.close();
      this.#saveHead();
    } finally {
      try {
        this.#wal?.close();
      } finally {
        try {
          this.#wbl?.close();
        } finally {
          this.#lock.release();
        }
      }
    }
  }

  /** Opens the log of late samples; the other one is closed when that cannot be. */
  #openWbl(): WalWriter {
    const { directory, files, log, fsync } = this.#options;
    const keepUnsynced = fsync !== 'segment';
    try {
      return new WalWriter({ directory: join(directory, 'wbl'), files, log, keepUnsynced });
    } catch (thrown) {
      this.#wal?.close();
      throw thrown;
    }
  }

  /** A snapshot that cannot be written costs the next start some time, nothing else. */
  #saveHead(): void {
    const { memorySnapshot, directory, files, log } = this.#options;
    const wal = this.#wal;
    if (memorySnapshot !== true || wal === undefined) return;
    const { pendingChunks } = this.#head.stats();
    if (pendingChunks > 0) {
      log.warn('no snapshot of the head was written: chunks are in memory only', { pendingChunks });
      return;
    }
    try {
      this.#head.logSeries();
      const { segment, offset } = wal;
      const report = saveHead(this.#head, { directory, segment, offset, files, log });
      log.info('wrote a snapshot of the head', { ...report });
    } catch (thrown) {
      log.warn('no snapshot of the head was written', { err: errorText(thrown) });
    }
  }

  #readOnly(): CodedError {
    return new CodedError('unavailable', `the TSDB is read-only: ${this.report.readOnlyReason}`);
  }
}

function makeDirectory(path: string): void {
  onDisk(`create data directory ${path}`, () => mkdirSync(path, { recursive: true }));
}
