/**
 * XOR chunks in TypeScript: the specification of the kernels and their fallback (docs/format/chunks.md).
 *
 * Values are two 32-bit halves throughout and never pass through a number variable, so that signalling NaNs survive.
 */

import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import { XorValues } from './xor-values.ts';

/** Where a decoder writes: timestamps as doubles, values as (low, high) pairs of 32-bit words. */
export interface XorOutput {
  readonly t: Float64Array;
  readonly halves: Uint32Array;
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
  let t = reader.varint();
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

/** Appends samples of one series to an XOR chunk: the specification of the kernel's appender. */
export class XorAppender {
  readonly #out = new BitWriter(128);
  readonly #value = new XorValues(1, 'write');
  #count = 0;
  #t = 0;
  #delta = 0;

  constructor() {
    this.#out.bits(0, 16);
  }

  /** How many samples the chunk holds. */
  get count(): number {
    return this.#count;
  }

  /** The chunk as written to disk: a copy, with its count in front. */
  bytes(): Uint8Array {
    const out = this.#out.bytes.slice(0, this.#out.byteLength);
    out[0] = this.#count >>> 8;
    out[1] = this.#count & 0xff;
    return out;
  }

  /** Appends a sample; t is an integer later than the last one's, the value its two halves. */
  append(t: number, hi: number, lo: number): void {
    const out = this.#out;
    if (this.#count === 0) {
      out.varint(t);
      this.#value.writeWhole(out, 0, hi, lo);
    } else {
      const delta = t - this.#t;
      if (this.#count === 1) out.uvarint(delta);
      else this.#putDod(delta - this.#delta);
      this.#delta = delta;
      this.#value.write(out, 0, hi, lo);
    }
    this.#t = t;
    this.#count++;
  }

  #putDod(dod: number): void {
    const out = this.#out;
    if (dod === 0) out.bits(0, 1);
    else if (fits(dod, 14)) out.bits((2 << 14) | (dod & 0x3fff), 16);
    else if (fits(dod, 17)) out.bits((6 << 17) | (dod & 0x1ffff), 20);
    else if (fits(dod, 20)) out.bits((14 << 20) | (dod & 0xfffff), 24);
    else {
      out.bits(15, 4);
      out.bits(Math.floor(dod / 4294967296) >>> 0, 32);
      out.bits(dod >>> 0, 32);
    }
  }
}

/** Whether n bits hold a delta of deltas: the negative bound stands for the positive one. */
function fits(dod: number, n: number): boolean {
  return dod > -(2 ** (n - 1)) && dod <= 2 ** (n - 1);
}
