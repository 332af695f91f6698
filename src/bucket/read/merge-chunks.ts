/**
 * The chunks of one series that several blocks have: in the order of time, exact duplicates once. Behaviour: thanos
 * pkg/store/proxy_merge.go (chainSeriesAndRemIdenticalChunks), storepb/custom.go (AggrChunk.Compare).
 */
import { readUvarint } from '../../lib/varint.ts';
import type { SeriesSource } from './merge-series.ts';
import type { SeriesRun } from './series-run.ts';

/** Chunks that are ready to be sent: fields of a Series in pieces, in order. */
export interface MergedChunks {
  readonly pieces: Uint8Array[];
  readonly count: number;
  readonly bytes: number;
}

/** Puts the chunks of equal series together. */
export function mergeChunks(sources: readonly SeriesSource[]): MergedChunks {
  const merged = new Pieces();
  const ordered =
    sources.length === 1 ? sources : sources.toSorted((a, b) => firstTime(a) - firstTime(b));
  // perf: blocks of one producer follow each other in time, and have their chunks in order.
  if (isAscending(ordered)) {
    for (const { run, at } of ordered) {
      merged.add(run, run.chunkStarts[at] as number, run.chunkStarts[at + 1] as number);
    }
    return merged;
  }
  for (const { run, at } of distinctChunks(sources)) merged.add(run, at, at + 1);
  return merged;
}

class Pieces implements MergedChunks {
  readonly pieces: Uint8Array[] = [];
  count = 0;
  bytes = 0;

  /** Chunks from..to of a run; those that lie one behind the other become one piece. */
  add({ frames }: SeriesRun, from: number, to: number): void {
    if (frames === undefined) return;
    const { parts, part, start, end } = frames;
    for (let i = from; i < to;) {
      const first = i;
      for (i++; i < to && part[i] === part[first] && start[i] === end[i - 1]; i++);
      const bytes = parts[part[first] as number] as Uint8Array;
      const last = end[i - 1] as number;
      const piece = bytes.subarray(start[first], last);
      this.pieces.push(piece);
      this.bytes += piece.length;
    }
    this.count += to - from;
  }
}

function firstTime({ run, at }: SeriesSource): number {
  return run.mint[run.chunkStarts[at] as number] as number;
}

/** Whether no chunk begins before another one ends that stands before it. */
function isAscending(sources: readonly SeriesSource[]): boolean {
  let last = -Infinity;
  for (const { run, at } of sources) {
    const end = run.chunkStarts[at + 1] as number;
    for (let i = run.chunkStarts[at] as number; i < end; i++) {
      if ((run.mint[i] as number) <= last) return false;
      last = run.maxt[i] as number;
    }
  }
  return true;
}

/** All chunks, sorted by their times, without those whose every part has been seen. */
function distinctChunks(sources: readonly SeriesSource[]): SeriesSource[] {
  const seen = new Set<string>();
  const kept: SeriesSource[] = [];
  for (const { run, at } of sources) {
    const end = run.chunkStarts[at + 1] as number;
    for (let i = run.chunkStarts[at] as number; i < end; i++) {
      const fresh = hashesOf({ run, at: i }).find((hash) => !seen.has(hash));
      if (fresh === undefined) continue;
      seen.add(fresh);
      kept.push({ run, at: i });
    }
  }
  return kept.sort(compareChunks);
}

/** compat: of chunks of the same times Go has the smaller type first, and of one type the larger data. */
function compareChunks(a: SeriesSource, b: SeriesSource): number {
  const byTime =
    (a.run.mint[a.at] as number) - (b.run.mint[b.at] as number) ||
    (a.run.maxt[a.at] as number) - (b.run.maxt[b.at] as number);
  if (byTime !== 0) return byTime;
  const [x, y] = [partsOf(a), partsOf(b)];
  for (let field = FIELD_FIRST; field <= FIELD_LAST; field++) {
    const [one, other] = [x.get(field), y.get(field)];
    if (one === undefined && other === undefined) continue;
    if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
    const order = one.type - other.type || Buffer.compare(other.data, one.data);
    if (order !== 0) return order;
  }
  return 0;
}

function chunkBytes({ frames }: SeriesRun, i: number): Uint8Array {
  if (frames === undefined) return new Uint8Array(0);
  const bytes = frames.parts[frames.part[i] as number] as Uint8Array;
  return bytes.subarray(frames.start[i], frames.end[i]);
}

/** A Chunk: raw samples, or one aggregate. */
interface ChunkPart {
  readonly type: number;
  readonly data: Uint8Array;
  /** The bytes of its varint. */
  readonly hash: string;
}

const TYPE_FIELD = 1;
const DATA_FIELD = 2;
const HASH_FIELD = 3;
/** Parts of an AggrChunk: raw, count, sum, min, max, counter. */
const FIELD_FIRST = 3;
const FIELD_LAST = 8;
/** The order in which Go looks at hashes: raw, count, max, min, sum, counter. */
const HASH_ORDER = [3, 4, 7, 6, 5, 8];

/** The parts of a chunk by their field numbers. */
function partsOf({ run, at }: SeriesSource): Map<number, ChunkPart> {
  const bytes = chunkBytes(run, at);
  const cursor = { bytes, pos: 1, end: bytes.length };
  readUvarint(cursor);
  const parts = new Map<number, ChunkPart>();
  while (cursor.pos < cursor.end) {
    const tag = bytes[cursor.pos++] as number;
    const value = readUvarint(cursor);
    if ((tag & 7) === 0) continue;
    parts.set(tag >> 3, partOf(bytes, cursor.pos, cursor.pos + value));
    cursor.pos += value;
  }
  return parts;
}

function partOf(bytes: Uint8Array, from: number, to: number): ChunkPart {
  const cursor = { bytes, pos: from, end: to };
  let part: ChunkPart = { type: 0, data: bytes.subarray(from, from), hash: '' };
  while (cursor.pos < to) {
    const field = (bytes[cursor.pos++] as number) >> 3;
    const at = cursor.pos;
    const value = readUvarint(cursor);
    if (field === TYPE_FIELD) part = { ...part, type: value };
    else if (field === DATA_FIELD) {
      part = { ...part, data: bytes.subarray(cursor.pos, cursor.pos + value) };
      cursor.pos += value;
    } else if (field === HASH_FIELD) {
      part = { ...part, hash: Buffer.from(bytes.subarray(at, cursor.pos)).toString('latin1') };
    }
  }
  return part;
}

/** The hashes of a chunk's parts. */
function hashesOf(chunk: SeriesSource): string[] {
  const parts = partsOf(chunk);
  return HASH_ORDER.flatMap((field) => parts.get(field)?.hash ?? []);
}
