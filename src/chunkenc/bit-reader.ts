/** Reads chunks bit by bit, from the high end of each byte on (prometheus tsdb/chunkenc/bstream.go). */
import { CorruptionError } from '../lib/errors.ts';

const WORD = 4294967296;

/**
 * Bits of bytes[from..end]; the bytes stay the caller's. Reading past the end is not refused at once: it gives bits that
 * mean nothing and sets {@link over}, which is asked after each sample.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  /** Positions are counted from here: those of a whole segment file would not fit 32 bits. */
  readonly #base: number;
  readonly #end: number;
  readonly #where: string;
  /** The halves of the varint that was read last. */
  #lo = 0;
  #hi = 0;
  /** The position in bits, from where reading began. */
  pos = 0;

  /** `where` is for errors: the file or body that holds the bytes. */
  constructor(bytes: Uint8Array, from: number, end: number, where = 'chunk') {
    this.#bytes = bytes;
    this.#base = from;
    this.#end = (end - from) * 8;
    this.#where = where;
  }

  /** Whether something was read that is not there. */
  get over(): boolean {
    return this.pos > this.#end;
  }

  /** How many bits are left; negative when too many were read. */
  get left(): number {
    return this.#end - this.pos;
  }

  /** An error at the position. */
  error(message: string): CorruptionError {
    return new CorruptionError(message, this.#where, this.#base + (this.pos >>> 3));
  }

  /** The next 32 bits as a signed number, without moving on. Behind the end of the array there are zeros. */
  peek(): number {
    const bytes = this.#bytes;
    const i = this.#base + (this.pos >>> 3);
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

  /** Reads Go's varint of an int64 as it is; NaN when it does not end. Exact to ±2^53. */
  uvarint(): number {
    return this.#varintHalves() ? (this.#hi | 0) * WORD + (this.#lo >>> 0) : NaN;
  }

  /** Reads Go's zigzag varint; NaN when it does not end. Exact to ±2^53. */
  varint(): number {
    if (!this.#varintHalves()) return NaN;
    // The lowest bit is the sign: a double of the whole would lose it.
    const low = ((this.#lo >>> 1) | (this.#hi << 31)) >>> 0;
    const magnitude = (this.#hi >>> 1) * WORD + low;
    return (this.#lo & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  /** Reads a varint, which need not be aligned; false when the bytes end in it or it has more than ten. */
  #varintHalves(): boolean {
    this.#lo = 0;
    this.#hi = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.pos + 8 > this.#end) return false;
      const b = this.bits(8);
      const x = b & 0x7f;
      if (shift < 32) this.#lo |= x << shift;
      if (shift === 28) this.#hi = x >>> 4;
      else if (shift > 28) this.#hi |= x << (shift - 32);
      if (b < 0x80) return true;
    }
    return false;
  }
}
