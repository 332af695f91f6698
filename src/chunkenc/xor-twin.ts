/**
 * XOR chunks in TypeScript: the specification of the kernels and their fallback (docs/format/chunks.md).
 *
 * Values are two 32-bit halves throughout and never pass through a number variable, so that signalling NaNs survive.
 */

import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';

/** Where a decoder writes: timestamps as doubles, values as (low, high) pairs of 32-bit words. */
export interface XorOutput {
  readonly t: Float64Array;
  readonly halves: Uint32Array;
}

/** Bits of a chunk from a position on; reading past the end sets `over`. */
class BitReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  pos: number;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.#bytes = bytes;
    this.pos = from * 8;
    this.#end = end * 8;
  }

  get over(): boolean {
    return this.pos > this.#end;
  }

  /** The next 32 bits as a signed number, without moving on. Behind the end of the array there are zeros. */
  peek(): number {
    const bytes = this.#bytes;
    const i = this.pos >>> 3;
    const shift = this.pos & 7;
    const word =
      ((bytes[i] as number) << 24) |
      ((bytes[i + 1] as number) << 16) |
      ((bytes[i + 2] as number) << 8) |
      (bytes[i + 3] as number);
    return shift === 0 ? word : (word << shift) | ((bytes[i + 4] as number) >>> (8 - shift));
  }

  /** Reads 1 <= n <= 32 bits as an unsigned number. */
  bits(n: number): number {
    const value = this.peek() >>> (32 - n);
    this.pos += n;
    return value;
  }

  /** Reads a byte-aligned unsigned varint; NaN when it does not end. Exact below 2^53. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.pos + 8 > this.#end) return NaN;
      const b = this.bits(8);
      value += (b & 0x7f) * scale;
      if (b < 0x80) return value;
      scale *= 128;
    }
    return NaN;
  }
}

/** Reads a delta of deltas: 0, or 10, 110, 1110 before 14, 17, 20 bits, or 1111 before 64. */
function readDod(reader: BitReader): number {
  const window = reader.peek();
  if (window >= 0) {
    reader.pos += 1;
    return 0;
  }
  const ones = Math.clz32(~window);
  if (ones >= 4) {
    reader.pos += 4;
    const hi = reader.bits(32) | 0;
    return hi * 4294967296 + reader.bits(32);
  }
  const prefix = ones + 1;
  const size = ones === 1 ? 14 : ones === 2 ? 17 : 20;
  reader.pos += prefix + size;
  const value = (window << prefix) >>> (32 - size);
  return value > 2 ** (size - 1) ? value - 2 ** size : value;
}

/**
 * Decodes `count` samples of the chunk at bytes[offset..offset+length], whose first two bytes (its own count) are not
 * read, to out[at…]. Stale markers are left out when `dropStale`.
 * Returns how many samples were written, or -1 when the bytes are not an XOR chunk of that many samples.
 */
export function decodeXorTwin(
  bytes: Uint8Array,
  offset: number,
  length: number,
  count: number,
  out: XorOutput,
  at: number,
  dropStale: boolean,
): number {
  if (count === 0) return 0;
  const reader = new BitReader(bytes, offset + 2, offset + length);
  let o = at;
  let hi = 0;
  let lo = 0;
  const emit = (t: number): void => {
    if (dropStale && hi === STALE_NAN_HI && lo === STALE_NAN_LO) return;
    out.t[o] = t;
    out.halves[2 * o] = lo;
    out.halves[2 * o + 1] = hi;
    o++;
  };
  const zigzag = reader.uvarint();
  let t = zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
  hi = reader.bits(32);
  lo = reader.bits(32);
  if (Number.isNaN(t) || reader.over) return -1;
  emit(t);
  let delta = 0;
  let trail = 0;
  let size = 0;
  for (let i = 1; i < count; i++) {
    delta = i === 1 ? reader.uvarint() : delta + readDod(reader);
    if (Number.isNaN(delta)) return -1;
    t += delta;
    if (reader.bits(1) === 1) {
      if (reader.bits(1) === 1) {
        const lead = reader.bits(5);
        size = reader.bits(6) || 64;
        if (lead + size > 64) return -1;
        trail = 64 - lead - size;
      }
      if (size === 0) return -1;
      // The significant bits as two halves, then moved up by the trailing zeros.
      const high = size > 32 ? reader.bits(size - 32) : 0;
      const low = reader.bits(Math.min(size, 32));
      if (trail >= 32) hi = (hi ^ (low << (trail - 32))) >>> 0;
      else if (trail === 0) {
        hi = (hi ^ high) >>> 0;
        lo = (lo ^ low) >>> 0;
      } else {
        hi = (hi ^ ((high << trail) | (low >>> (32 - trail)))) >>> 0;
        lo = (lo ^ (low << trail)) >>> 0;
      }
    }
    if (reader.over) return -1;
    emit(t);
  }
  return o - at;
}

