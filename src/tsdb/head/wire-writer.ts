/** Writes protobuf fields into one growing buffer that is used again and again. */
import { CodedError } from '../../lib/errors.ts';

const FIRST_BYTES = 1 << 16;

/** limit: a buffer beyond it is not kept for the next message. */
const KEPT_BYTES_MAX = 8 << 20;

/** From so many bytes on a native copy is faster than a loop. */
const NATIVE_COPY_MIN = 96;

/** Bytes that {@link WireWriter.open} leaves for a length: right for content of 128 to 16383 bytes. */
const LENGTH_ROOM = 2;

/** A message under construction. */
export class WireWriter {
  readonly #what: string;
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #max = Infinity;
  /** How much fits: the buffer, or less when less is allowed. */
  #limit = this.#bytes.length;
  length = 0;

  /** @param what it is, for the error that it is too long. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Starts over; what is longer than `bytesMax` throws `too_large`. */
  begin(bytesMax: number): void {
    this.length = 0;
    this.#max = bytesMax;
    this.#resize(this.#bytes.length > KEPT_BYTES_MAX ? FIRST_BYTES : this.#bytes.length);
  }

  /** What was written: a view, valid until the next {@link begin}. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Makes room for so many bytes more; the other methods rely on it. @throws CodedError too_large. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need > this.#limit) this.#grow(need);
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.#bytes[this.length++] = value;
  }

  /** Writes a varint of a whole number below 2^53. */
  varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.length;
    let rest = value;
    while (rest >= 0x80) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** Writes a varint of any whole number to 2^53 in magnitude, a negative one in ten bytes: protobuf's int64. */
  int64(value: number): void {
    if (value >= 0) return this.varint(value);
    const bytes = this.#bytes;
    let low = (value % 4294967296) >>> 0;
    let high = Math.floor(value / 4294967296) >>> 0;
    for (let k = 0; k < 9; k++) {
      bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.length++] = low;
  }

  /** Writes a varint of any whole number below 2^52 in magnitude: protobuf's sint64. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Writes eight bytes from their halves, as protobuf's double. */
  halves(low: number, high: number): void {
    this.#view.setUint32(this.length, low, true);
    this.#view.setUint32(this.length + 4, high, true);
    this.length += 8;
  }

  /** Writes a double whose bits do not matter: a stale marker may change. */
  double(value: number): void {
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Copies bytes. */
  put(source: Uint8Array): void {
    this.#bytes.set(source, this.length);
    this.length += source.length;
  }

  /** Copies source[from..end]. */
  copy(source: Uint8Array, from: number, end: number): void {
    const at = this.length;
    this.length += end - from;
    // perf: most copies are label texts of a few bytes; native ones make a translation twice as slow.
    if (end - from >= NATIVE_COPY_MIN) {
      this.#bytes.set(source.subarray(from, end), at);
      return;
    }
    const bytes = this.#bytes;
    const shift = at - from;
    for (let i = from; i < end; i++) bytes[i + shift] = source[i] as number;
  }

  /** Begins a length-delimited field whose length is not known yet; answers what {@link close} takes. */
  open(tag: number): number {
    this.#bytes[this.length] = tag;
    this.length += 1 + LENGTH_ROOM;
    return this.length;
  }

  /** Ends the field that {@link open} began. Needs room for three bytes. */
  close(start: number): void {
    const end = this.length;
    const size = end - start;
    const head =
      size < 0x80 ? 1 : size < 0x4000 ? 2 : size < 0x200000 ? 3 : size < 0x10000000 ? 4 : 5;
    const moved = start - LENGTH_ROOM + head;
    if (moved !== start) this.#bytes.copyWithin(moved, start, end);
    this.length = start - LENGTH_ROOM;
    this.varint(size);
    this.length = moved + size;
  }

  #grow(need: number): void {
    if (need > this.#max) {
      throw new CodedError('too_large', `${this.#what} exceeds ${this.#max} bytes`);
    }
    this.#resize(Math.max(need, this.#bytes.length * 2));
  }

  #resize(size: number): void {
    if (size !== this.#bytes.length) {
      const bytes = new Uint8Array(size);
      bytes.set(this.#bytes.subarray(0, this.length));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    this.#limit = Math.min(size, this.#max);
  }
}
