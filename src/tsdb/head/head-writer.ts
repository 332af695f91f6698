/**
 * The head, the writing half: write requests in, WAL and visible samples out. Lives in one ingest worker.
 *
 * The order is the promise: stage, then one write of series and samples records, and only then are staged samples
 * applied and acknowledged. A write that fails applies nothing; series that it created stay known and are logged
 * with the next write that succeeds, before any sample of theirs.
 */
import { randomBytes } from 'node:crypto';
import { loadKernel } from '../../kernels/load.ts';
import type { IngestKernel } from '../../kernels/load.ts';
import type { Logger } from '../../lib/log.ts';
import type { Phases } from '../../lib/phase-clock.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { TimeRange } from '../../storage/storage.ts';
import type { HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { TombstoneBatch, encodeTombstoneRecord } from '../wal/tombstone-records.ts';
import type { LogPhase, WalWriter } from '../wal/wal-writer.ts';
import { APPLY_BYTES_PER_SAMPLE, ArenaIngest, emptyStageCounts } from './arena-ingest.ts';
import type { StageCounts } from './arena-ingest.ts';
import { ArenaWriter } from './arena.ts';
import type { ArenaMemory } from './arena.ts';
import { H, HEADER, S } from './arena-layout.ts';
import { SeriesCollection } from './collect-series.ts';
import { CutChunks } from './cut-chunks.ts';
import { deleteInterval } from './deleted-intervals.ts';
import { deletionRoom, findDeletions } from './deletions.ts';
import { searchExemplars } from './exemplar-search.ts';
import type { SeriesExemplars } from './exemplar-search.ts';
import { ExemplarStore } from './exemplar-store.ts';
import type { HistogramWriter } from './histogram-writer.ts';
import { ingestTwin } from './ingest-twin.ts';
import { LateWriter } from './late-writer.ts';
import { MetadataStore } from './metadata-store.ts';
import { applyIsolated } from './newest-times.ts';
import { RequestExtras } from './request-extras.ts';
import { clearSeriesRecord, seriesRecord } from './series-record.ts';
import { fileOfPlace } from './series-snapshot.ts';
import { Truncation } from './truncate.ts';
import { firstSampleTime } from './walk-request.ts';

/** Prometheus' target for a chunk. */
const SAMPLES_PER_CHUNK = 120;
/** The range that chunks and blocks are aligned to: 2 h in ms. */
export const CHUNK_RANGE_MS = 7_200_000;

/** What a head is made of. */
export interface HeadOptions {
  /** One memory an arena; a power of two of them. */
  readonly memories: readonly ArenaMemory[];
  readonly log: Logger;
  /** Forces the TypeScript twin of the kernel: for tests. */
  readonly twin?: boolean;
  /** How far behind the head's newest sample others may come (ms); 0, the default: none may come out of order. */
  readonly outOfOrderWindowMs?: number;
  /** How many exemplars are kept; 0, the default: none. */
  readonly exemplarsMax?: number;
  /** Told how long the parts of a write take. */
  readonly phases?: Phases<WritePhase>;
}

/** What a write consists of, apart from decompression: that of the log, validation and staging, applying, chunk files. */
export type WritePhase = LogPhase | 'stage' | 'apply' | 'chunks';

/** Late samples that can become blocks: their times (ms, inclusive), and the place (placeOf) that their chunks end before. */
export interface LatePlan {
  readonly mint: number;
  readonly maxt: number;
  readonly place: number;
  /** Segments of the out-of-order log up to this one hold nothing else. */
  readonly segment: number;
}

/** A chunk in an arena: addresses of its series and its meta, times in ms, and how many samples it has. */
export interface RestoredChunk {
  readonly series: number;
  readonly meta: number;
  readonly mint: number;
  readonly maxt: number;
  readonly count: number;
}

/** Series that are in the head no more. */
export interface CollectedSeries {
  readonly refs: readonly number[];
}

/** The logs that a head writes to: one of what comes in order, one of what does not, if that may come. */
export interface HeadLogs {
  readonly wal: WalWriter;
  readonly wbl?: WalWriter | undefined;
}

/** Numbers about a head, for metrics and logs. */
export interface HeadStats {
  readonly series: number;
  readonly samples: number;
  readonly arenaBytes: number;
  /** Undefined while there is no sample. */
  readonly mint: number | undefined;
  readonly maxt: number | undefined;
  readonly pendingChunks: number;
  readonly exemplars: number;
}

/** The series and samples of a head, for the one thread that writes them. */
export class HeadWriter {
  readonly arenas: readonly ArenaIngest[];
  readonly #log: Logger;
  #nextRef = 1;
  /** Shares of the memory in use that are still to be warned of. */
  readonly #memoryLevels = [0.8, 0.9, 0.95];
  #logs: HeadLogs | undefined;
  #chunks: CutChunks;
  readonly #outOfOrderWindowMs: number;
  readonly #phases: Phases<WritePhase> | undefined;
  readonly #extras: RequestExtras;
  #collected: SeriesCollection[] = [];
  /** Samples that came out of order. */
  readonly late = new LateWriter();
  readonly exemplars: ExemplarStore;
  readonly metadata = new MetadataStore();

  /** A head without files: {@link attach} gives it a WAL. Replay fills it before that. */
  constructor(options: HeadOptions) {
    this.#log = options.log;
    const hashKey = randomBytes(8);
    const count = options.memories.length;
    this.arenas = options.memories.map(
      (memory, index) =>
        new ArenaIngest(new ArenaWriter(memory), kernelFor(memory, options.twin === true), {
          index,
          count,
          hashKey,
          chunkRangeMs: CHUNK_RANGE_MS,
          samplesPerChunk: SAMPLES_PER_CHUNK,
          peer: (i) => this.arenas[i] as ArenaIngest,
        }),
    );
    this.#chunks = new CutChunks(undefined, options.log);
    this.#outOfOrderWindowMs = options.outOfOrderWindowMs ?? 0;
    this.#phases = options.phases;
    this.exemplars = new ExemplarStore(options.exemplarsMax ?? 0, this.#outOfOrderWindowMs);
    const { exemplars, metadata } = this;
    this.#extras = new RequestExtras(this.arenas, { exemplars, metadata });
  }

  /** Opens the head for writes: what replay left in memory goes to files from here on. */
  attach(logs: HeadLogs, chunks: HeadChunkWriter): void {
    const replayed = this.#chunks;
    this.#logs = logs;
    this.late.attach(chunks);
    this.#chunks = new CutChunks(chunks, this.#log);
    this.#chunks.adopt(replayed);
    this.#chunks.write();
    if (this.late.lostChunks) this.#replaceLateChunks(logs);
  }

  /** The next ref of a series; replay raises it above every ref that the log names. */
  get nextRef(): number {
    return this.#nextRef;
  }

  reserveRef(ref: number): void {
    if (ref >= this.#nextRef) this.#nextRef = ref + 1;
  }

  /**
   * Stages, logs and applies a decompressed write request; its samples are visible and in the WAL when this returns.
   * What the request holds besides good samples is in the counts.
   * @throws CodedError bad_data, too_large or unavailable; nothing is applied then.
   */
  write(body: Uint8Array): StageCounts {
    const logs = this.#logs;
    if (logs === undefined) throw new Error('BUG: write to a head without a WAL');
    const counts = emptyStageCounts();
    counts.window = logs.wbl !== undefined && this.#outOfOrderWindowMs > 0;
    this.#begin(logs, body);
    this.#phases?.begin();
    for (const ingest of this.arenas) this.#stage(ingest, body, counts);
    for (const arena of this.arenas) arena.addCounts(counts);
    this.#stageExtras(body, counts);
    this.#phases?.end('stage');
    this.#commit(logs, counts);
    return counts;
  }

  /** The writer of an arena's histograms. */
  histogramWriter(ingest: ArenaIngest): HistogramWriter {
    const writer = this.#extras.writers.get(ingest);
    if (writer === undefined) throw new Error('BUG: an arena of another head');
    return writer;
  }

  /** Refuses samples before a time (ms) from here on: blocks hold that range, or will. */
  setMinValidTime(t: number): void {
    for (const { arena } of this.arenas) {
      if (t > arena.getI64(HEADER + H.minValidTime)) arena.setI64(HEADER + H.minValidTime, t);
    }
  }

  /**
   * Takes out what ends before a time, which a block holds now, in slices that let writes come in between; then
   * deletes chunks_head/ files that nothing points to any more.
   */
  async truncate(maxt: number): Promise<void> {
    // Chunks that wait for a file cannot be taken out: most of them get one now.
    this.#chunks.write();
    for (const ingest of this.arenas) {
      const truncation = new Truncation(ingest, this.histogramWriter(ingest), maxt);
      while (truncation.step()) await yieldToEventLoop();
    }
    this.#chunks.truncate(maxt);
  }

  /**
   * Moves all that came out of order to chunks_head/, logs that, and says what blocks can be made of; undefined when there
   * is nothing. A new segment of the log is begun: older ones can be let go once the blocks are there.
   * @throws CodedError or the file layer's error; what was not moved stays where it is.
   */
  flushLate(): LatePlan | undefined {
    const wbl = this.#logs?.wbl;
    if (wbl === undefined || this.late.isEmpty) return undefined;
    const { place, markers } = this.late.flushAll();
    if (markers !== undefined) wbl.log([markers]);
    wbl.roll();
    return { mint: this.late.mint, maxt: this.late.maxt, place, segment: wbl.segment - 1 };
  }

  /**
   * Deletes samples of series that match, from mint to maxt (ms, inclusive), as Prometheus does: up to the newest sample
   * that each series has now, and none that came out of order. Answers how many series it touched.
   * @throws CodedError unavailable when the log refuses or memory is full; nothing is deleted then.
   */
  delete(matchers: readonly Matcher[], mint: number, maxt: number): number {
    const wal = this.#logs?.wal;
    if (wal === undefined) throw new Error('BUG: delete from a head without a WAL');
    const found = findDeletions(this.arenas, matchers, { mint, maxt });
    if (found.length === 0) return 0;
    const stones = new TombstoneBatch();
    for (const { owner, series, from, to } of found)
      stones.add(owner.arena.getI64(series + S.ref), from, to);
    for (const { arena } of this.arenas) arena.requireFree(deletionRoom(found));
    wal.log([...this.#seriesRecords(), encodeTombstoneRecord(stones)]);
    this.#seriesLogged();
    for (const { owner, series, from, to } of found) deleteInterval(owner.arena, series, from, to);
    return found.length;
  }

  /** {@link searchExemplars} over this head. */
  findExemplars(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): readonly SeriesExemplars[] {
    return searchExemplars(this.arenas, this.exemplars, matcherSets, range);
  }

  /** Takes late chunks before a place out of memory: blocks hold them, and nobody reads them here any more. */
  truncateLate(place: number): void {
    this.late.truncate(place);
    this.#chunks.truncateLate(fileOfPlace(place));
  }

  /**
   * Takes series without samples out of the head, as far as nobody writes to them any more, in slices that let writes come
   * in between; undefined when there are none. Their memory is used again after {@link freeCollected}.
   */
  async collectSeries(maxt: number): Promise<CollectedSeries | undefined> {
    const refs: number[] = [];
    // What is not free yet is still marked: it must not be collected twice.
    if (this.#collected.length > 0) return undefined;
    for (const ingest of this.arenas) {
      const collection = new SeriesCollection(ingest, this.histogramWriter(ingest), maxt);
      while (collection.step()) await yieldToEventLoop();
      if (collection.count === 0) continue;
      this.#collected.push(collection);
      for (const ref of collection.refs) refs.push(ref);
    }
    return refs.length === 0 ? undefined : { refs };
  }

  /** Uses the memory of collected series again: every query that began before they were collected has ended. */
  freeCollected(): void {
    for (const collection of this.#collected) collection.free();
    this.#collected = [];
  }

  /** Takes in a chunk that replay has put into an arena, with its meta. */
  noteRestored(ingest: ArenaIngest, { series, meta, mint, maxt, count }: RestoredChunk): void {
    const { arena } = ingest;
    if (mint < arena.getI64(HEADER + H.mint)) arena.setI64(HEADER + H.mint, mint);
    if (maxt > arena.getI64(HEADER + H.maxt)) arena.setI64(HEADER + H.maxt, maxt);
    arena.setI64(HEADER + H.samplesTotal, arena.getI64(HEADER + H.samplesTotal) + count);
    this.#chunks.add({ ingest, series, meta });
  }

  /** Logs series that are not logged yet: none of their samples is. @throws CodedError unavailable. */
  logSeries(): void {
    const records = this.#seriesRecords();
    if (records.length > 0) this.#logs?.wal.log(records);
    this.#seriesLogged();
  }

  /** Takes the cut lists of all arenas; replay does so whenever one is full. */
  collectCuts(): void {
    for (const arena of this.arenas) this.#chunks.collect(arena);
  }

  /** Current figures. */
  stats(): HeadStats {
    let series = 0;
    let samples = 0;
    let arenaBytes = 0;
    let mint = Infinity;
    let maxt = -Infinity;
    for (const { arena } of this.arenas) {
      series += arena.header(H.seriesCount) - arena.header(H.dead);
      samples += arena.getI64(HEADER + H.samplesTotal);
      arenaBytes += arena.usedBytes;
      mint = Math.min(mint, arena.getI64(HEADER + H.mint));
      maxt = Math.max(maxt, arena.getI64(HEADER + H.maxt));
    }
    const empty = mint > maxt;
    return {
      series,
      samples,
      arenaBytes,
      mint: empty ? undefined : mint,
      maxt: empty ? undefined : maxt,
      pendingChunks: this.#chunks.pendingCount,
      exemplars: this.exemplars.size,
    };
  }

  /** Writes what waits for chunks_head/ and closes its file. The WAL belongs to the caller. */
  close(): void {
    this.#chunks.close();
  }

  /**
   * invariant: what a marker says is in a chunk is in one by the time that a later chunk of the series is written: from
   * then on nobody can tell that the chunk of that marker got lost (with the machine), Prometheus included.
   */
  #replaceLateChunks({ wbl }: HeadLogs): void {
    try {
      const { markers } = this.late.flushAll();
      if (markers !== undefined) wbl?.log([markers]);
    } catch (thrown) {
      const err = errorText(thrown);
      this.#log.warn('chunks of late samples that were lost could not be written anew', { err });
    }
  }

  #begin({ wbl }: HeadLogs, body: Uint8Array): void {
    const takesLate = wbl !== undefined && this.#outOfOrderWindowMs > 0;
    let maxt = takesLate ? this.#maxt() : -Infinity;
    // compat: as Prometheus, an empty head begins with the first sample of the request (tsdb/head.go initTime).
    if (takesLate && maxt === -Infinity) maxt = firstSampleTime(body) ?? -Infinity;
    for (const ingest of this.arenas) {
      ingest.begin();
      if (maxt > -Infinity) ingest.arena.setI64(HEADER + H.oooMin, maxt - this.#outOfOrderWindowMs);
    }
    this.#extras.begin();
    this.late.abandon();
  }

  /** Refs count through all arenas: each takes the counter over and hands it on, whatever happens. */
  #stage(ingest: ArenaIngest, body: Uint8Array, counts: StageCounts): void {
    const { arena } = ingest;
    arena.setI64(HEADER + H.nextRef, this.#nextRef);
    try {
      ingest.stage(body, counts);
    } finally {
      this.#nextRef = arena.getI64(HEADER + H.nextRef);
    }
  }

  /** The records of series that are not logged yet. */
  #seriesRecords(): Uint8Array[] {
    return this.arenas.map(({ arena }) => seriesRecord(arena)).filter(({ length }) => length > 0);
  }

  #seriesLogged(): void {
    for (const { arena } of this.arenas) clearSeriesRecord(arena);
  }

  #stageExtras(body: Uint8Array, counts: StageCounts): void {
    try {
      this.#extras.stage(body, counts);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw new CodedError(
        'bad_data',
        'malformed write request: a histogram, exemplar or metadata message ends early',
      );
    }
  }

  /**
   * Logs and applies what is staged. What came out of order is logged first: should the second log refuse, nothing was
   * acknowledged, and samples that the first one holds are true all the same.
   */
  #commit({ wal, wbl }: HeadLogs, counts: StageCounts): void {
    const records = this.#seriesRecords();
    for (const { record } of this.arenas) if (record.length > 0) records.push(record);
    records.push(...this.#extras.records());
    const late = this.late.prepare(this.arenas, this.#extras.histograms);
    if (records.length === 0 && late.length === 0) return;
    this.#requireRoom();
    if (late.length > 0) wbl?.log(late);
    if (records.length > 0) wal.log(records);
    this.#seriesLogged();
    this.#phases?.begin();
    applyIsolated((this.arenas[0] as ArenaIngest).arena, () => {
      for (const arena of this.arenas) arena.apply();
      this.#extras.apply(() => this.collectCuts());
      this.late.insert(counts);
    });
    this.#phases?.end('apply');
    this.collectCuts();
    this.#chunks.write();
    this.#phases?.end('chunks');
    this.#watchMemory();
  }

  /** What a request brings besides floats may go to any arena: each must have room for all of it. */
  #requireRoom(): void {
    const more = this.#extras.roomNeeded + this.late.roomNeeded;
    for (const { arena } of this.arenas)
      arena.requireFree(arena.header(H.stagedCount) * APPLY_BYTES_PER_SAMPLE + more);
  }

  #maxt(): number {
    let maxt = -Infinity;
    for (const { arena } of this.arenas) {
      // i64's smallest: no sample yet.
      if (arena.header(H.maxt + 4) === 0x80000000 && arena.header(H.maxt) === 0) continue;
      maxt = Math.max(maxt, arena.getI64(HEADER + H.maxt));
    }
    return maxt;
  }

  /** Says in time that new samples will be refused: once at each level. */
  #watchMemory(): void {
    const level = this.#memoryLevels[0];
    if (level === undefined) return;
    for (const { arena } of this.arenas) {
      const size = arena.header(H.end);
      if (arena.usedBytes < size * level) continue;
      this.#memoryLevels.shift();
      this.#log.warn('head memory fills up, new samples will be refused when it is full', {
        used_bytes: arena.usedBytes,
        size_bytes: size,
      });
      return;
    }
  }
}

function kernelFor(memory: ArenaMemory, twin: boolean): IngestKernel {
  const kernel = twin ? undefined : loadKernel('ingest', memory);
  return kernel ?? ingestTwin(memory);
}
