/** Takes entries out of the table of series (docs/format/head-arena.md, "Finding series"), as linear probing needs it. */
import type { ArenaWriter } from './arena.ts';
import { H, S } from './arena-layout.ts';

/** Where an alias node names its series. */
export const ALIAS_SERIES = 16;

/** The place in the table of an entry (an address, or that of an alias node with bit 0 set); -1 when it is not there. */
export function findEntry(arena: ArenaWriter, tagged: number): number {
  const table = arena.header(H.table) >>> 2;
  const mask = arena.header(H.tableMask);
  for (let i = idealPlace(arena, tagged, mask); ; i = (i + 1) & mask) {
    const entry = arena.u32[table + i * 2] as number;
    if (entry === 0) return -1;
    if (entry === tagged >>> 0) return i;
  }
}

/** Empties a place, and moves entries behind it that would not be found any more. */
export function removeEntry(arena: ArenaWriter, place: number): void {
  const { u32 } = arena;
  const table = arena.header(H.table) >>> 2;
  const mask = arena.header(H.tableMask);
  let hole = place;
  for (let i = (place + 1) & mask; ; i = (i + 1) & mask) {
    const entry = u32[table + i * 2] as number;
    if (entry === 0) break;
    const ideal = idealPlace(arena, entry, mask);
    // It may move to the hole when the hole is not before its ideal place, going round.
    if (((i - ideal) & mask) < ((i - hole) & mask)) continue;
    u32[table + hole * 2] = entry;
    u32[table + hole * 2 + 1] = u32[table + i * 2 + 1] as number;
    hole = i;
  }
  u32[table + hole * 2] = 0;
  u32[table + hole * 2 + 1] = 0;
  arena.setHeader(H.tableUsed, arena.header(H.tableUsed) - 1);
}

/** The place that the low word of the hash asks for. */
function idealPlace(arena: ArenaWriter, tagged: number, mask: number): number {
  return (arena.get(((tagged & ~1) >>> 0) + S.hash) & mask) >>> 0;
}
