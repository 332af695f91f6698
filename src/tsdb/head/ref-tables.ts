/**
 * The series of each ref that a log names, while it is replayed: a table an arena, which the kernel reads, too
 * (docs/format/head-arena.md). Two refs may name one series: those of two lives of it.
 */
import type { ArenaIngest } from './arena-ingest.ts';
import { H, HEADER } from './arena-layout.ts';
import type { OwnedSeries } from './histogram-stager.ts';

/** Bytes of an entry: ref plus one, series. */
const ENTRY_BYTES = 8;
const FIRST_CAPACITY = 1 << 16;

/** The tables of all arenas of a head. */
export class RefTables {
  readonly #arenas: readonly ArenaIngest[];

  /** @throws CodedError unavailable when an arena is full. */
  constructor(arenas: readonly ArenaIngest[]) {
    this.#arenas = arenas;
    for (const ingest of arenas) {
      ingest.arena.setHeader(H.refCount, 0);
      allocate(ingest, FIRST_CAPACITY);
    }
  }

  /** Enters a ref below 2^32 - 1. @throws CodedError unavailable when an arena is full. */
  add(ref: number, { owner, series }: OwnedSeries): void {
    this.makeRoom(owner);
    owner.kernel.mapRef(HEADER, ref, series);
  }

  /** Doubles the table of an arena when it is half full. @throws CodedError unavailable when the arena is full. */
  makeRoom(ingest: ArenaIngest): void {
    const { arena, kernel } = ingest;
    const capacity = arena.header(H.refMask) + 1;
    if (arena.header(H.refCount) < (capacity - 1) >>> 1) return;
    const old = arena.header(H.refTable);
    allocate(ingest, capacity * 2);
    arena.setHeader(H.refCount, 0);
    for (let i = 0; i < capacity; i++) {
      const ref = arena.get(old + i * ENTRY_BYTES);
      if (ref !== 0) kernel.mapRef(HEADER, ref - 1, arena.get(old + i * ENTRY_BYTES + 4));
    }
    arena.freeRegion(old, capacity * ENTRY_BYTES);
  }

  /** The series of a ref; undefined when the log never named it. */
  find(ref: number): OwnedSeries | undefined {
    if (ref > 0xfffffffe) return undefined;
    for (const owner of this.#arenas) {
      const { arena } = owner;
      const table = arena.header(H.refTable);
      const mask = arena.header(H.refMask);
      // The kernel's hash: the two must agree.
      for (let i = (Math.imul(ref, 0x9e3779b1) & mask) >>> 0; ; i = (i + 1) & mask) {
        const entry = arena.get(table + i * ENTRY_BYTES);
        if (entry === 0) break;
        if (entry === ref + 1) return { owner, series: arena.get(table + i * ENTRY_BYTES + 4) };
      }
    }
    return undefined;
  }

  /** Gives the tables' memory back. */
  free(): void {
    for (const { arena } of this.#arenas)
      arena.freeRegion(arena.header(H.refTable), (arena.header(H.refMask) + 1) * ENTRY_BYTES);
  }
}

function allocate({ arena }: ArenaIngest, capacity: number): void {
  arena.setHeader(H.refTable, arena.allocRegion(capacity * ENTRY_BYTES));
  arena.setHeader(H.refMask, capacity - 1);
}
