/**
 * Doubles that are written as the XOR with the one before, several side by side: the sums of histograms and the counts
 * of float histograms (docs/format/chunks.md, "Value"). Values are halves; they never pass through a number variable, so
 * that signalling NaNs survive.
 */
import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';

/** No window has as many leading zeros, so that the first difference of a writer brings one. */
const NO_WINDOW = 0xff;

/** The last value and the window of each of some doubles. */
export class XorValues {
  /** The last values. */
  readonly doubles: Float64Array;
  /** Their bits: the low half of value k is number 2k, the high one 2k + 1. */
  readonly halves: Uint32Array;
  readonly #lead: Uint8Array;
  readonly #trail: Uint8Array;

  /** @param use what for: a reader takes a window that was never written for the whole 64 bits, as Prometheus does. */
  constructor(count: number, use: 'read' | 'write') {
    this.doubles = new Float64Array(count);
    this.halves = new Uint32Array(this.doubles.buffer);
    this.#lead = new Uint8Array(count);
    this.#trail = new Uint8Array(count);
    if (use === 'write') this.#lead.fill(NO_WINDOW);
  }

  /** Reads 64 bits as value k. */
  readWhole(reader: BitReader, k: number): void {
    this.halves[2 * k + 1] = reader.bits(32);
    this.halves[2 * k] = reader.bits(32);
  }

  /** Appends 64 bits and takes them as value k. */
  writeWhole(out: BitWriter, k: number, hi: number, lo: number): void {
    out.bits(hi, 32);
    out.bits(lo, 32);
    this.halves[2 * k + 1] = hi;
    this.halves[2 * k] = lo;
  }

  /** Reads the difference of value k. @throws CorruptionError when its window is larger than 64 bits. */
  read(reader: BitReader, k: number): void {
    if (reader.peek() >= 0) {
      reader.pos += 1;
      return;
    }
    if (reader.bits(2) === 3) this.readWindow(reader, k);
    this.readWindowed(reader, k);
  }

  /** Reads a new window of value k. @throws CorruptionError when it is larger than 64 bits. */
  readWindow(reader: BitReader, k: number): void {
    const lead = reader.bits(5);
    const size = reader.bits(6) || 64;
    if (lead + size > 64) throw reader.error(`${lead} leading and ${size} other bits of 64`);
    this.#lead[k] = lead;
    this.#trail[k] = 64 - lead - size;
  }

  /** Reads the bits within the window of value k. */
  readWindowed(reader: BitReader, k: number): void {
    const { halves } = this;
    const trail = this.#trail[k] as number;
    const size = 64 - (this.#lead[k] as number) - trail;
    // The significant bits as two halves, then moved up by the trailing zeros.
    const high = size > 32 ? reader.bits(size - 32) : 0;
    const low = reader.bits(Math.min(size, 32));
    const hi = halves[2 * k + 1] as number;
    const lo = halves[2 * k] as number;
    if (trail >= 32) halves[2 * k + 1] = hi ^ (low << (trail - 32));
    else if (trail === 0) {
      halves[2 * k + 1] = hi ^ high;
      halves[2 * k] = lo ^ low;
    } else {
      halves[2 * k + 1] = hi ^ ((high << trail) | (low >>> (32 - trail)));
      halves[2 * k] = lo ^ (low << trail);
    }
  }

  /** Appends the difference to value k, and takes its place. */
  write(out: BitWriter, k: number, hi: number, lo: number): void {
    if (this.equals(k, hi, lo)) out.bits(0, 1);
    else this.writeChanged(out, k, hi, lo, XOR_PREFIXES);
  }

  /** Whether value k has these bits. */
  equals(k: number, hi: number, lo: number): boolean {
    return this.halves[2 * k] === lo && this.halves[2 * k + 1] === hi;
  }

  /** Appends the difference to value k, which is another one, and takes its place. */
  writeChanged(out: BitWriter, k: number, hi: number, lo: number, prefixes: WindowPrefixes): void {
    const { halves } = this;
    const xorHi = (hi ^ (halves[2 * k + 1] as number)) >>> 0;
    const xorLo = (lo ^ (halves[2 * k] as number)) >>> 0;
    halves[2 * k + 1] = hi;
    halves[2 * k] = lo;
    const lead = Math.min(31, xorHi === 0 ? 32 + Math.clz32(xorLo) : Math.clz32(xorHi));
    const trail = xorLo === 0 ? 32 + trailingZeros(xorHi) : trailingZeros(xorLo);
    if (lead < (this.#lead[k] as number) || trail < (this.#trail[k] as number)) {
      this.#lead[k] = lead;
      this.#trail[k] = trail;
      out.bits(prefixes.moved, prefixes.movedBits);
      out.bits(lead, 5);
      out.bits((64 - lead - trail) & 63, 6);
    } else out.bits(prefixes.same, prefixes.sameBits);
    const kept = this.#trail[k] as number;
    writeShifted(out, xorHi, xorLo, kept, 64 - (this.#lead[k] as number) - kept);
  }
}

/** What tells the window of the value before from a new one. */
export interface WindowPrefixes {
  readonly same: number;
  readonly sameBits: number;
  readonly moved: number;
  readonly movedBits: number;
}

const XOR_PREFIXES: WindowPrefixes = { same: 2, sameBits: 2, moved: 3, movedBits: 2 };

/** Writes the `size` bits of a value, as halves, that start `trail` bits from the right. */
function writeShifted(out: BitWriter, hi: number, lo: number, trail: number, size: number): void {
  let high = hi;
  let low = lo;
  if (trail >= 32) {
    low = hi >>> (trail - 32);
    high = 0;
  } else if (trail > 0) {
    low = ((lo >>> trail) | (hi << (32 - trail))) >>> 0;
    high = hi >>> trail;
  }
  if (size > 32) {
    out.bits(high, size - 32);
    out.bits(low, 32);
  } else out.bits(low, size);
}

function trailingZeros(x: number): number {
  return 31 - Math.clz32(x & -x);
}