/** Bits of a chunk under construction. */
class BitWriter {
  bytes: Uint8Array;
  pos = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Appends the low n <= 32 bits of a number. */
  bits(value: number, n: number): void {
    if ((this.pos + n) / 8 + 8 > this.bytes.length) {
      const more = new Uint8Array(this.bytes.length * 2);
      more.set(this.bytes);
      this.bytes = more;
    }
    for (let left = n; left > 0;) {
      const free = 8 - (this.pos & 7);
      const take = Math.min(free, left);
      const part = Math.floor(value / 2 ** (left - take)) & ((1 << take) - 1);
      const index = this.pos >>> 3;
      this.bytes[index] = (this.bytes[index] as number) | (part << (free - take));
      this.pos += take;
      left -= take;
    }
  }

  uvarint(value: number): void {
    let v = value;
    for (; v >= 0x80; v = Math.floor(v / 128)) this.bits((v % 128) | 0x80, 8);
    this.bits(v, 8);
  }
}

/** Appends samples of one series to an XOR chunk: the specification of the kernel's appender. */
export class XorAppender {
  readonly #out = new BitWriter(128);
  #count = 0;
  #t = 0;
  #delta = 0;
  #hi = 0;
  #lo = 0;
  #lead = 0xff;
  #trail = 0;

  constructor() {
    this.#out.bits(0, 16);
  }

  /** How many samples the chunk holds. */
  get count(): number {
    return this.#count;
  }

  /** The chunk as written to disk: a copy, with its count in front. */
  bytes(): Uint8Array {
    const out = this.#out.bytes.slice(0, Math.ceil(this.#out.pos / 8));
    out[0] = this.#count >>> 8;
    out[1] = this.#count & 0xff;
    return out;
  }

  /** Appends a sample; t is an integer later than the last one's, the value its two halves. */
  append(t: number, hi: number, lo: number): void {
    const out = this.#out;
    if (this.#count === 0) {
      out.uvarint(t < 0 ? -t * 2 - 1 : t * 2);
      out.bits(hi, 32);
      out.bits(lo, 32);
    } else {
      const delta = t - this.#t;
      if (this.#count === 1) out.uvarint(delta);
      else this.#putDod(delta - this.#delta);
      this.#delta = delta;
      this.#putXor((hi ^ this.#hi) >>> 0, (lo ^ this.#lo) >>> 0);
    }
    this.#t = t;
    this.#hi = hi;
    this.#lo = lo;
    this.#count++;
  }

  #putDod(dod: number): void {
    const out = this.#out;
    const fits = (n: number): boolean => dod >= -(2 ** (n - 1) - 1) && dod <= 2 ** (n - 1);
    const put = (prefix: number, prefixBits: number, n: number): void => {
      out.bits(prefix, prefixBits);
      out.bits(dod < 0 ? dod + 2 ** n : dod, n);
    };
    if (dod === 0) out.bits(0, 1);
    else if (fits(14)) put(2, 2, 14);
    else if (fits(17)) put(6, 3, 17);
    else if (fits(20)) put(14, 4, 20);
    else {
      out.bits(15, 4);
      out.bits(Math.floor(dod / 4294967296) >>> 0, 32);
      out.bits(dod >>> 0, 32);
    }
  }

  #putXor(hi: number, lo: number): void {
    const out = this.#out;
    if (hi === 0 && lo === 0) {
      out.bits(0, 1);
      return;
    }
    const lead = Math.min(31, hi === 0 ? 32 + Math.clz32(lo) : Math.clz32(hi));
    const trail = lo === 0 ? 32 + trailingZeros(hi) : trailingZeros(lo);
    if (this.#lead === 0xff || lead < this.#lead || trail < this.#trail) {
      this.#lead = lead;
      this.#trail = trail;
      out.bits(3, 2);
      out.bits(lead, 5);
      out.bits((64 - lead - trail) & 63, 6);
    } else out.bits(2, 2);
    this.#putShifted(hi, lo, this.#trail, 64 - this.#lead - this.#trail);
  }

  /** Writes the n bits of (hi, lo) that start `trail` bits from the right. */
  #putShifted(hi: number, lo: number, trail: number, n: number): void {
    let high = hi;
    let low = lo;
    if (trail >= 32) {
      low = trail === 32 ? hi : hi >>> (trail - 32);
      high = 0;
    } else if (trail > 0) {
      low = ((lo >>> trail) | (hi << (32 - trail))) >>> 0;
      high = hi >>> trail;
    }
    if (n > 32) {
      this.#out.bits(high, n - 32);
      this.#out.bits(low, 32);
    } else this.#out.bits(low, n);
  }
}

function trailingZeros(x: number): number {
  return 31 - Math.clz32(x & -x);
}
