/**
 * Takes series out of an arena that have no samples any more (prometheus tsdb/head.go gc), in three steps:
 *
 *   unlink   the series is found by no write any more; a new one of its labels is another series, with another ref
 *   sweep    lists of postings lose it, pairs without series lose their place; under the index' epoch, so that a select
 *            that ran beside it begins again
 *   free     memory and slots are used again: when every query that began before the sweep has ended
 *
 * Done in slices by the thread that writes, between its requests.
 */
import type { ArenaIngest } from './arena-ingest.ts';
import { ALIAS_BYTES, H, NAME, PAIR, POSTINGS, S, X } from './arena-layout.ts';
import type { HistogramWriter } from './histogram-writer.ts';
import { regionBytes } from './late-samples.ts';
import { changeIndex, pairPlace, removePair } from './postings-sweep.ts';
import { ALIAS_SERIES, findEntry, removeEntry } from './series-removal.ts';

/** perf: series, entries or list entries looked at before other work of the thread may come in between: some 2 ms. */
const SLICE = 20_000;

/** A region that is given back when nobody can be in it. */
interface Garbage {
  readonly at: number;
  readonly bytes: number;
}

/** Collects the dead series of one arena. */
export class SeriesCollection {
  readonly #ingest: ArenaIngest;
  readonly #histograms: HistogramWriter;
  /** Samples before it are in blocks: a series whose newest one is older has none here. */
  readonly #maxt: number;
  readonly #seriesCount: number;
  /** A bit a slot. */
  readonly #dead: Uint32Array;
  readonly #deadSlots: number[] = [];
  readonly #deadPairs: number[] = [];
  readonly #garbage: Garbage[] = [];
  readonly #regions: Garbage[] = [];
  /** Refs of the series that were collected. */
  readonly refs: number[] = [];
  #next = 0;
  #table = 0;
  #step: () => boolean = () => this.#unlink();

  constructor(ingest: ArenaIngest, histograms: HistogramWriter, maxt: number) {
    this.#ingest = ingest;
    this.#histograms = histograms;
    this.#maxt = maxt;
    this.#seriesCount = ingest.arena.header(H.seriesCount);
    this.#dead = new Uint32Array((this.#seriesCount >>> 5) + 1);
  }

  /** How many series were collected. */
  get count(): number {
    return this.#deadSlots.length;
  }

  /** Works on; false when all is unlinked and swept. */
  step(): boolean {
    return this.#step();
  }

