/**
 * The ingest kernel's twin: chunk buffers, chunk metas, and the XOR appender with Prometheus' rule for cutting chunks.
 * Values are two 32-bit halves throughout (docs/format/chunks.md has the bits).
 */
import { writeUvarint, writeVarint } from '../../lib/varint.ts';
import type { ArenaView } from './arena.ts';
import { CUT_BYTES, H, META, META_BLOCK, S, STAGED_BYTES, X, metaClass } from './arena-layout.ts';
import { putWord } from './ingest-twin-stage.ts';

/** Buffer sizes by class. The last holds a full chunk, one more sample and a store's slack. */
const CLASS_BYTES = [64, 128, 192, 256, 384, 512, 768, 1088] as const;
/** The class a chunk begins with. */
const FIRST_CLASS = 1;
/** What must be free behind a chunk before a sample is appended. */
const SAMPLE_SLACK = 40;
/** A chunk with more bytes takes no further sample: 1024 less the largest sample. */
const CHUNK_BYTES_MAX = 1024 - 19;
/** limit: entries of a block of chunk metas. */
const META_BLOCK_MAX = 16;
/** No window of significant bits yet. */
const NO_WINDOW = 0xff;

/** Appends samples to the open chunks of one arena. */
export class TwinAppender {
  readonly #arena: ArenaView;

  constructor(arena: ArenaView) {
    this.#arena = arena;
  }

  /** Takes bytes from the bump region, 8-byte aligned and zero; 0 when the arena is full. */
  alloc(h: number, bytes: number): number {
    const arena = this.#arena;
    const size = Math.ceil(bytes / 8) * 8;
    const at = arena.get(h + H.bump);
    if (arena.get(h + H.end) - at < size) return 0;
    arena.set(h + H.bump, at + size);
    return at;
  }

