/**
 * One series of an index (docs/format/index.md, "Series"): symbol numbers of its labels, and its chunks. A reusable
 * decoder: numbers go to typed arrays that grow and stay.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { ShortBytesError, readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { NamedSource } from './byte-source.ts';
import { CRC_BYTES } from './index-format.ts';

const NAME = 'series';
/** perf: a series of a two-hour block takes some 80 bytes: one read has all of most. */
const GUESSED_BYTES = 192;
/** The fewest bytes of a label, and of a chunk: counts that need more than there are do not allocate. */
const LABEL_BYTES_MIN = 2;
const CHUNK_BYTES_MIN = 3;

/** The series that was read last. All fields are valid until the next read. */
export class SeriesEntry {
  /** Bytes of the entry, length and checksum apart. */
  byteLength = 0;
  labelCount = 0;
  /** Symbol references: name, value, name, value, … */
  symbols = new Float64Array(64);
  chunkCount = 0;
  /** By chunk, ms, both inclusive. */
  mint = new Float64Array(16);
  maxt = new Float64Array(16);
  /** By chunk: segment · 2^32 + offset. */
  refs = new Float64Array(16);
  readonly #cursor: ByteCursor & { bytes: Uint8Array } = {
    bytes: new Uint8Array(0),
    pos: 0,
    end: 0,
  };

  /** Reads the entry at an offset of the file. @throws CorruptionError. */
  read(source: NamedSource, offset: number): void {
    try {
      this.#frame(source, offset);
      this.#labels(source, offset);
      this.#chunks(source, offset);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw source.corrupt(`${NAME} ends early`, offset);
    }
  }

  /** Puts the cursor on the entry's bytes, whose checksum is right. */
  #frame(source: NamedSource, offset: number): void {
    const cursor = this.#cursor;
    cursor.bytes = source.readUpTo(offset, GUESSED_BYTES);
    cursor.pos = 0;
    cursor.end = cursor.bytes.length;
    const length = readUvarint(cursor);
    const end = cursor.pos + length;
    if (end + CRC_BYTES > cursor.end) {
      cursor.bytes = source.read(offset, end + CRC_BYTES, NAME);
    }
    cursor.end = end;
    if (crc32c(cursor.bytes, cursor.pos, end) !== readU32(cursor.bytes, end)) {
      throw source.corrupt(`${NAME}: checksum mismatch`, offset);
    }
    this.byteLength = length;
  }

  #labels(source: NamedSource, offset: number): void {
    const cursor = this.#cursor;
    const count = readUvarint(cursor);
    if (count * LABEL_BYTES_MIN > cursor.end - cursor.pos) {
      throw source.corrupt(`${NAME} of ${count} labels ends early`, offset);
    }
    if (count * 2 > this.symbols.length) this.symbols = new Float64Array(count * 4);
    const { symbols } = this;
    for (let i = 0; i < count * 2; i++) symbols[i] = readUvarint(cursor);
    this.labelCount = count;
  }

  #chunks(source: NamedSource, offset: number): void {
    const cursor = this.#cursor;
    const count = readUvarint(cursor);
    if (count * CHUNK_BYTES_MIN > cursor.end - cursor.pos) {
      throw source.corrupt(`${NAME} of ${count} chunks ends early`, offset);
    }
    if (count > this.refs.length) this.#reserve(count * 2);
    const { mint, maxt, refs } = this;
    let time = 0;
    let ref = 0;
    for (let i = 0; i < count; i++) {
      time = i === 0 ? readVarint(cursor) : time + readDifference(cursor);
      mint[i] = time;
      time += readDifference(cursor);
      maxt[i] = time;
      ref = i === 0 ? readUvarint(cursor) : ref + readVarint(cursor);
      refs[i] = ref;
    }
    this.chunkCount = count;
  }

  #reserve(chunks: number): void {
    this.mint = new Float64Array(chunks);
    this.maxt = new Float64Array(chunks);
    this.refs = new Float64Array(chunks);
  }
}

/**
 * Reads a difference of times. compat: they are u64 in the format, and i64 in Go: one below zero, where chunks of old
 * blocks overlap, is a number close to 2^64.
 */
function readDifference(cursor: ByteCursor): number {
  const { pos } = cursor;
  const value = readUvarint(cursor);
  return value <= Number.MAX_SAFE_INTEGER ? value : wrapped(cursor.bytes, pos, cursor.pos);
}

function wrapped(bytes: Uint8Array, from: number, to: number): number {
  let value = 0n;
  for (let i = to - 1; i >= from; i--) value = (value << 7n) | BigInt((bytes[i] as number) & 0x7f);
  return Number(BigInt.asIntN(64, value));
}
