/**
 * What a reader takes of a series while the writer goes on: under the series' generation, begun again when it moved
 * (docs/format/head-arena.md, "Reading").
 */
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { readFence } from '../../lib/fence.ts';
import type { ArenaView } from './arena.ts';
import { META, META_BLOCK, OOO, S, X } from './arena-layout.ts';

/** Numbers of a chunk in a snapshot: file, offset, length, count, encoding, and 1 for late samples. */
export const CHUNK_WORDS = 6;

/** limit: bytes of a chunk; a larger length is nonsense, read while the writer moved things. */
const CHUNK_BYTES_MAX = 16 << 20;
/** limit: deleted intervals of a series that are copied; more are nonsense. */
const DELETED_MAX = 1 << 20;

/** What a reader wants of a series; times in ms, inclusive. */
export interface HeadWindow {
  /** In-order samples from here on: older ones are in blocks. */
  readonly mint: number;
  readonly maxt: number;
  /** Samples that came out of order from here on... */
  readonly lateMint: number;
  /** ...as far as they are not in blocks: chunks whose {@link placeOf} is not below this. */
  readonly lateFrom: number;
}

/** A window over in-order samples only. */
export function inOrderWindow({ mint, maxt }: { mint: number; maxt: number }): HeadWindow {
  return { mint, maxt, lateMint: Infinity, lateFrom: Infinity };
}

/** Orders places in chunks_head/ files: the later one was written later. */
export function placeOf(file: number, offset: number): number {
  return file * 4294967296 + offset;
}

/** The sequence number of a place's file. */
export function fileOfPlace(place: number): number {
  return Math.floor(place / 4294967296);
}

/** Whether a series can have samples in a window, by its newest and oldest chunk, looked at under its generation. */
export function mayHold(view: ArenaView, address: number, window: HeadWindow): boolean {
  const generation = (address + S.generation) >>> 2;
  for (;;) {
    const before = Atomics.load(view.i32, generation);
    if ((before & 1) === 1) continue;
    const answer = reaches(view, address, window) || hasLate(view, address, window);
    readFence();
    if (Atomics.load(view.i32, generation) === before) return answer;
  }
}

function reaches(view: ArenaView, address: number, window: HeadWindow): boolean {
  if (view.getI64(address + S.lastT) < window.mint) return false;
  for (let block = view.get(address + S.metas); block !== 0;) {
    const previous = view.get(block + META_BLOCK.previous);
    if (previous === 0) return view.getI64(block + META_BLOCK.header + META.mint) <= window.maxt;
    block = previous;
  }
  const open = view.get(address + S.chunk);
  return open !== 0 && view.getI64(address + S.chunkMint) <= window.maxt;
}

/** Few series have late samples: of those that have, no times are compared. */
function hasLate(view: ArenaView, address: number, window: HeadWindow): boolean {
  const extra = view.get(address + S.extra);
  if (extra === 0 || window.lateMint > window.maxt) return false;
  const list = view.get(extra + X.ooo);
  return view.get(extra + X.oooMetas) !== 0 || (list !== 0 && view.get(list + OOO.count) > 0);
}

/** A chunk of a snapshot; file 0: its bytes are the snapshot's. */
export interface SnapshotPlace {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
  readonly encoding: number;
  readonly isLate: boolean;
}

/** The chunks of one series in a window, copied out of the arena under the series' generation. Reused. */
export class SeriesSnapshot {
  /** file (0: in `bytes`), offset, length, count, encoding, late; oldest first, late ones behind the others. */
  chunks = new Float64Array(64 * CHUNK_WORDS);
  chunkCount = 0;
  sampleCount = 0;
  /** Chunk bytes that lay in the arena. */
  bytes = new Uint8Array(4096);
  /** Deleted intervals: mint, maxt (ms, inclusive), ascending. */
  deleted = new Float64Array(0);
  #used = 0;
  #withBytes = true;
  /** Late samples that are in no chunk yet: how many, their times, bits and kinds, and where histograms were kept. */
  #lateCount = 0;
  readonly #lateTimes = new Float64Array(OOO.capacity);
  readonly #lateWords = new Uint32Array(OOO.capacity * 2);
  readonly #lateKinds = new Uint8Array(OOO.capacity);

