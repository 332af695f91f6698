/**
 * The symbols of an index that is being written: their bytes as the section has them, and their numbers by text.
 */
import { CodedError } from '../../lib/errors.ts';
import { compareBytes, compareUtf8 } from '../../lib/utf8.ts';
import { readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { textOf } from './byte-source.ts';
import { SECTION_BYTES_MAX } from './index-format.ts';

/** limit: what a Map can hold. */
const SYMBOLS_MAX = (1 << 24) - 1;
/** A UTF-16 unit takes three bytes at the most. */
const BYTES_PER_UNIT = 3;
/** More than the length of a symbol takes. */
const LENGTH_BYTES_MAX = 10;

const encoder = new TextEncoder();

/** Symbols in ascending UTF-8 order. */
export class SymbolTable {
  /** perf: filled at need when symbols came as bytes: who has numbers does not look for texts. */
  readonly #numbers = new Map<string, number>();
  #count = 0;
  #last: string | undefined;
  /** uvarint length, bytes; uvarint length, bytes; … */
  #bytes = new Uint8Array(1 << 16);
  #size = 0;
  #starts = new Uint32Array(1 << 12);

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** All symbols as the section holds them; a view. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Appends the next symbol. @throws CodedError internal when it is not behind the last, too_large when it is too many. */
  add(text: string): void {
    if (this.#last !== undefined && compareUtf8(this.#last, text) >= 0) {
      const found = `${JSON.stringify(text)} follows ${JSON.stringify(this.#last)}`;
      throw new CodedError('internal', `symbols of a block are not in order: ${found}`);
    }
    const number = this.#next(text.length * BYTES_PER_UNIT);
    this.#last = text;
    this.#numbers.set(text, number);
    this.#append(text);
  }

  /**
   * Appends the next symbol by its UTF-8 bytes, in a table that gets no texts, and answers its number.
   * @returns -1 when it is not behind the last. @throws CodedError too_large.
   */
  addBytes(symbol: Uint8Array): number {
    if (this.#count > 0 && compareBytes(this.#bytesOf(this.#count - 1), symbol) >= 0) return -1;
    const number = this.#next(symbol.length);
    this.#reserve(symbol.length + LENGTH_BYTES_MAX);
    const at = writeUvarint(this.#bytes, this.#size, symbol.length);
    this.#bytes.set(symbol, at);
    this.#size = at + symbol.length;
    return number;
  }

  /** The text of a symbol by its number. */
  text(number: number): string {
    const bytes = this.#bytesOf(number);
    return textOf(bytes, 0, bytes.length);
  }

  /** The number of a text. @throws CodedError internal when it is not a symbol. */
  number(text: string): number {
    for (let i = this.#numbers.size; i < this.#count; i++) this.#numbers.set(this.text(i), i);
    const number = this.#numbers.get(text);
    if (number !== undefined) return number;
    throw new CodedError(
      'internal',
      `${JSON.stringify(text)} is not among the symbols of the block`,
    );
  }

  /** Where a symbol begins in {@link bytes}, its length included, and where it ends. */
  start(number: number): number {
    return number < this.count ? (this.#starts[number] as number) : this.#size;
  }

  /** Notes where a symbol of up to so many bytes begins, and answers its number. */
  #next(bytesMost: number): number {
    const number = this.#count;
    if (number >= SYMBOLS_MAX || this.#size + bytesMost > SECTION_BYTES_MAX) {
      throw new CodedError(
        'too_large',
        `the symbols of a block exceed ${SYMBOLS_MAX}, or ${SECTION_BYTES_MAX} bytes`,
      );
    }
    if (number === this.#starts.length) this.#starts = grown(this.#starts, number * 2);
    this.#starts[number] = this.#size;
    this.#count++;
    return number;
  }

  /** A view of a symbol's bytes. */
  #bytesOf(number: number): Uint8Array {
    const cursor = { bytes: this.#bytes, pos: this.#starts[number] as number, end: this.#size };
    const length = readUvarint(cursor);
    return this.#bytes.subarray(cursor.pos, cursor.pos + length);
  }

  #reserve(most: number): void {
    if (this.#size + most <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + most));
    bytes.set(this.bytes);
    this.#bytes = bytes;
  }

  #append(text: string): void {
    this.#reserve(text.length * BYTES_PER_UNIT + LENGTH_BYTES_MAX);
    const bytes = this.#bytes;
    // perf: one byte of length is the rule; when it takes more, the text is moved.
    let at = this.#size + 1;
    const { written } = encoder.encodeInto(text, bytes.subarray(at));
    const prefix = sizeUvarint(written);
    if (prefix > 1) bytes.copyWithin(this.#size + prefix, at, at + written);
    at = writeUvarint(bytes, this.#size, written);
    this.#size = at + written;
  }
}

function grown(from: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}
