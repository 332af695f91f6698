/** Reads chunks bit by bit, from the high end of each byte on (prometheus tsdb/chunkenc/bstream.go). */
import { CorruptionError } from '../lib/errors.ts';

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

  /** Reads Go's unsigned varint, which need not be aligned; NaN when it does not end. Exact to 2^53. */
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

  /** Reads Go's zigzag varint; NaN when it does not end. Exact to ±2^53. */
  varint(): number {
    // The lowest bit is the sign: it must not be lost to the precision of a double.
    if (this.pos + 8 > this.#end) return NaN;
    const b = this.bits(8);
    const low = (b & 0x7f) >>> 1;
    const rest = b < 0x80 ? 0 : this.#varintRest();
    const magnitude = rest * 64 + low;
    return (b & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  #varintRest(): number {
    let value = 0;
    let scale = 1;
    for (let i = 1; i < 10; i++) {
      if (this.pos + 8 > this.#end) return NaN;
      const b = this.bits(8);
      value += (b & 0x7f) * scale;
      if (b < 0x80) return value;
      scale *= 128;
    }
    return NaN;
  }
}