  /**
   * Copies what a series holds in a window, the bytes of chunks in the arena only `withBytes`; begins again when the
   * writer moved something meanwhile.
   */
  take(view: ArenaView, address: number, window: HeadWindow, withBytes: boolean): void {
    this.#withBytes = withBytes;
    const generation = (address + S.generation) >>> 2;
    for (;;) {
      const before = Atomics.load(view.i32, generation);
      if ((before & 1) === 0) {
        this.#copy(view, address, window);
        readFence();
        if (Atomics.load(view.i32, generation) === before) break;
      }
    }
    this.#pushLate();
  }

  /** The k-th chunk. */
  chunkAt(k: number): SnapshotPlace {
    const { chunks } = this;
    const at = k * CHUNK_WORDS;
    return {
      file: chunks[at] as number,
      offset: chunks[at + 1] as number,
      length: chunks[at + 2] as number,
      count: chunks[at + 3] as number,
      encoding: chunks[at + 4] as number,
      isLate: chunks[at + 5] === 1,
    };
  }

  #copy(view: ArenaView, address: number, window: HeadWindow): void {
    this.chunkCount = 0;
    this.sampleCount = 0;
    this.#used = 0;
    this.#lateCount = 0;
    if (this.deleted.length > 0) this.deleted = new Float64Array(0);
    const extra = view.get(address + S.extra);
    this.#copyOpen(view, address, extra, window);
    this.#copyMetas(view, view.get(address + S.metas), (meta) => {
      if (view.getI64(meta + META.maxt) < window.mint) return false;
      if (view.getI64(meta + META.mint) <= window.maxt) this.#pushMeta(view, meta, 0);
      return true;
    });
    this.#reverse();
    if (extra === 0) return;
    this.#copyDeleted(view, view.get(extra + X.deleted));
    if (window.lateMint > window.maxt) return;
    this.#copyMetas(view, view.get(extra + X.oooMetas), (meta) => {
      const file = view.get(meta + META.file);
      const inBlock = file !== 0 && placeOf(file, view.get(meta + META.offset)) < window.lateFrom;
      const overlaps =
        !inBlock &&
        view.getI64(meta + META.mint) <= window.maxt &&
        view.getI64(meta + META.maxt) >= window.lateMint;
      if (overlaps) this.#pushMeta(view, meta, 1);
      return true;
    });
    this.#copyLate(view, view.get(extra + X.ooo));
  }

  #copyOpen(view: ArenaView, address: number, extra: number, window: HeadWindow): void {
    const published = Atomics.load(view.i32, (address + S.published) >>> 2) >>> 0;
    const open = view.get(address + S.chunk);
    if (open === 0 || view.getI64(address + S.chunkMint) > window.maxt) return;
    const encoding = view.u8[address + S.encoding] as number;
    const length =
      encoding === 0 ? Math.ceil((published & 0xffff) / 8) : view.get(extra + X.openLength);
    const at = this.#keep(view, open, length);
    if (encoding === 0 && this.#withBytes && length > 0) {
      // Bits behind the published ones belong to samples that are being appended: the chunk ends before them.
      const last = at + Math.min(length, CHUNK_BYTES_MAX) - 1;
      this.bytes[last] = (this.bytes[last] as number) & (0xff << (-(published & 0xffff) & 7));
    }
    this.#push({ file: 0, offset: at, length, count: published >>> 16, encoding, late: 0 });
  }

  /** Visits metas from the newest to the oldest, until the visitor answers false. */
  #copyMetas(view: ArenaView, newest: number, visit: (meta: number) => boolean): void {
    for (let block = newest; block !== 0;) {
      const count = Math.min(view.get(block + META_BLOCK.count), 16);
      for (let i = count - 1; i >= 0; i--) {
        if (!visit(block + META_BLOCK.header + i * META.bytes)) return;
      }
      block = view.get(block + META_BLOCK.previous);
    }
  }

  #pushMeta(view: ArenaView, meta: number, late: number): void {
    const file = view.get(meta + META.file);
    const length = view.get(meta + META.length);
    const count = view.view.getUint16(meta + META.count, true);
    const encoding = view.u8[meta + META.encoding] as number;
    let offset = view.get(meta + META.offset);
    if (file === 0) offset = this.#keep(view, offset, length);
    this.#push({ file, offset, length, count, encoding, late });
  }

  #copyDeleted(view: ArenaView, list: number): void {
    if (list === 0) return;
    const count = Math.min(view.get(list), DELETED_MAX);
    this.deleted = new Float64Array(count * 2);
    for (let i = 0; i < count * 2; i++) this.deleted[i] = view.getI64(list + 8 + i * 8);
  }

  #copyLate(view: ArenaView, list: number): void {
    if (list === 0) return;
    const count = Math.min(view.get(list + OOO.count), OOO.capacity);
    this.#lateCount = count;
    this.sampleCount += count;
    for (let i = 0; i < count; i++) {
      const entry = list + OOO.entries + i * OOO.entryBytes;
      const kind = view.u8[list + OOO.kinds + i] as number;
      const low = view.get(entry + 8);
      const high = view.get(entry + 12);
      this.#lateKinds[i] = kind;
      this.#lateTimes[i] = view.getI64(entry);
      this.#lateWords[i * 2] = kind === 0 ? low : this.#keep(view, low, high);
      this.#lateWords[i * 2 + 1] = high;
    }
  }

  /** Makes chunks of late samples: of each run of floats one, of each histogram one. */
  #pushLate(): void {
    if (!this.#withBytes) return;
    const count = this.#lateCount;
    for (let from = 0; from < count;) {
      const kind = this.#lateKinds[from] as number;
      let to = from + 1;
      if (kind === 0) {
        while (to < count && this.#lateKinds[to] === 0) to++;
        this.#pushFloats(from, to);
      } else {
        const offset = this.#lateWords[from * 2] as number;
        const length = this.#lateWords[from * 2 + 1] as number;
        this.#push({ file: 0, offset, length, count: 1, encoding: kind, late: 1 });
        this.sampleCount--;
      }
      from = to;
    }
  }

  #pushFloats(from: number, to: number): void {
    const appender = new XorAppender();
    const words = this.#lateWords;
    for (let i = from; i < to; i++) {
      appender.append(
        this.#lateTimes[i] as number,
        words[i * 2 + 1] as number,
        words[i * 2] as number,
      );
    }
    const data = appender.bytes();
    const offset = this.#room(data.length);
    this.bytes.set(data, offset);
    this.#push({ file: 0, offset, length: data.length, count: to - from, encoding: 1, late: 1 });
    this.sampleCount -= to - from;
  }

  #push(chunk: {
    readonly file: number;
    readonly offset: number;
    readonly length: number;
    readonly count: number;
    readonly encoding: number;
    readonly late: number;
  }): void {
    const at = this.chunkCount * CHUNK_WORDS;
    if (at === this.chunks.length) {
      const more = new Float64Array(at * 2);
      more.set(this.chunks);
      this.chunks = more;
    }
    const { chunks } = this;
    chunks[at] = chunk.file;
    chunks[at + 1] = chunk.offset;
    chunks[at + 2] = chunk.length;
    chunks[at + 3] = chunk.count;
    chunks[at + 4] = chunk.encoding === 0 ? 1 : chunk.encoding;
    chunks[at + 5] = chunk.late;
    this.chunkCount++;
    this.sampleCount += chunk.count;
  }

  /** Copies bytes out of the arena; answers where they are. */
  #keep(view: ArenaView, from: number, length: number): number {
    if (!this.#withBytes) return this.#used;
    // While the writer moves things, a length read here can be nonsense: it is bounded before it is believed.
    const size = Math.min(length, CHUNK_BYTES_MAX);
    const at = this.#room(size);
    this.bytes.set(view.u8.subarray(from, from + size), at);
    return at;
  }

  /** Takes so many of the bytes; answers where they begin. */
  #room(size: number): number {
    const at = this.#used;
    if (at + size > this.bytes.length) {
      const more = new Uint8Array(Math.max(this.bytes.length * 2, at + size));
      more.set(this.bytes.subarray(0, at));
      this.bytes = more;
    }
    this.#used = at + size;
    return at;
  }

  #reverse(): void {
    const { chunks } = this;
    for (let i = 0, j = this.chunkCount - 1; i < j; i++, j--) {
      for (let w = 0; w < CHUNK_WORDS; w++) {
        const x = chunks[i * CHUNK_WORDS + w] as number;
        chunks[i * CHUNK_WORDS + w] = chunks[j * CHUNK_WORDS + w] as number;
        chunks[j * CHUNK_WORDS + w] = x;
      }
    }
  }
}
