/**
 * Moves cut chunks from the arena to chunks_head/ files. A chunk whose file cannot be written stays in memory, where
 * it is read from as before, and is tried again with the next ones.
 */
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { ChunkPlace, HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { CUT_BYTES, H, META, S } from './arena-layout.ts';
import { freeChunkBuffer } from './histogram-writer.ts';

/** limit: writes between two tries while chunks_head/ refuses. */
const PAUSE_MAX = 128;

/** A cut chunk that still lies in an arena. */
export interface PendingChunk {
  readonly ingest: ArenaIngest;
  readonly series: number;
  readonly meta: number;
}

/** Collects cut chunks and writes them. */
export class CutChunks {
  readonly #writer: HeadChunkWriter | undefined;
  readonly #log: Logger;
  #pending: PendingChunk[] = [];
  #failing = false;
  /** How many calls pass until the next try, and how many will after the next failure. */
  #pause = 0;
  #pauseNext = 1;

  /** Without a writer, chunks stay in memory: the head is read-only. */
  constructor(writer: HeadChunkWriter | undefined, log: Logger) {
    this.#writer = writer;
    this.#log = log;
  }

  /** How many chunks wait for a file. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Empties the cut list of an arena. */
  collect(ingest: ArenaIngest): void {
    const { arena } = ingest;
    const count = arena.header(H.cutCount);
    const list = arena.header(H.cut);
    for (let i = 0; i < count; i++) {
      const series = arena.get(list + i * CUT_BYTES);
      const meta = arena.get(list + i * CUT_BYTES + 4);
      this.#pending.push({ ingest, series, meta });
    }
    arena.setHeader(H.cutCount, 0);
  }

  /** Takes a chunk in that lies in an arena and was cut by nobody. */
  add(chunk: PendingChunk): void {
    this.#pending.push(chunk);
  }

  /** Takes over what another collector has pending. */
  adopt(other: CutChunks): void {
    this.#pending = other.#pending.concat(this.#pending);
    other.#pending = [];
  }

  /** Writes everything collected. Never throws: chunks_head/ is a cache of the WAL. */
  write(): void {
    const writer = this.#writer;
    if (writer === undefined || this.#pending.length === 0 || --this.#pause > 0) return;
    const batch = this.#pending;
    const places: ChunkPlace[] = [];
    try {
      for (const { ingest, series, meta } of batch) {
        const { arena } = ingest;
        const at = arena.get(meta + META.offset);
        const data = arena.u8.subarray(at, at + arena.get(meta + META.length));
        places.push(
          writer.add({
            ref: arena.getI64(series + S.ref),
            mint: arena.getI64(meta + META.mint),
            maxt: arena.getI64(meta + META.maxt),
            encoding: arena.u8[meta + META.encoding] as number,
            data,
          }),
        );
      }
      writer.flush();
    } catch (thrown) {
      if (!this.#failing) {
        this.#log.error('cut chunks stay in memory: chunks_head cannot be written', {
          chunks: batch.length,
          err: errorText(thrown),
        });
      }
      this.#failing = true;
      // Each try writes all that waits: with a growing backlog, tries must become rarer.
      this.#pauseNext = Math.min(this.#pauseNext * 2, PAUSE_MAX);
      this.#pause = this.#pauseNext;
      return;
    }
    if (this.#failing) this.#log.info('chunks_head can be written again');
    this.#failing = false;
    this.#pauseNext = 1;
    this.#pending = [];
    for (const [i, chunk] of batch.entries()) moveToFile(chunk, places[i] as ChunkPlace);
  }

  /** Deletes files that hold nothing from a time (ms) on. Never throws: they can go another time. */
  truncate(mint: number): void {
    try {
      this.#writer?.truncate(mint);
    } catch (thrown) {
      this.#log.warn('chunks_head cannot be truncated', { err: errorText(thrown) });
    }
  }

  /** Late chunks in files before this one are needed no more. */
  truncateLate(sequence: number): void {
    this.#writer?.truncateLate(sequence);
  }

  /** Writes what is left and closes the file. */
  close(): void {
    this.#pause = 0;
    this.write();
    this.#writer?.close();
  }
}

/** Points a meta to its file and gives the buffer back; the generation tells readers to look again. */
function moveToFile({ ingest, series, meta }: PendingChunk, place: ChunkPlace): void {
  const { arena } = ingest;
  const buffer = arena.get(meta + META.offset);
  const generation = (series + S.generation) >>> 2;
  Atomics.add(arena.i32, generation, 1);
  // Atomic, so that they cannot be seen before the odd generation on weakly ordered machines.
  Atomics.store(arena.i32, (meta + META.file) >>> 2, place.file);
  Atomics.store(arena.i32, (meta + META.offset) >>> 2, place.offset | 0);
  Atomics.add(arena.i32, generation, 1);
  freeChunkBuffer(ingest, buffer, arena.u8[meta + META.sizeClass] as number);
}
