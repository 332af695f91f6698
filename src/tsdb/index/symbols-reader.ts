/**
 * The symbols of an index: texts by their number (version 2) or by the offset of their entry (version 1). One offset of
 * every 32 is in memory; texts that were looked up lately are, too.
 */
import type { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { textOf } from './byte-source.ts';
import type { NamedSource } from './byte-source.ts';
import { SAMPLED_EVERY } from './index-format.ts';
import { SectionCursor, checkSection } from './section.ts';
import type { Section } from './section.ts';

const NAME = 'symbol table';
/** limit: texts kept by the low bits of their number: names and the values of the series at hand. */
const KEPT_MIN = 1 << 8;
const KEPT_MAX = 1 << 14;
/** perf: most texts are shorter, so that one read gives text and length. */
const GUESSED_BYTES = 64;

/** Reads the symbols of one index. */
export class SymbolsReader {
  readonly #source: NamedSource;
  readonly #version: number;
  readonly #section: Section;
  readonly #intern: (text: string) => string;
  /** How many there are. */
  readonly count: number;
  /** Offsets of every 32nd symbol, from the start of the section; then the end. */
  readonly #sampled: Uint32Array;
  readonly #kept: string[];
  readonly #keptNumbers: Float64Array;

  /** Walks through the section at an offset. @throws CorruptionError. */
  constructor(
    source: NamedSource,
    version: number,
    offset: number,
    intern: (text: string) => string,
  ) {
    this.#source = source;
    this.#version = version;
    this.#intern = intern;
    this.#section = checkSection(source, offset, NAME);
    const cursor = new SectionCursor(source, this.#section);
    this.count = cursor.u32();
    // A symbol takes a byte at least, so a larger count is a lie that must not allocate.
    const { start, end } = this.#section;
    if (this.count > end - start) throw source.corrupt(`${NAME} ends before its count`, start);
    this.#sampled = new Uint32Array(Math.ceil(this.count / SAMPLED_EVERY) + 1);
    for (let i = 0; i < this.count; i++) {
      if (i % SAMPLED_EVERY === 0) this.#sampled[i / SAMPLED_EVERY] = cursor.position - start;
      cursor.skipLengthAndBytes();
    }
    this.#sampled[this.#sampled.length - 1] = cursor.position - start;
    let kept = KEPT_MIN;
    while (kept < Math.min(this.count, KEPT_MAX)) kept *= 2;
    this.#kept = new Array<string>(kept).fill('');
    this.#keptNumbers = new Float64Array(kept).fill(-1);
  }

  /** The text that a series refers to by a number. @throws CorruptionError when there is none. */
  text(reference: number): string {
    const slot = reference & (this.#kept.length - 1);
    if (this.#keptNumbers[slot] === reference) return this.#kept[slot] as string;
    const text = this.#intern(
      this.#version === 1 ? this.#textAt(reference) : this.#nthText(reference),
    );
    this.#kept[slot] = text;
    this.#keptNumbers[slot] = reference;
    return text;
  }

  /** All symbols in their order. Other reads of the index may come between two of them. */
  *[Symbol.iterator](): Generator<string> {
    for (let first = 0; first < this.count; first += SAMPLED_EVERY) {
      const cursor = this.#group(first / SAMPLED_EVERY);
      const size = Math.min(SAMPLED_EVERY, this.count - first);
      yield* Array.from({ length: size }, () => this.#next(cursor));
    }
  }

  #nthText(number: number): string {
    if (number >= this.count) throw this.#unknown(number);
    const group = Math.floor(number / SAMPLED_EVERY);
    const cursor = this.#group(group);
    for (let i = group * SAMPLED_EVERY; i < number; i++) this.#skip(cursor);
    return this.#next(cursor);
  }

  /** Version 1: the reference is the offset of the symbol's entry in the file. */
  #textAt(offset: number): string {
    const { start, end } = this.#section;
    if (offset < start + 4 || offset >= end) throw this.#unknown(offset);
    const most = end - offset;
    const cursor = cursorOver(this.#source.read(offset, Math.min(GUESSED_BYTES, most), NAME));
    const length = this.#length(cursor);
    if (length > most - cursor.pos) throw this.#unknown(offset);
    if (cursor.pos + length <= cursor.end) return textOf(cursor.bytes, cursor.pos, length);
    return textOf(this.#source.read(offset + cursor.pos, length, NAME), 0, length);
  }

  /** The entries of 32 symbols. */
  #group(group: number): ByteCursor {
    const from = this.#sampled[group] as number;
    const length = (this.#sampled[group + 1] as number) - from;
    return cursorOver(this.#source.read(this.#section.start + from, length, NAME));
  }

  #next(cursor: ByteCursor): string {
    const length = this.#length(cursor);
    const at = cursor.pos;
    cursor.pos += length;
    return textOf(cursor.bytes, at, length);
  }

  #skip(cursor: ByteCursor): void {
    const length = this.#length(cursor);
    cursor.pos += length;
  }

  #length(cursor: ByteCursor): number {
    try {
      return readUvarint(cursor);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw this.#source.corrupt(`${NAME} ends inside a symbol`, this.#section.start);
    }
  }

  #unknown(reference: number): CorruptionError {
    return this.#source.corrupt(`${NAME} has no symbol ${reference}`, this.#section.start);
  }
}

function cursorOver(bytes: Uint8Array): ByteCursor {
  return { bytes, pos: 0, end: bytes.length };
}
