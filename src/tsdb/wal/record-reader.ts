/**
 * Reads the fields of WAL records (docs/format/wal.md). Numbers on the wire have 64 bits, here they are doubles: what a
 * double cannot hold is refused, not rounded.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';

/** What decoders append to. One that fails leaves the batch as it was. */
export interface RecordBatch {
  readonly length: number;
  /** Forgets the entries from a number on. */
  truncate(length: number): void;
}

/** A position in a record. Methods move it on and throw ShortBytesError at the end of the bytes. */
export class RecordReader implements ByteCursor {
  readonly bytes: Uint8Array;
  readonly where: string;
  pos = 0;
  end: number;

  /** `where` names the record in errors: file and offset of where it begins. */
  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.where = where;
    this.end = bytes.length;
  }

  /** Whether bytes are left. */
  get more(): boolean {
    return this.pos < this.end;
  }

  /** A CorruptionError at this position. */
  error(message: string): CorruptionError {
    return new CorruptionError(message, this.where, this.pos);
  }

  /** Moves on over bytes; answers where they begin. */
  skip(count: number): number {
    const at = this.pos;
    if (count > this.end - at) throw new ShortBytesError();
    this.pos = at + count;
    return at;
  }

  byte(): number {
    return this.bytes[this.skip(1)] as number;
  }

  u64(what: string): number {
    const at = this.skip(8);
    const value = readU32(this.bytes, at) * 4294967296 + readU32(this.bytes, at + 4);
    if (!Number.isSafeInteger(value)) throw this.error(`${what} above 2^53`);
    return value;
  }

  i64(what: string): number {
    const value = this.roughI64();
    if (!Number.isSafeInteger(value)) throw this.error(`${what} beyond 2^53`);
    return value;
  }

  /** An i64 as close as a double gets. */
  roughI64(): number {
    const at = this.skip(8);
    return (readU32(this.bytes, at) | 0) * 4294967296 + readU32(this.bytes, at + 4);
  }

  /** An unsigned varint up to 2^53. */
  uvarint(what: string): number {
    const value = readUvarint(this);
    if (!Number.isSafeInteger(value)) throw this.error(`${what} above 2^53`);
    return value;
  }

  /** The number of things to come, each of which takes so many bytes at least: never more than the bytes left can hold. */
  count(bytesEach: number): number {
    const value = readUvarint(this);
    if (value * bytesEach > this.end - this.pos) throw new ShortBytesError();
    return value;
  }

  /** A base and a signed difference to it, which wraps at 64 bits. */
  plus(base: number, what: string): number {
    const from = this.pos;
    const difference = readVarint(this);
    const sum = base + difference;
    if (Number.isSafeInteger(difference) && Number.isSafeInteger(sum)) return sum;
    return this.#plusExact(base, from, what);
  }

  /** {@link plus} for refs, which are not negative. */
  ref(base: number): number {
    const value = this.plus(base, 'series ref');
    if (value < 0) throw this.error('series ref above 2^53');
    return value;
  }

  /** Passes over bytes after their length; answers where they begin. They end at `pos`. */
  sized(): number {
    return this.skip(this.count(1));
  }

  /** Passes over labels: their number, then names and values in turn. */
  skipLabels(): void {
    for (let left = this.count(2) * 2; left > 0; left--) this.sized();
  }

  /** Only for differences that a double does not hold: the one bigint in reading, and not in any sane log. */
  #plusExact(base: number, from: number, what: string): number {
    let zigzag = 0n;
    for (let at = from, shift = 0n; at < this.pos; at++, shift += 7n) {
      zigzag |= BigInt((this.bytes[at] as number) & 0x7f) << shift;
    }
    zigzag = BigInt.asUintN(64, zigzag);
    const difference = (zigzag & 1n) === 0n ? zigzag >> 1n : -(zigzag >> 1n) - 1n;
    const sum = Number(BigInt.asIntN(64, BigInt(base) + difference));
    if (!Number.isSafeInteger(sum)) throw this.error(`${what} beyond 2^53`);
    return sum;
  }
}

/** Reads a record, or a part of one. @throws CorruptionError with the offset in the record. */
export function readWhole<T>(reader: RecordReader, read: (reader: RecordReader) => T): T {
  try {
    return read(reader);
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
    throw reader.error('record ends early');
  }
}

/** Reads a record into a batch. @throws CorruptionError with the offset in the record; the batch is then as it was. */
export function readInto(
  batch: RecordBatch,
  reader: RecordReader,
  read: (reader: RecordReader) => void,
): void {
  const before = batch.length;
  try {
    readWhole(reader, read);
  } catch (thrown) {
    batch.truncate(before);
    throw thrown;
  }
}
