/**
 * The ingest kernel's twin: the keyed hash of label bytes, the table of series, and replay's table of refs.
 *
 * The hash is not the kernel's: one of the two works on a memory for all its life. What they share is the use: the
 * low word picks the place in the table, the high word tells entries apart and (bits 8 and up) picks the arena.
 */
import type { ArenaView } from './arena.ts';
import { H, S } from './arena-layout.ts';

/** Field of an alias node that replaces a series' fields behind key length. */
const ALIAS_SERIES = 16;
const GOLDEN = 0x9e3779b1;

/** The tables of one arena. */
export class TwinTable {
  readonly #arena: ArenaView;
  /** The two words of the last hash. */
  low = 0;
  high = 0;

  constructor(arena: ArenaView) {
    this.#arena = arena;
  }

  /** Hashes bytes with the key of the arena to {@link low} and {@link high}. */
  hash(h: number, from: number, length: number): void {
    const { u32 } = this.#arena;
    let a = (u32[(h + H.seed) >>> 2] as number) ^ length;
    let b = (u32[(h + H.seed + 4) >>> 2] as number) ^ 0x2545f491;
    // perf: one aligned load a word, whatever the alignment: a key is some 300 bytes long. Words behind the end may be
    // loaded, never used.
    const shift = (from & 3) * 8;
    let at = from >>> 2;
    let next = u32[at] as number;
    for (let left = length; left > 0; left -= 4) {
      let word = next;
      next = u32[++at] as number;
      if (shift !== 0) word = (word >>> shift) | (next << (32 - shift));
      if (left < 4) word &= (1 << (left * 8)) - 1;
      a = Math.imul(a ^ word, 0x85ebca6b);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b ^ word, 0xc2b2ae35);
      b = ((b << 17) | (b >>> 15)) + a;
    }
    a = Math.imul(a ^ (b >>> 15), 0x2c1b3c6d);
    b = Math.imul(b ^ (a >>> 13), 0x297a2d39);
    a ^= b >>> 16;
    b ^= a >>> 14;
    this.low = Math.imul(a, GOLDEN) >>> 0;
    this.high = (Math.imul(b, 0x85ebca6b) ^ a) >>> 0;
  }

  /** The series that has these bytes, hashed last, as its key or an alias; 0 when there is none. */
  find(h: number, key: number, length: number): number {
    const { u32 } = this.#arena;
    const { low, high } = this;
    const table = (u32[(h + H.table) >>> 2] as number) >>> 2;
    const mask = u32[(h + H.tableMask) >>> 2] as number;
    for (let i = low & mask; ; i = (i + 1) & mask) {
      const tagged = u32[table + i * 2] as number;
      if (tagged === 0) return 0;
      if (u32[table + i * 2 + 1] !== high) continue;
      const node = (tagged & ~1) >>> 0;
      if (u32[(node + S.hash) >>> 2] !== low || u32[(node + S.keyLength) >>> 2] !== length)
        continue;
      if (!this.#equal(u32[(node + S.key) >>> 2] as number, key, length)) continue;
      return (tagged & 1) === 0 ? node : (u32[(node + ALIAS_SERIES) >>> 2] as number);
    }
  }

  /** Compares a stored key, which is aligned, with bytes anywhere. */
  #equal(stored: number, key: number, length: number): boolean {
    const { u8, u32 } = this.#arena;
    const shift = (key & 3) * 8;
    const words = length >>> 2;
    const a = stored >>> 2;
    const b = key >>> 2;
    if (shift === 0) {
      for (let i = 0; i < words; i++) if (u32[a + i] !== u32[b + i]) return false;
    } else {
      let next = u32[b] as number;
      for (let i = 0; i < words; i++) {
        const word = next >>> shift;
        next = u32[b + i + 1] as number;
        if (((word | (next << (32 - shift))) ^ (u32[a + i] as number)) !== 0) return false;
      }
    }
    for (let i = words * 4; i < length; i++) if (u8[stored + i] !== u8[key + i]) return false;
    return true;
  }

  /** Enters a series (or, with bit 0 set, an alias node) whose hash, key and key length are in place. */
  insert(h: number, tagged: number): void {
    const { u32 } = this.#arena;
    const mask = u32[(h + H.tableMask) >>> 2] as number;
    this.#place((u32[(h + H.table) >>> 2] as number) >>> 2, mask, tagged >>> 0);
    const used = (h + H.tableUsed) >>> 2;
    u32[used] = (u32[used] as number) + 1;
  }

  /** Moves all entries to a zeroed table of `capacity`, a power of two. */
  rehash(h: number, table: number, capacity: number): void {
    const { u32 } = this.#arena;
    const from = (u32[(h + H.table) >>> 2] as number) >>> 2;
    const count = (u32[(h + H.tableMask) >>> 2] as number) + 1;
    for (let i = 0; i < count; i++) {
      const tagged = u32[from + i * 2] as number;
      if (tagged !== 0) this.#place(table >>> 2, capacity - 1, tagged);
    }
    u32[(h + H.table) >>> 2] = table;
    u32[(h + H.tableMask) >>> 2] = capacity - 1;
  }

  #place(table: number, mask: number, tagged: number): void {
    const { u32 } = this.#arena;
    const node = (tagged & ~1) >>> 0;
    let i = (u32[(node + S.hash) >>> 2] as number) & mask;
    while (u32[table + i * 2] !== 0) i = (i + 1) & mask;
    u32[table + i * 2] = tagged;
    u32[table + i * 2 + 1] = u32[(node + S.hash + 4) >>> 2] as number;
  }

  /** Enters ref -> series into the replay table: entries of ref + 1, series. */
  mapRef(h: number, ref: number, series: number): void {
    const { u32 } = this.#arena;
    const entry = this.#refEntry(h, ref);
    const count = (h + H.refCount) >>> 2;
    if (u32[entry] === 0) u32[count] = (u32[count] as number) + 1;
    u32[entry] = ref + 1;
    u32[entry + 1] = series;
  }

  /** The series of a ref, 0 when the log never named it. */
  seriesOfRef(h: number, ref: number): number {
    const { u32 } = this.#arena;
    const entry = this.#refEntry(h, ref);
    return u32[entry] === 0 ? 0 : (u32[entry + 1] as number);
  }

  /** The word index of a ref's entry, or of the free one where it belongs. */
  #refEntry(h: number, ref: number): number {
    const { u32 } = this.#arena;
    const table = (u32[(h + H.refTable) >>> 2] as number) >>> 2;
    const mask = u32[(h + H.refMask) >>> 2] as number;
    for (let i = Math.imul(ref, GOLDEN) & mask; ; i = (i + 1) & mask) {
      const entry = table + i * 2;
      if (u32[entry] === 0 || u32[entry] === (ref + 1) >>> 0) return entry;
    }
  }
}
