/** Lists of chunk metas of a series, written by TypeScript: chunks that are out of order (docs/format/head-arena.md). */
import { HEADER, H, META, META_BLOCK, S, metaClass } from './arena-layout.ts';
import type { ArenaView, ArenaWriter } from './arena.ts';

/** limit: entries of a block of metas, as the kernel has it. */
const BLOCK_MAX = 16;

/** Which list: the addresses of its newest block and of its count. */
export interface MetaList {
  readonly head: number;
  readonly count: number;
}

/**
 * Adds a meta to a list and answers its address; the caller fills it, all under the series' generation.
 * @throws CodedError unavailable when the arena is full; the list is then as before.
 */
export function addMeta(arena: ArenaWriter, list: MetaList): number {
  let block = arena.get(list.head);
  const capacity = block === 0 ? 0 : arena.get(block + META_BLOCK.capacity);
  if (block === 0 || arena.get(block + META_BLOCK.count) === capacity) {
    const more = Math.min(Math.max(capacity * 2, 1), BLOCK_MAX);
    const fresh = allocBlock(arena, more);
    arena.set(fresh + META_BLOCK.previous, block);
    arena.set(fresh + META_BLOCK.capacity, more);
    arena.set(fresh + META_BLOCK.count, 0);
    arena.set(list.head, fresh);
    block = fresh;
  }
  const n = arena.get(block + META_BLOCK.count);
  arena.set(block + META_BLOCK.count, n + 1);
  arena.set(list.count, arena.get(list.count) + 1);
  return metaAt(block, n);
}

/** The address of the i-th meta of a block. */
export function metaAt(block: number, i: number): number {
  return block + META_BLOCK.header + i * META.bytes;
}

/** What a meta says of a chunk: file 0 means that it lies in the arena at `offset`. */
export interface ChunkMeta {
  readonly mint: number;
  readonly maxt: number;
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
  readonly encoding: number;
  /** Of a chunk in the arena; 0 otherwise. */
  readonly sizeClass?: number;
}

/** Fills a fresh meta. */
export function putMeta(arena: ArenaWriter, meta: number, chunk: ChunkMeta): void {
  arena.setI64(meta + META.mint, chunk.mint);
  arena.setI64(meta + META.maxt, chunk.maxt);
  arena.set(meta + META.file, chunk.file);
  arena.set(meta + META.offset, chunk.offset);
  arena.set(meta + META.length, chunk.length);
  arena.view.setUint16(meta + META.count, chunk.count, true);
  arena.u8[meta + META.encoding] = chunk.encoding;
  arena.u8[meta + META.sizeClass] = chunk.sizeClass ?? 0;
}

/** Visits the metas of a list, newest first. */
export function eachMeta(arena: ArenaView, newest: number, visit: (meta: number) => void): void {
  for (let block = newest; block !== 0; block = arena.get(block + META_BLOCK.previous)) {
    for (let i = arena.get(block + META_BLOCK.count) - 1; i >= 0; i--) visit(metaAt(block, i));
  }
}

/** Gives a block of metas to the free list of its size, chained by its first word. */
export function freeMetaBlock(arena: ArenaWriter, block: number): void {
  const list = H.freeMetas + metaClass(arena.get(block + META_BLOCK.capacity)) * 4;
  arena.set(block + META_BLOCK.previous, arena.header(list));
  arena.setHeader(list, block);
}

function allocBlock(arena: ArenaWriter, capacity: number): number {
  const list = HEADER + H.freeMetas + metaClass(capacity) * 4;
  const at = arena.get(list);
  if (at === 0) return arena.alloc(META_BLOCK.header + capacity * META.bytes);
  arena.set(list, arena.get(at + META_BLOCK.previous));
  return at;
}

/** The first time of a series' oldest in-order chunk (ms); Infinity when it has none. */
export function oldestTime(arena: ArenaView, series: number): number {
  let oldest = Infinity;
  if (arena.get(series + S.chunk) !== 0) oldest = arena.getI64(series + S.chunkMint);
  for (let block = arena.get(series + S.metas); block !== 0;) {
    oldest = Math.min(oldest, arena.getI64(metaAt(block, 0) + META.mint));
    block = arena.get(block + META_BLOCK.previous);
  }
  return oldest;
}
