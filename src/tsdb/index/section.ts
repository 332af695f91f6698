/** Sections of an index: a length, that many bytes, their checksum; and a cursor that walks through a long one. */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { NamedSource } from './byte-source.ts';
import { CRC_BYTES } from './index-format.ts';

/** perf: bytes of a walk that are read at a time: large enough to go past the page cache (paged-source.ts). */
const WINDOW_BYTES = 1 << 18;
/** The length before a section. */
const LENGTH_BYTES = 4;
/** What a uvarint takes at the most. */
const UVARINT_BYTES_MAX = 10;

/** Where the bytes of a section are, without length and checksum. */
export interface Section {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Finds the section that begins at an offset and checks its checksum. @throws CorruptionError. */
export function checkSection(source: NamedSource, offset: number, name: string): Section {
  const length = readU32(source.read(offset, LENGTH_BYTES, name), 0);
  const start = offset + LENGTH_BYTES;
  const end = start + length;
  if (end + CRC_BYTES > source.size) throw source.corrupt(`${name} reaches over the end`, offset);
  let sum = 0;
  for (let at = start; at < end; at += WINDOW_BYTES) {
    const bytes = source.read(at, Math.min(WINDOW_BYTES, end - at), name);
    sum = crc32c(bytes, 0, bytes.length, sum);
  }
  if (readU32(source.read(end, CRC_BYTES, name), 0) !== sum) {
    throw source.corrupt(`${name}: checksum mismatch`, offset);
  }
  return { name, start, end };
}

/** Walks through a section, a window of it in memory at a time. */
export class SectionCursor {
  readonly #source: NamedSource;
  readonly #section: Section;
  /** The window: its place in the file, its bytes, how far they are read. */
  #base: number;
  readonly #window: ByteCursor & { bytes: Uint8Array } = {
    bytes: new Uint8Array(0),
    pos: 0,
    end: 0,
  };

  constructor(source: NamedSource, section: Section) {
    this.#source = source;
    this.#section = section;
    this.#base = section.start;
  }

  /** The offset in the file. */
  get position(): number {
    return this.#base + this.#window.pos;
  }

  /** Whether the section has been read to its end. */
  get done(): boolean {
    return this.position >= this.#section.end;
  }

  /** Reads a u32. */
  u32(): number {
    const at = this.#take(4);
    return readU32(this.#window.bytes, at);
  }

  /** Reads a uvarint. */
  uvarint(): number {
    this.#fill(Math.min(UVARINT_BYTES_MAX, this.#section.end - this.position));
    try {
      return readUvarint(this.#window);
    } catch (thrown) {
      if (thrown instanceof ShortBytesError) throw this.#short();
      throw thrown;
    }
  }

  /** Reads a length and that many bytes: a view, valid until the next call. */
  lengthAndBytes(): Uint8Array {
    const length = this.uvarint();
    const at = this.#take(length);
    return this.#window.bytes.subarray(at, at + length);
  }

  /** Passes over a length and that many bytes. */
  skipLengthAndBytes(): void {
    this.#take(this.uvarint());
  }

  /** Moves over bytes and answers where they are in the window. */
  #take(length: number): number {
    if (this.position + length > this.#section.end) throw this.#short();
    this.#fill(length);
    const at = this.#window.pos;
    this.#window.pos += length;
    return at;
  }

  /** Makes sure that so many bytes, which the section has, are in the window. */
  #fill(length: number): void {
    const window = this.#window;
    if (window.pos + length <= window.end) return;
    const { end, name } = this.#section;
    this.#base += window.pos;
    const size = Math.min(Math.max(WINDOW_BYTES, length), end - this.#base);
    window.bytes = this.#source.read(this.#base, size, name);
    window.pos = 0;
    window.end = size;
  }

  #short(): Error {
    return this.#source.corrupt(`${this.#section.name} ends inside an entry`, this.position);
  }
}
