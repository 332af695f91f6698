/**
 * Takes out of an arena what a block holds now: metas of chunks before a time, and open chunks that ended before it.
 * Series stay, empty ones too, and so do their refs.
 *
 * Done in slices by the thread that writes, between its requests. Each series changes under its generation, like any
 * move of chunks (docs/format/head-arena.md, "Reading"). A reader that began before must not miss samples: whoever
 * calls this has waited for such readers (see block-table.ts).
 */
import type { ArenaIngest } from './arena-ingest.ts';
import { H, HEADER, META, META_BLOCK, S } from './arena-layout.ts';
import type { ArenaWriter } from './arena.ts';
import { forgetDeleted } from './deleted-intervals.ts';
import { freeChunkBuffer } from './histogram-writer.ts';
import type { HistogramWriter } from './histogram-writer.ts';
import { freeMetaBlock, metaAt, oldestTime } from './meta-list.ts';

/** perf: series looked at before other work of the thread may come in between: some 2 ms. */
const SLICE_SERIES = 20_000;

/** The largest i64 as a double: H.mint while there is no sample. */
const NO_TIME = 2 ** 63;

/** Truncates one arena, slice by slice. */
export class Truncation {
  readonly #ingest: ArenaIngest;
  readonly #histograms: HistogramWriter;
  readonly #maxt: number;
  readonly #seriesCount: number;
  #next = 0;
  #oldest = Infinity;

  /** `maxt` is exclusive: what ends before it goes. */
  constructor(ingest: ArenaIngest, histograms: HistogramWriter, maxt: number) {
    this.#ingest = ingest;
    this.#histograms = histograms;
    this.#maxt = maxt;
    this.#seriesCount = ingest.arena.header(H.seriesCount);
    // From here on the oldest time is that of appends, until the series have been looked at.
    setNoTime(ingest.arena);
  }

  /** Works on the next series; false when there are none left. */
  step(): boolean {
    const { arena } = this.#ingest;
    const slabs = arena.header(H.seriesSlabs);
    const end = Math.min(this.#seriesCount, this.#next + SLICE_SERIES);
    for (; this.#next < end; this.#next++) {
      const series = arena.record(slabs, S.bytes, this.#next);
      this.#dropOpen(series);
      this.#dropMetas(series);
      if (arena.get(series + S.extra) !== 0) forgetDeleted(arena, series, this.#maxt);
      this.#oldest = Math.min(this.#oldest, oldestTime(arena, series));
    }
    if (this.#next < this.#seriesCount) return true;
    // What was appended meanwhile is not older than `maxt`: such samples are refused by now.
    const oldest = Math.max(this.#maxt, Math.min(this.#oldest, arena.getI64(HEADER + H.mint)));
    if (oldest < NO_TIME) arena.setI64(HEADER + H.mint, oldest);
    return false;
  }

  #dropOpen(series: number): void {
    const { arena } = this.#ingest;
    const chunk = arena.get(series + S.chunk);
    if (chunk === 0 || arena.getI64(series + S.lastT) >= this.#maxt) return;
    const histogram = arena.u8[series + S.encoding] !== 0;
    const generation = (series + S.generation) >>> 2;
    Atomics.add(arena.i32, generation, 1);
    arena.set(series + S.chunk, 0);
    Atomics.store(arena.i32, (series + S.published) >>> 2, 0);
    arena.u8[series + S.encoding] = 0;
    Atomics.add(arena.i32, generation, 1);
    freeChunkBuffer(this.#ingest, chunk, arena.u8[series + S.sizeClass] as number);
    if (histogram) this.#histograms.forget(series);
  }

  #dropMetas(series: number): void {
    const { arena } = this.#ingest;
    let keeper = 0;
    let dead = arena.get(series + S.metas);
    while (dead !== 0 && newestTime(arena, dead) >= this.#maxt) {
      keeper = dead;
      dead = arena.get(dead + META_BLOCK.previous);
    }
    // A chunk that waits for a file is pointed at by the list of such chunks: it and what is older stay for now.
    if (dead === 0 || holdsUnwritten(arena, dead)) return;
    const generation = (series + S.generation) >>> 2;
    Atomics.add(arena.i32, generation, 1);
    const link = keeper === 0 ? series + S.metas : keeper + META_BLOCK.previous;
    Atomics.store(arena.i32, link >>> 2, 0);
    let freed = 0;
    while (dead !== 0) {
      const previous = arena.get(dead + META_BLOCK.previous);
      freed += arena.get(dead + META_BLOCK.count);
      freeMetaBlock(arena, dead);
      dead = previous;
    }
    arena.set(series + S.metaCount, arena.get(series + S.metaCount) - freed);
    Atomics.add(arena.i32, generation, 1);
  }
}

function setNoTime(arena: ArenaWriter): void {
  arena.setHeader(H.mint, 0xffffffff);
  arena.setHeader(H.mint + 4, 0x7fffffff);
}

function newestTime(arena: ArenaWriter, block: number): number {
  const count = arena.get(block + META_BLOCK.count);
  return arena.getI64(metaAt(block, count - 1) + META.maxt);
}

/** Whether a block of metas or an older one has a chunk that still lies in the arena. */
function holdsUnwritten(arena: ArenaWriter, newest: number): boolean {
  for (let block = newest; block !== 0; block = arena.get(block + META_BLOCK.previous)) {
    for (let i = 0; i < arena.get(block + META_BLOCK.count); i++) {
      if (arena.get(metaAt(block, i) + META.file) === 0) return true;
    }
  }
  return false;
}
