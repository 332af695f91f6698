/**
 * Samples that came out of order, the writing half: a short sorted list a series in the arena, which becomes chunks of
 * their own (prometheus tsdb/ooo_head.go). Few series have one, so TypeScript does it, under the series' generation.
 */
import { ENCODING_HISTOGRAM, ENCODING_FLOAT_HISTOGRAM } from '../../chunkenc/encodings.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { OOO, S, X } from './arena-layout.ts';
import type { ArenaWriter } from './arena.ts';
import { addMeta, putMeta } from './meta-list.ts';
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { joinHistogramChunks } from './late-histograms.ts';

/** A chunk of late samples that has got its place in a file. */
export interface LateChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
  readonly encoding: number;
}

/** The address of a series' extra record, made at need. @throws CodedError unavailable when the arena is full. */
export function extraOf(arena: ArenaWriter, series: number): number {
  let extra = arena.get(series + S.extra);
  if (extra === 0) {
    extra = arena.alloc(X.bytes);
    // Readers look at it under the generation only, and it is all zeros.
    Atomics.store(arena.i32, (series + S.extra) >>> 2, extra | 0);
  }
  return extra;
}

/** Changes what readers copy under a series' generation. */
export function underGeneration(arena: ArenaWriter, series: number, change: () => void): void {
  const generation = (series + S.generation) >>> 2;
  // Atomic, so that the change cannot be seen before the odd generation on weakly ordered machines.
  Atomics.add(arena.i32, generation, 1);
  try {
    change();
  } finally {
    Atomics.add(arena.i32, generation, 1);
  }
}

/** How many late samples of a series are in no chunk yet. */
export function lateCount(arena: ArenaWriter, series: number): number {
  const extra = arena.get(series + S.extra);
  const list = extra === 0 ? 0 : arena.get(extra + X.ooo);
  return list === 0 ? 0 : arena.get(list + OOO.count);
}

/** A value to be inserted: the bits of a float, or (`kind` not 0) address and length of a chunk of one histogram. */
export interface LateValue {
  readonly kind: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Inserts a sample at its time; the list has room. False when there is one of that time already, which is kept
 * (ooo_head.go Insert).
 */
export function insertLate(
  arena: ArenaWriter,
  series: number,
  t: number,
  { kind, low, high }: LateValue,
): boolean {
  const extra = extraOf(arena, series);
  let list = arena.get(extra + X.ooo);
  if (list === 0) {
    list = arena.allocRegion(OOO.bytes);
    arena.set(extra + X.ooo, list);
  }
  const count = arena.get(list + OOO.count);
  let at = count;
  while (at > 0 && arena.getI64(entryAt(list, at - 1)) >= t) at--;
  if (at < count && arena.getI64(entryAt(list, at)) === t) return false;
  underGeneration(arena, series, () => {
    arena.u8.copyWithin(entryAt(list, at + 1), entryAt(list, at), entryAt(list, count));
    arena.u8.copyWithin(list + OOO.kinds + at + 1, list + OOO.kinds + at, list + OOO.kinds + count);
    arena.u8[list + OOO.kinds + at] = kind;
    arena.setI64(entryAt(list, at), t);
    arena.set(entryAt(list, at) + 8, low);
    arena.set(entryAt(list, at) + 12, high);
    arena.set(list + OOO.count, count + 1);
  });
  return true;
}

/** The late samples of a series as chunks, oldest first: a run of floats, or of histograms of a kind, each. */
export function lateChunks(arena: ArenaWriter, series: number): EncodedChunk[] {
  const extra = arena.get(series + S.extra);
  const list = extra === 0 ? 0 : arena.get(extra + X.ooo);
  if (list === 0) return [];
  const count = arena.get(list + OOO.count);
  const chunks: EncodedChunk[] = [];
  for (let from = 0; from < count;) {
    const kind = arena.u8[list + OOO.kinds + from] as number;
    let to = from + 1;
    while (to < count && arena.u8[list + OOO.kinds + to] === kind) to++;
    if (kind === 0) chunks.push(floatChunk(arena, list, from, to));
    else {
      const parts: Uint8Array[] = [];
      for (let i = from; i < to; i++) parts.push(histogramOf(arena, list, i));
      chunks.push(...joinHistogramChunks(kind, parts));
    }
    from = to;
  }
  return chunks;
}

/** Empties the list: its samples are in chunks with metas now. */
export function clearLate(arena: ArenaWriter, series: number, chunks: readonly LateChunk[]): void {
  const extra = arena.get(series + S.extra);
  const list = arena.get(extra + X.ooo);
  const count = arena.get(list + OOO.count);
  const held: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    if (arena.u8[list + OOO.kinds + i] === 0) continue;
    held.push([arena.get(entryAt(list, i) + 8), arena.get(entryAt(list, i) + 12)]);
  }
  underGeneration(arena, series, () => {
    for (const chunk of chunks) addLateMeta(arena, series, chunk);
    arena.set(list + OOO.count, 0);
  });
  for (const [address, length] of held) arena.freeRegion(address, regionBytes(length));
}

/** Adds the meta of a chunk that lies in a file. The caller holds the generation, or nobody reads yet. */
export function addLateMeta(arena: ArenaWriter, series: number, chunk: LateChunk): void {
  const extra = extraOf(arena, series);
  const meta = addMeta(arena, { head: extra + X.oooMetas, count: extra + X.oooMetaCount });
  putMeta(arena, meta, chunk);
}

/** Puts the chunk of one histogram into the arena; what {@link insertLate} takes. */
export function holdHistogram(arena: ArenaWriter, isFloat: boolean, data: Uint8Array): LateValue {
  const kind = isFloat ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
  return { kind, low: holdBytes(arena, data), high: data.length };
}

/** Copies bytes to a region of the arena; answers its address. */
export function holdBytes(arena: ArenaWriter, data: Uint8Array): number {
  const address = arena.allocRegion(regionBytes(data.length));
  arena.u8.set(data, address);
  return address;
}

/** The size of the region for so many bytes: a power of two, so that it serves others later. */
export function regionBytes(length: number): number {
  return 2 ** Math.max(6, Math.ceil(Math.log2(Math.max(length, 1))));
}

function entryAt(list: number, i: number): number {
  return list + OOO.entries + i * OOO.entryBytes;
}

function histogramOf(arena: ArenaWriter, list: number, i: number): Uint8Array {
  const at = arena.get(entryAt(list, i) + 8);
  return arena.u8.slice(at, at + arena.get(entryAt(list, i) + 12));
}

function floatChunk(arena: ArenaWriter, list: number, from: number, to: number): EncodedChunk {
  const appender = new XorAppender();
  for (let i = from; i < to; i++) {
    const entry = entryAt(list, i);
    appender.append(arena.getI64(entry), arena.get(entry + 12), arena.get(entry + 8));
  }
  return {
    mint: arena.getI64(entryAt(list, from)),
    maxt: arena.getI64(entryAt(list, to - 1)),
    encoding: 1,
    count: to - from,
    data: appender.bytes(),
  };
}
