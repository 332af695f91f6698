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
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { SeriesRecordBuilder } from '../wal/records.ts';
import type { WalWriter } from '../wal/wal-writer.ts';
import { ArenaIngest, emptyStageCounts } from './arena-ingest.ts';
import type { StageCounts } from './arena-ingest.ts';
import { ArenaWriter } from './arena.ts';
import type { ArenaMemory } from './arena.ts';
import { H, HEADER } from './arena-layout.ts';
import { CutChunks } from './cut-chunks.ts';
import { ingestTwin } from './ingest-twin.ts';
import { Truncation } from './truncate.ts';

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
}

/** The series and samples of a head, for the one thread that writes them. */
export class HeadWriter {
  readonly arenas: readonly ArenaIngest[];
  readonly #log: Logger;
  readonly #unlogged = new SeriesRecordBuilder();
  #nextRef = 1;
  /** Shares of the memory in use that are still to be warned of. */
  readonly #memoryLevels = [0.8, 0.9, 0.95];
  #wal: WalWriter | undefined;
  #chunks: CutChunks;

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
  }

  /** Opens the head for writes: what replay left in memory goes to files from here on. */
  attach(wal: WalWriter, chunks: HeadChunkWriter): void {
    const replayed = this.#chunks;
    this.#wal = wal;
    this.#chunks = new CutChunks(chunks, this.#log);
    this.#chunks.adopt(replayed);
    this.#chunks.write();
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
    const wal = this.#wal;
    if (wal === undefined) throw new Error('BUG: write to a head without a WAL');
    const counts = emptyStageCounts();
    for (const arena of this.arenas) arena.begin();
    for (const arena of this.arenas) {
      arena.stage(body, counts, (labels) => {
        const ref = this.#nextRef++;
        this.#unlogged.add(ref, labels);
        return ref;
      });
    }
    for (const arena of this.arenas) arena.addCounts(counts);
    this.#commit(wal);
    return counts;
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
      const truncation = new Truncation(ingest, maxt);
      while (truncation.step()) await yieldToEventLoop();
    }
    this.#chunks.truncate(maxt);
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
      series += arena.header(H.seriesCount);
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
    };
  }

  /** Writes what waits for chunks_head/ and closes its file. The WAL belongs to the caller. */
  close(): void {
    this.#chunks.close();
  }

  #commit(wal: WalWriter): void {
    const records: Uint8Array[] = [];
    if (this.#unlogged.bytes.length > 0) records.push(this.#unlogged.bytes);
    for (const arena of this.arenas) {
      arena.requireRoom();
      if (arena.record.length > 0) records.push(arena.record);
    }
    if (records.length === 0) return;
    wal.log(records);
    this.#unlogged.clear();
    for (const arena of this.arenas) arena.apply();
    this.collectCuts();
    this.#chunks.write();
    this.#watchMemory();
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
