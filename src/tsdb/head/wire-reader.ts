/**
 * Reads protobuf fields of a request one after the other, in one object that moves on: nothing is allocated. Where it
 * stopped at bytes that are no message is in `pos`.
 */
import { ShortBytesError } from '../../lib/varint.ts';

/** A position in bytes that are a protobuf message. Methods throw ShortBytesError for what is none. */
export class WireReader {
  readonly bytes: Uint8Array;
  pos = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Reads a varint that ends before `end`; above 2^53 low bits are lost. */
  varint(end: number): number {
    // perf: nearly all of them take one byte.
    const first = this.pos < end ? (this.bytes[this.pos] as number) : 0x80;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    return this.#longVarint(end);
  }

  /** Reads a field's number and wire type. There is no field 0. */
  tag(end: number): number {
    const at = this.pos;
    const tag = this.varint(end);
    if (tag >= 8 && tag < 4294967296) return tag;
    this.pos = at;
    throw new ShortBytesError();
  }

  /** Reads the length of what follows and answers where that ends. */
  contentEnd(end: number): number {
    const at = this.pos;
    const length = this.varint(end);
    if (length <= end - this.pos) return this.pos + length;
    this.pos = at;
    throw new ShortBytesError();
  }

  /** Moves past the content of a field that ends before `end`. */
  skip(wireType: number, end: number): void {
    switch (wireType) {
      case 0:
        this.varint(end);
        return;
      case 1:
        return this.#skipBytes(8, end);
      case 2:
        this.pos = this.contentEnd(end);
        return;
      case 5:
        return this.#skipBytes(4, end);
      default:
        throw new ShortBytesError();
    }
  }

  #skipBytes(count: number, end: number): void {
    if (count > end - this.pos) throw new ShortBytesError();
    this.pos += count;
  }

  #longVarint(end: number): number {
    const { bytes } = this;
    const at = this.pos;
    if (at + 2 <= end) {
      const second = bytes[at + 1] as number;
      if (second < 0x80) {
        this.pos = at + 2;
        return ((bytes[at] as number) & 0x7f) | (second << 7);
      }
    }
    let value = 0;
    let scale = 1;
    for (let pos = this.pos; pos < end && pos < this.pos + 10; pos++) {
      const byte = bytes[pos] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.pos = pos + 1;
        return value;
      }
      scale *= 128;
    }
    throw new ShortBytesError();
  }
}
