/** Puts WAL records together (docs/format/wal.md). */
import { writeUvarint, writeVarint } from '../../lib/varint.ts';

/** Up to here writeVarint is exact. */
const VARINT_EXACT = 2 ** 52;
/** More than any number takes. */
const NUMBER_BYTES_MAX = 10;

/** A record under construction, in a buffer that grows and is used again. Numbers are safe integers. */
export class RecordBuilder {
  #bytes = new Uint8Array(1024);
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Begins a record of a type. */
  begin(type: number): void {
    this.#size = 0;
    this.byte(type);
  }

  /** The record, in memory of its own. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#size++] = value;
  }

  /** A big-endian 64-bit number, in two's complement. */
  u64(value: number): void {
    const high = Math.floor(value / 4294967296);
    this.halves(high, value - high * 4294967296);
  }

  /** Eight bytes from two halves of 32 bits. */
  halves(high: number, low: number): void {
    this.#reserve(8);
    const bytes = this.#bytes;
    let at = this.#size;
    for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = high >>> shift;
    for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = low >>> shift;
    this.#size = at;
  }

  uvarint(value: number): void {
    this.#reserve(NUMBER_BYTES_MAX);
    this.#size = writeUvarint(this.#bytes, this.#size, value);
  }

  varint(value: number): void {
    this.difference(value, 0);
  }

  /** The varint of value - base. */
  difference(value: number, base: number): void {
    const difference = value - base;
    if (Math.abs(difference) >= VARINT_EXACT) {
      this.#wide(BigInt(value) - BigInt(base));
      return;
    }
    this.#reserve(NUMBER_BYTES_MAX);
    this.#size = writeVarint(this.#bytes, this.#size, difference);
  }

  /** Bytes as they are. */
  put(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.#reserve(to - from);
    this.#bytes.set(bytes.subarray(from, to), this.#size);
    this.#size += to - from;
  }

  /** Bytes after their length. */
  sized(bytes: Uint8Array): void {
    this.uvarint(bytes.length);
    this.put(bytes);
  }

  /** Labels: their number, then names and values in turn. */
  labels(parts: readonly Uint8Array[]): void {
    this.uvarint(parts.length / 2);
    for (const part of parts) this.sized(part);
  }

  /** Only for what a double does not hold exactly. */
  #wide(value: bigint): void {
    let left = value < 0n ? -value * 2n - 1n : value * 2n;
    for (; left >= 0x80n; left >>= 7n) this.byte(Number(left & 0x7fn) | 0x80);
    this.byte(Number(left));
  }

  #reserve(count: number): void {
    const need = this.#size + count;
    if (need <= this.#bytes.length) return;
    const more = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    more.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = more;
  }
}
