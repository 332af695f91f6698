/**
 * What is deleted of a head's series (prometheus tsdb/head.go Delete, tsdb/tombstones): a sorted list of closed intervals a
 * series in the arena, replaced as a whole under the series' generation.
 */
import { S, X } from './arena-layout.ts';
import type { ArenaWriter } from './arena.ts';
import { extraOf, regionBytes, underGeneration } from './late-samples.ts';

/** Intervals of a series, mint and maxt in turn (ms, inclusive), ascending and apart. */
export type Intervals = readonly number[];

/** Adds an interval; what it touches or overlaps becomes one with it. */
export function withInterval(intervals: Intervals, mint: number, maxt: number): number[] {
  const out: number[] = [];
  let from = mint;
  let to = maxt;
  let at = 0;
  for (; at < intervals.length && (intervals[at + 1] as number) < from - 1; at += 2)
    out.push(intervals[at] as number, intervals[at + 1] as number);
  for (; at < intervals.length && (intervals[at] as number) <= to + 1; at += 2) {
    from = Math.min(from, intervals[at] as number);
    to = Math.max(to, intervals[at + 1] as number);
  }
  out.push(from, to);
  for (; at < intervals.length; at++) out.push(intervals[at] as number);
  return out;
}

/** The intervals of a series; none mostly. */
export function deletedOf(arena: ArenaWriter, series: number): number[] {
  const extra = arena.get(series + S.extra);
  const list = extra === 0 ? 0 : arena.get(extra + X.deleted);
  const out: number[] = [];
  if (list === 0) return out;
  for (let i = 0; i < arena.get(list) * 2; i++) out.push(arena.getI64(list + 8 + i * 8));
  return out;
}

/** Deletes an interval of a series for readers from now on. @throws CodedError unavailable when the arena is full. */
export function deleteInterval(
  arena: ArenaWriter,
  series: number,
  mint: number,
  maxt: number,
): void {
  put(arena, series, withInterval(deletedOf(arena, series), mint, maxt));
}

/** Forgets what is deleted before a time: the samples are gone. */
export function forgetDeleted(arena: ArenaWriter, series: number, before: number): void {
  const intervals = deletedOf(arena, series);
  const kept: number[] = [];
  for (let i = 0; i < intervals.length; i += 2) {
    if ((intervals[i + 1] as number) >= before)
      kept.push(intervals[i] as number, intervals[i + 1] as number);
  }
  if (kept.length < intervals.length) put(arena, series, kept);
}

function put(arena: ArenaWriter, series: number, intervals: Intervals): void {
  const extra = extraOf(arena, series);
  const old = arena.get(extra + X.deleted);
  let list = 0;
  if (intervals.length > 0) {
    list = arena.allocRegion(listBytes(intervals.length / 2));
    arena.set(list, intervals.length / 2);
    for (const [i, time] of intervals.entries()) arena.setI64(list + 8 + i * 8, time);
  }
  const oldBytes = old === 0 ? 0 : listBytes(arena.get(old));
  underGeneration(arena, series, () => arena.set(extra + X.deleted, list));
  if (old !== 0) arena.freeRegion(old, oldBytes);
}

function listBytes(count: number): number {
  return regionBytes(8 + count * 16);
}