  /** Gives memory and slots free: nobody who found the series is left. */
  free(): void {
    const { arena } = this.#ingest;
    for (const { at, bytes } of this.#garbage) arena.free(at, bytes);
    for (const { at, bytes } of this.#regions) arena.freeRegion(at, bytes);
    for (const [list, numbers, slabs, size] of [
      [H.freeSlots, this.#deadSlots, H.seriesSlabs, S.bytes],
      [H.freePairs, this.#deadPairs, H.pairSlabs, PAIR.bytes],
    ] as const) {
      // The lowest comes first, so that lists of postings stay in runs that ascend.
      for (const number of numbers.sort((a, b) => b - a)) {
        const at = arena.record(arena.header(slabs), size, number);
        arena.u8.fill(0, at, at + size);
        arena.set(at, arena.header(list));
        arena.setHeader(list, number + 1);
      }
    }
  }

  #unlink(): boolean {
    const { arena } = this.#ingest;
    const slabs = arena.header(H.seriesSlabs);
    const end = Math.min(this.#seriesCount, this.#next + SLICE);
    for (; this.#next < end; this.#next++) {
      const series = arena.record(slabs, S.bytes, this.#next);
      if (this.#isDead(series)) this.#take(this.#next, series);
    }
    if (this.#next < this.#seriesCount) return true;
    if (this.count === 0) return false;
    this.#next = 0;
    this.#step = () => this.#unlinkAliases();
    return true;
  }

  #isDead(series: number): boolean {
    const { arena } = this.#ingest;
    if (arena.get(series + S.pairCount) === 0) return false;
    if (arena.get(series + S.chunk) !== 0 || arena.get(series + S.metas) !== 0) return false;
    if (arena.getI64(series + S.lastT) >= this.#maxt) return false;
    const extra = arena.get(series + S.extra);
    return extra === 0 || (arena.get(extra + X.ooo) === 0 && arena.get(extra + X.oooMetas) === 0);
  }

  #take(index: number, series: number): void {
    const { arena } = this.#ingest;
    const place = findEntry(arena, series);
    // Found by nobody already: a bug, and taking it apart could only make it worse.
    if (place < 0) return;
    removeEntry(arena, place);
    this.#histograms.forget(series);
    this.#dead[index >>> 5] = (this.#dead[index >>> 5] as number) | (1 << (index & 31));
    this.#deadSlots.push(index);
    this.refs.push(arena.getI64(series + S.ref));
    arena.setHeader(H.dead, arena.header(H.dead) + 1);
    this.#discard(arena.get(series + S.key), arena.get(series + S.keyLength));
    this.#discard(arena.get(series + S.pairs), arena.get(series + S.pairCount) * 4);
    const extra = arena.get(series + S.extra);
    if (extra === 0) return;
    const deleted = arena.get(extra + X.deleted);
    if (deleted !== 0)
      this.#regions.push({ at: deleted, bytes: regionBytes(8 + arena.get(deleted) * 16) });
    this.#discard(extra, X.bytes);
  }

  /** Other spellings of the series that were taken; the table may have become another one meanwhile. */
  #unlinkAliases(): boolean {
    const { arena } = this.#ingest;
    if (arena.header(H.table) !== this.#table) {
      this.#table = arena.header(H.table);
      this.#next = 0;
    }
    const capacity = arena.header(H.tableMask) + 1;
    const end = Math.min(capacity, this.#next + SLICE);
    while (this.#next < end) {
      const entry = arena.get(this.#table + this.#next * 8);
      const node = entry - 1;
      const isAlias = (entry & 1) === 1;
      if (!isAlias || !this.#isTaken(arena.get(arena.get(node + ALIAS_SERIES) + S.index))) {
        this.#next++;
        continue;
      }
      this.#discard(node, ALIAS_BYTES + arena.get(node + S.keyLength));
      // Another entry may have moved here: the place is looked at again.
      removeEntry(arena, this.#next);
    }
    if (this.#next < capacity) return true;
    this.#next = 0;
    this.#step = () => this.#sweep();
    return true;
  }

  /** One label name at a time, and no more list entries than a slice. */
  #sweep(): boolean {
    const { arena } = this.#ingest;
    const names = arena.header(H.nameCount);
    changeIndex(arena, () => {
      for (let left = SLICE; left > 0 && this.#next < names; this.#next++)
        left -= this.#sweepName(arena.record(arena.header(H.nameSlabs), NAME.bytes, this.#next));
    });
    return this.#next < names;
  }

  /** Answers how many list entries there were. */
  #sweepName(name: number): number {
    const { arena } = this.#ingest;
    let seen = 1;
    let before = 0;
    let removed = 0;
    for (let next = arena.get(name + NAME.first); next !== 0;) {
      const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, next - 1);
      const behind = arena.get(at + PAIR.next);
      seen += 1 + arena.get(at + PAIR.count);
      this.#sweepList(at);
      if (arena.get(at + PAIR.count) > 0) before = next;
      else {
        this.#unchain(name, before, behind);
        this.#removePair(at, next - 1);
        removed++;
      }
      next = behind;
    }
    if (removed > 0) Atomics.sub(arena.i32, (name + NAME.count) >>> 2, removed);
    return seen;
  }

  /** Takes the dead out of a pair's list. Blocks stay as they are for readers; what is left is put into a new one. */
  #sweepList(at: number): void {
    const { arena } = this.#ingest;
    const count = arena.get(at + PAIR.count);
    const kept: number[] = [];
    const blocks: Garbage[] = [];
    let left = count;
    for (let block = arena.get(at + PAIR.firstBlock); block !== 0; block = arena.get(block)) {
      const capacity = arena.get(block + POSTINGS.capacity);
      blocks.push({ at: block, bytes: POSTINGS.header + capacity * 4 });
      const used = Math.min(arena.get(block + POSTINGS.used), left);
      for (let i = 0; i < used; i++) {
        const index = arena.get(block + POSTINGS.header + i * 4);
        if (!this.#isTaken(index)) kept.push(index);
      }
      left -= used;
    }
    if (kept.length === count) return;
    // Slots are used again, so lists may hold runs: here they become one.
    kept.sort((a, b) => a - b);
    this.#garbage.push(...blocks);
    this.#putList(at, kept);
  }

  #putList(at: number, series: readonly number[]): void {
    const { arena } = this.#ingest;
    let first = 0;
    let last = 0;
    for (let from = 0; from < series.length; from += LIST_BLOCK_MAX) {
      const part = series.slice(from, from + LIST_BLOCK_MAX);
      const block = arena.alloc(POSTINGS.header + part.length * 4);
      arena.set(block + POSTINGS.capacity, part.length);
      arena.set(block + POSTINGS.used, part.length);
      for (const [i, index] of part.entries()) arena.set(block + POSTINGS.header + i * 4, index);
      if (first === 0) first = block;
      else arena.set(last + POSTINGS.next, block);
      last = block;
    }
    arena.set(at + PAIR.firstBlock, first);
    arena.set(at + PAIR.lastBlock, last);
    Atomics.store(arena.i32, (at + PAIR.count) >>> 2, series.length);
  }

  #unchain(name: number, before: number, behind: number): void {
    const { arena } = this.#ingest;
    if (before === 0) arena.set(name + NAME.first, behind);
    else {
      const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, before - 1);
      arena.set(at + PAIR.next, behind);
    }
    if (behind === 0) arena.set(name + NAME.last, before);
  }

  #removePair(at: number, number: number): void {
    const { arena } = this.#ingest;
    const place = pairPlace(arena, arena.get(at + PAIR.hash), number);
    if (place < 0) return;
    removePair(arena, place);
    this.#discard(arena.get(at + PAIR.value), arena.get(at + PAIR.valueLength));
    this.#deadPairs.push(number);
  }

  #isTaken(index: number): boolean {
    return ((this.#dead[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }

  #discard(at: number, bytes: number): void {
    this.#garbage.push({ at, bytes });
  }
}

/** Entries of a block, as PostingsWriter has it at the most. */
const LIST_BLOCK_MAX = 4096;
