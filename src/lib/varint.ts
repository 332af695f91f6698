/**
 * Go's encoding/binary varints over bytes, in doubles: values up to 2^53 in magnitude. What needs all 64 bits
 * stays bytes or two 32-bit halves.
 */

/** A position in bytes: readers move `pos` on. `end` is exclusive. */
export interface ByteCursor {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;
}

/** Thrown by readers when the bytes end early or a varint is longer than 64 bits. */
export class ShortBytesError extends Error {
  constructor() {
    super('bytes end inside a value');
    this.name = 'ShortBytesError';
  }
}

/** Reads an unsigned varint. Values above 2^53 lose low bits; a longer one than 10 bytes throws. */
export function readUvarint(cursor: ByteCursor): number {
  const { bytes, end } = cursor;
  let pos = cursor.pos;
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    if (pos >= end) throw new ShortBytesError();
    const b = bytes[pos++] as number;
    value += (b & 0x7f) * scale;
    if (b < 0x80) {
      cursor.pos = pos;
      return value;
    }
    scale *= 128;
  }
  throw new ShortBytesError();
}

/** The halves of the varint that was read last: a double loses the parity of a value above 2^53, which zigzag needs. */
const halves = { lo: 0, hi: 0 };

/** Reads a varint of up to 64 bits to {@link halves}. */
function readHalves(cursor: ByteCursor): void {
  const { bytes, end } = cursor;
  let pos = cursor.pos;
  let lo = 0;
  let hi = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (pos >= end) throw new ShortBytesError();
    const b = bytes[pos++] as number;
    const x = b & 0x7f;
    if (shift < 28) lo |= x << shift;
    else if (shift === 28) {
      lo |= x << 28;
      hi |= x >>> 4;
    } else hi |= x << (shift - 32);
    if (b < 0x80) {
      cursor.pos = pos;
      halves.lo = lo;
      halves.hi = hi;
      return;
    }
  }
  throw new ShortBytesError();
}

/** Reads a zigzag varint. */
export function readVarint(cursor: ByteCursor): number {
  readHalves(cursor);
  const { lo, hi } = halves;
  const magnitude = (hi >>> 1) * 4294967296 + (((lo >>> 1) | (hi << 31)) >>> 0);
  return (lo & 1) === 1 ? -magnitude - 1 : magnitude;
}

/** Reads an int64 as protobuf writes it: two's complement, so that negative ones take ten bytes. Exact to 2^53. */
export function readInt64(cursor: ByteCursor): number {
  readHalves(cursor);
  return halves.hi * 4294967296 + (halves.lo >>> 0);
}

/** Writes an unsigned varint at `pos` and returns the position after it. The value is an integer below 2^53. */
export function writeUvarint(out: Uint8Array, pos: number, value: number): number {
  let v = value;
  while (v >= 0x80) {
    out[pos++] = (v % 128) | 0x80;
    v = Math.floor(v / 128);
  }
  out[pos++] = v;
  return pos;
}

/** Writes a zigzag varint at `pos` and returns the position after it. The value is an integer below 2^52 in magnitude. */
export function writeVarint(out: Uint8Array, pos: number, value: number): number {
  return writeUvarint(out, pos, value < 0 ? -value * 2 - 1 : value * 2);
}

/** How many bytes {@link writeUvarint} needs. */
export function sizeUvarint(value: number): number {
  let n = 1;
  for (let v = value; v >= 0x80; v = Math.floor(v / 128)) n++;
  return n;
}
