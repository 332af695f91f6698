/** Where an index reader takes its bytes from: a file through the page cache, or bytes in memory. */
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';

/** What a uvarint takes at the most. */
const UVARINT_BYTES_MAX = 10;

/** Random access to the bytes of a file that does not change. For one caller at a time. */
export interface ByteSource {
  /** Its length in bytes. */
  readonly size: number;
  /**
   * The bytes from an offset on; the range lies within the size. The view is valid until the next read.
   * @throws CodedError unavailable when they cannot be read, CorruptionError when the file has become shorter.
   */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes in memory as a source. */
export class BytesSource implements ByteSource {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#bytes.subarray(offset, offset + length);
  }
}

/** The text of UTF-8 bytes of a read. perf: Buffer's own decoder takes half the time of a TextDecoder. */
export function textOf(bytes: Uint8Array, from: number, length: number): string {
  if (bytes instanceof Buffer) return bytes.toString('utf8', from, from + length);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('utf8');
}

/** A source with a name for messages, whose reads are checked against its size. */
export class NamedSource {
  readonly path: string;
  readonly #source: ByteSource;

  constructor(source: ByteSource, path: string) {
    this.#source = source;
    this.path = path;
  }

  get size(): number {
    return this.#source.size;
  }

  /** The bytes of a range, of which `what` is the name. @throws CorruptionError when it reaches over the end. */
  read(offset: number, length: number, what: string): Uint8Array {
    if (offset + length > this.#source.size)
      throw this.corrupt(`${what} reaches over the end`, offset);
    return this.#source.read(offset, length);
  }

  /** The bytes of a range as far as there are any. */
  readUpTo(offset: number, length: number): Uint8Array {
    const { size } = this.#source;
    if (offset >= size) return new Uint8Array(0);
    return this.#source.read(offset, Math.min(length, size - offset));
  }

  /** The uvarint at an offset, and where it ends. @throws CorruptionError. */
  readUvarint(offset: number, what: string): { readonly value: number; readonly end: number } {
    const bytes = this.readUpTo(offset, UVARINT_BYTES_MAX);
    const cursor = { bytes, pos: 0, end: bytes.length };
    try {
      return { value: readUvarint(cursor), end: offset + cursor.pos };
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw this.corrupt(`${what} reaches over the end`, offset);
    }
  }

  /** The error for bytes at an offset that are not what they should be. */
  corrupt(message: string, offset: number): CorruptionError {
    return new CorruptionError(message, this.path, offset);
  }
}
