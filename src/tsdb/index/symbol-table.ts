/**
 * The symbols of an index that is being written: their bytes as the section has them, and their numbers by text.
 */
import { CodedError } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { SECTION_BYTES_MAX } from './index-format.ts';

/** limit: what a Map can hold. */
const SYMBOLS_MAX = (1 << 24) - 1;
/** A UTF-16 unit takes three bytes at the most. */
const BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();

/** Symbols in ascending UTF-8 order. */
export class SymbolTable {
  readonly #numbers = new Map<string, number>();
  #last: string | undefined;
  /** uvarint length, bytes; uvarint length, bytes; … */
  #bytes = new Uint8Array(1 << 16);
  #size = 0;
  #starts = new Uint32Array(1 << 12);

  /** How many there are. */
  get count(): number {
    return this.#numbers.size;
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
    const number = this.count;
    if (number >= SYMBOLS_MAX || this.#size + text.length * BYTES_PER_UNIT > SECTION_BYTES_MAX) {
      throw new CodedError(
        'too_large',
        `the symbols of a block exceed ${SYMBOLS_MAX}, or ${SECTION_BYTES_MAX} bytes`,
      );
    }
    this.#last = text;
    this.#numbers.set(text, number);
    if (number === this.#starts.length) this.#starts = grown(this.#starts, number * 2);
    this.#starts[number] = this.#size;
    this.#append(text);
  }

  /** The number of a text. @throws CodedError internal when it is not a symbol. */
  number(text: string): number {
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

  #append(text: string): void {
    const most = text.length * BYTES_PER_UNIT + 10;
    if (this.#size + most > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + most));
      bytes.set(this.bytes);
      this.#bytes = bytes;
    }
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