  #allocBuffer(h: number, sizeClass: number): number {
    const arena = this.#arena;
    const list = h + H.free + sizeClass * 4;
    const bytes = CLASS_BYTES[sizeClass] as number;
    const at = arena.get(list);
    if (at === 0) return this.alloc(h, bytes);
    arena.set(list, arena.get(at));
    arena.u8.fill(0, at, at + bytes);
    return at;
  }

  /** Gives a chunk buffer back. Readers notice by the generation of the series it belonged to. */
  freeBuffer(h: number, at: number, sizeClass: number): void {
    const arena = this.#arena;
    const list = h + H.free + sizeClass * 4;
    arena.set(at, arena.get(list));
    arena.set(list, at);
  }

  /** Adds a meta entry for the open chunk of a series and gives its address; 0 when the arena is full. */
  addMeta(h: number, series: number): number {
    const arena = this.#arena;
    let block = arena.get(series + S.metas);
    const capacity = block === 0 ? 0 : arena.get(block + META_BLOCK.capacity);
    if (block === 0 || arena.get(block + META_BLOCK.count) === capacity) {
      const more = Math.min(Math.max(capacity * 2, 1), META_BLOCK_MAX);
      const fresh = this.#allocMetas(h, more);
      if (fresh === 0) return 0;
      arena.set(fresh + META_BLOCK.previous, block);
      arena.set(fresh + META_BLOCK.capacity, more);
      arena.set(fresh + META_BLOCK.count, 0);
      arena.set(series + S.metas, fresh);
      block = fresh;
    }
    const n = arena.get(block + META_BLOCK.count);
    arena.set(block + META_BLOCK.count, n + 1);
    arena.set(series + S.metaCount, arena.get(series + S.metaCount) + 1);
    return block + META_BLOCK.header + n * META.bytes;
  }

  /** A block for so many metas: one given back, or a fresh one. */
  #allocMetas(h: number, capacity: number): number {
    const arena = this.#arena;
    const list = h + H.freeMetas + metaClass(capacity) * 4;
    const at = arena.get(list);
    if (at === 0) return this.alloc(h, META_BLOCK.header + capacity * META.bytes);
    arena.set(list, arena.get(at + META_BLOCK.previous));
    return at;
  }

  /** Appends the staged samples; answers how many. Fewer than staged: the arena is full. */
  apply(h: number): number {
    const arena = this.#arena;
    const count = arena.get(h + H.stagedCount);
    let entry = arena.get(h + H.staged);
    for (let i = 0; i < count; i++) {
      const t = arena.getI64(entry + 8);
      if (!this.append(h, arena.get(entry), t, arena.get(entry + 16), arena.get(entry + 20)))
        return i;
      entry += STAGED_BYTES;
    }
    return count;
  }

  /**
   * Appends a sample that is newer than the series' last one, cutting the chunk by Prometheus' rule
   * (tsdb/head_append.go appendPreprocessor): past its predicted end, at twice the target count, or near 1024 bytes.
   */
  append(h: number, series: number, t: number, low: number, high: number): boolean {
    const arena = this.#arena;
    if (arena.get(series + S.chunk) !== 0 && this.#mustCut(h, series, t)) {
      if (!this.#cut(h, series)) return false;
    }
    const fits =
      arena.get(series + S.chunk) === 0
        ? this.#open(h, series, t, low, high)
        : this.#extend(h, series, t, low, high);
    if (!fits) return false;
    arena.setI64(series + S.lastT, t);
    arena.set(series + S.lastV, low);
    arena.set(series + S.lastV + 4, high);
    if (t > arena.getI64(h + H.maxt)) arena.setI64(h + H.maxt, t);
    if (t < arena.getI64(h + H.mint)) arena.setI64(h + H.mint, t);
    arena.setI64(h + H.samplesTotal, arena.getI64(h + H.samplesTotal) + 1);
    return true;
  }

  #mustCut(h: number, series: number, t: number): boolean {
    const arena = this.#arena;
    if (arena.u8[series + S.encoding] !== 0) return true;
    const published = arena.get(series + S.published);
    if (bytesOf(published) > CHUNK_BYTES_MAX) return true;
    const count = published >>> 16;
    const target = arena.get(h + H.samplesPerChunk);
    if (count === Math.floor(target / 4)) {
      const start = arena.getI64(series + S.chunkMint);
      const end = chunkEnd(start, arena.getI64(series + S.lastT), arena.getI64(series + S.nextAt));
      arena.setI64(series + S.nextAt, end);
    }
    return t >= arena.getI64(series + S.nextAt) || count >= target * 2;
  }

  /** Ends the open chunk of a series, of whatever encoding; 0 when the arena is full. */
  cutOpen(h: number, series: number): number {
    return this.#arena.get(series + S.chunk) === 0 || this.#cut(h, series) ? 1 : 0;
  }

  /** Ends the open chunk: it becomes a meta whose bytes still lie in the arena, and an entry of the cut list. */
  #cut(h: number, series: number): boolean {
    const arena = this.#arena;
    const chunk = arena.get(series + S.chunk);
    const published = arena.get(series + S.published);
    const count = published >>> 16;
    const encoding = arena.u8[series + S.encoding] as number;
    this.#move(series);
    const meta = this.addMeta(h, series);
    if (meta !== 0) {
      let length = bytesOf(published);
      if (encoding === 0) {
        arena.u8[chunk] = count >>> 8;
        arena.u8[chunk + 1] = count;
      } else length = arena.get(arena.get(series + S.extra) + X.openLength);
      arena.setI64(meta + META.mint, arena.getI64(series + S.chunkMint));
      arena.setI64(meta + META.maxt, arena.getI64(series + S.lastT));
      arena.set(meta + META.file, 0);
      arena.set(meta + META.offset, chunk);
      arena.set(meta + META.length, length);
      arena.view.setUint16(meta + META.count, count, true);
      arena.u8[meta + META.encoding] = encoding === 0 ? 1 : encoding;
      arena.u8[meta + META.sizeClass] = arena.u8[series + S.sizeClass] as number;
      arena.set(series + S.chunk, 0);
      arena.u8[series + S.encoding] = 0;
      this.#publish(series, 0, 0);
    }
    this.#move(series);
    if (meta === 0) return false;
    const cuts = arena.get(h + H.cutCount);
    const entry = arena.get(h + H.cut) + cuts * CUT_BYTES;
    arena.set(entry, series);
    arena.set(entry + 4, meta);
    arena.set(h + H.cutCount, cuts + 1);
    return true;
  }

  /** Starts a chunk with a first sample. Go's integer division truncates, so times before 1970 round up as there. */
  #open(h: number, series: number, t: number, low: number, high: number): boolean {
    const arena = this.#arena;
    const base = this.#allocBuffer(h, FIRST_CLASS);
    if (base === 0) return false;
    const range = arena.getI64(h + H.chunkRange);
    const at = writeVarint(arena.u8, base + 2, t);
    putWord(arena.u8, at, high);
    putWord(arena.u8, at + 4, low);
    this.#move(series);
    arena.set(series + S.chunk, base);
    arena.u8[series + S.sizeClass] = FIRST_CLASS;
    arena.setI64(series + S.chunkMint, t);
    arena.setI64(series + S.nextAt, Math.trunc(t / range) * range + range);
    arena.u8[series + S.lead] = NO_WINDOW;
    arena.setI64(series + S.delta, 0);
    this.#publish(series, 1, (at + 8 - base) * 8);
    this.#move(series);
    return true;
  }

  /** Appends a sample to the open chunk. */
  #extend(h: number, series: number, t: number, low: number, high: number): boolean {
    const arena = this.#arena;
    const published = arena.get(series + S.published);
    const count = published >>> 16;
    let pos = published & 0xffff;
    const sizeClass = arena.u8[series + S.sizeClass] as number;
    if ((pos >>> 3) + SAMPLE_SLACK > (CLASS_BYTES[sizeClass] as number)) {
      if (!this.#grow(h, series, sizeClass, bytesOf(published))) return false;
    }
    const base = arena.get(series + S.chunk);
    const delta = t - arena.getI64(series + S.lastT);
    if (count === 1) pos = (writeUvarint(arena.u8, base + (pos >>> 3), delta) - base) * 8;
    else pos = this.#putTime(base, pos, delta - arena.getI64(series + S.delta));
    arena.setI64(series + S.delta, delta);
    pos = this.#putValue(series, base, pos, low, high);
    this.#publish(series, count + 1, pos);
    return true;
  }

  /** Moves the open chunk to a buffer of the next size. */
  #grow(h: number, series: number, sizeClass: number, bytes: number): boolean {
    const arena = this.#arena;
    const fresh = this.#allocBuffer(h, sizeClass + 1);
    if (fresh === 0) return false;
    const old = arena.get(series + S.chunk);
    arena.u8.copyWithin(fresh, old, old + bytes);
    this.#move(series);
    arena.set(series + S.chunk, fresh);
    arena.u8[series + S.sizeClass] = sizeClass + 1;
    this.#move(series);
    this.freeBuffer(h, old, sizeClass);
    return true;
  }

  /** Begins and ends a change of the places of chunks: the generation is odd in between. */
  #move(series: number): void {
    Atomics.add(this.#arena.i32, (series + S.generation) >>> 2, 1);
  }

  /** Lets readers see so many samples in so many bits. */
  #publish(series: number, count: number, bits: number): void {
    Atomics.store(this.#arena.i32, (series + S.published) >>> 2, (count << 16) | bits);
  }

  /** Appends the difference of a time step to the one before it. */
  #putTime(base: number, pos: number, dod: number): number {
    if (dod === 0) return pos + 1;
    if (dod >= -8191 && dod <= 8192) return this.#put(base, this.#put(base, pos, 2, 2), dod, 14);
    if (dod >= -65535 && dod <= 65536) return this.#put(base, this.#put(base, pos, 6, 3), dod, 17);
    if (dod >= -524287 && dod <= 524288)
      return this.#put(base, this.#put(base, pos, 14, 4), dod, 20);
    const high = Math.floor(dod / 4294967296);
    return this.#put(base, this.#put(base, this.#put(base, pos, 15, 4), high, 32), dod, 32);
  }

  /** Appends a value's difference to the one before it. */
  #putValue(series: number, base: number, from: number, low: number, high: number): number {
    const arena = this.#arena;
    const x = (low ^ arena.get(series + S.lastV)) >>> 0;
    const y = (high ^ arena.get(series + S.lastV + 4)) >>> 0;
    if (x === 0 && y === 0) return from + 1;
    const lead = Math.min(31, Math.clz32(y));
    const trail = x === 0 ? 32 + trailingZeros(y) : trailingZeros(x);
    const oldLead = arena.u8[series + S.lead] as number;
    const oldTrail = arena.u8[series + S.trail] as number;
    if (oldLead !== NO_WINDOW && lead >= oldLead && trail >= oldTrail) {
      return this.#putWindow(base, this.#put(base, from, 2, 2), x, y, oldLead, oldTrail);
    }
    arena.u8[series + S.lead] = lead;
    arena.u8[series + S.trail] = trail;
    const window = (3 << 11) | (lead << 6) | ((64 - lead - trail) & 63);
    return this.#putWindow(base, this.#put(base, from, window, 13), x, y, lead, trail);
  }

  /** Appends the bits of (high, low) that leave out so many at either end. */
  #putWindow(
    base: number,
    pos: number,
    low: number,
    high: number,
    lead: number,
    trail: number,
  ): number {
    const n = 64 - lead - trail;
    if (trail >= 32) return this.#put(base, pos, high >>> (trail - 32), n);
    // A shift by 32 is one by 0, so a trail of 0 must not come here.
    const word = trail === 0 ? low : (low >>> trail) | (high << (32 - trail));
    if (n <= 32) return this.#put(base, pos, word, n);
    return this.#put(base, this.#put(base, pos, high >>> trail, n - 32), word, 32);
  }

  /** Writes the low 1 <= n <= 32 bits of a number. The buffer behind `pos` is zero. */
  #put(base: number, pos: number, value: number, n: number): number {
    const { u8 } = this.#arena;
    const bits = n === 32 ? value >>> 0 : value & ((1 << n) - 1);
    let at = base + (pos >>> 3);
    const free = 8 - (pos & 7);
    if (n < free) {
      u8[at] = (u8[at] as number) | (bits << (free - n));
      return pos + n;
    }
    let left = n - free;
    u8[at] = (u8[at] as number) | (bits >>> left);
    for (at++; left >= 8; at++) {
      left -= 8;
      u8[at] = bits >>> left;
    }
    if (left > 0) u8[at] = bits << (8 - left);
    return pos + n;
  }
}

/** The bytes that published bits reach into. */
function bytesOf(published: number): number {
  return ((published & 0xffff) + 7) >>> 3;
}

/** When a chunk is a quarter full: the time at which to cut so that chunks of a range hold equally many samples. */
function chunkEnd(start: number, now: number, max: number): number {
  const n = (max - start) / ((now - start + 1) * 4);
  return n <= 1 ? max : Math.trunc(start + (max - start) / Math.floor(n));
}

function trailingZeros(x: number): number {
  return 31 - Math.clz32(x & -x);
}
