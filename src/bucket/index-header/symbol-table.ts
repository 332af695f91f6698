/**
 * The symbols of an index by their references. One offset of every 32 is in memory; the texts that a batch of series needs
 * are read together.
 */
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { HeaderBytes } from './header-bytes.ts';
import { V1_SYMBOL_SHIFT } from './format.ts';
import { mergeRanges } from '../read/ranges.ts';
import { walkSection } from './section-walk.ts';
import type { SectionRange } from './section-walk.ts';

const NAME = 'symbol table';
/** One of so many offsets is kept. */
const SAMPLED_EVERY = 32;
/** perf: symbols that lie closer together than this are read in one go. */
const GAP_BYTES = 32 * 1024;
/** A text and its length, of references of version 1. */
const V1_GUESSED_BYTES = 256;

/** Looks up symbols. */
export class SymbolTable {
  readonly #bytes: HeaderBytes;
  readonly #indexVersion: number;
  #section: SectionRange = { name: NAME, start: 0, end: 0 };
  #count = 0;
  /** Offsets of every 32nd symbol from the start of the section, then the end. */
  #sampled = new Uint32Array(0);

  private constructor(bytes: HeaderBytes, indexVersion: number) {
    this.#bytes = bytes;
    this.#indexVersion = indexVersion;
  }

  /** Walks through the section at an offset, which ends before `limit`. @throws CorruptionError. */
  static async open(
    bytes: HeaderBytes,
    { offset, limit, indexVersion }: { offset: number; limit: number; indexVersion: number },
  ): Promise<SymbolTable> {
    const table = new SymbolTable(bytes, indexVersion);
    let n = 0;
    await walkSection(
      bytes,
      { name: NAME, offset, limit },
      {
        begin: (count, section) => {
          table.#count = count;
          table.#section = section;
          table.#sampled = new Uint32Array(Math.ceil(count / SAMPLED_EVERY) + 1);
        },
        entry: (cursor, at) => {
          skipText(cursor);
          if (n % SAMPLED_EVERY === 0)
            table.#sampled[n / SAMPLED_EVERY] = at - table.#section.start;
          n++;
        },
      },
    );
    table.#sampled[table.#sampled.length - 1] = table.#section.end - table.#section.start;
    return table;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * The UTF-8 bytes of symbols, by reference. `references` ascend, each once; the bytes are views of what was read.
   * @throws CorruptionError when there is no such symbol.
   */
  async texts(references: ArrayLike<number>): Promise<Map<number, Buffer>> {
    return this.#indexVersion === 1 ? this.#textsAt(references) : this.#nthTexts(references);
  }

  async #nthTexts(references: ArrayLike<number>): Promise<Map<number, Buffer>> {
    const texts = new Map<number, Buffer>();
    const groups: number[] = [];
    for (let i = 0; i < references.length; i++) {
      const reference = references[i] as number;
      if (reference >= this.#count) throw this.#unknown(reference);
      const group = reference >>> 5;
      if (groups.at(-1) !== group) groups.push(group);
    }
    const parts = mergeRanges(groups.length, GAP_BYTES, {
      start: (i) => this.#sampled[groups[i] as number] as number,
      end: (i) => this.#sampled[(groups[i] as number) + 1] as number,
    });
    let next = 0;
    const loaded = await Promise.all(
      parts.map(({ start, end }) => this.#bytes.read(this.#section.start + start, end - start)),
    );
    for (const [p, { start, from, to }] of parts.entries()) {
      const bytes = loaded[p] as Buffer;
      for (let g = from; g < to; g++) {
        const group = groups[g] as number;
        const at = (this.#sampled[group] as number) - start;
        const end = (this.#sampled[group + 1] as number) - start;
        const cursor = { bytes, pos: at, end };
        for (let number = group * SAMPLED_EVERY; next < references.length; number++) {
          const wanted = references[next] as number;
          if (wanted >= (group + 1) * SAMPLED_EVERY) break;
          const text = this.#read(cursor);
          if (number !== wanted) continue;
          texts.set(number, bytes.subarray(text.start, text.end));
          next++;
        }
      }
    }
    return texts;
  }

  /** Version 1: a reference is the offset of the symbol's entry in the index. */
  async #textsAt(references: ArrayLike<number>): Promise<Map<number, Buffer>> {
    const texts = new Map<number, Buffer>();
    const { start, end } = this.#section;
    for (let i = 0; i < references.length; i++) {
      const reference = references[i] as number;
      const offset = reference + V1_SYMBOL_SHIFT;
      if (offset < start + 4 || offset >= end) throw this.#unknown(reference);
      const most = end - offset;
      let bytes = await this.#bytes.read(offset, Math.min(V1_GUESSED_BYTES, most));
      const cursor = { bytes, pos: 0, end: bytes.length };
      const length = readUvarint(cursor);
      if (length > most - cursor.pos) throw this.#unknown(reference);
      if (cursor.pos + length > bytes.length) {
        bytes = await this.#bytes.read(offset, cursor.pos + length);
      }
      texts.set(reference, bytes.subarray(cursor.pos, cursor.pos + length));
    }
    return texts;
  }

  #read(cursor: ByteCursor): { start: number; end: number } {
    try {
      const length = readUvarint(cursor);
      const start = cursor.pos;
      if (start + length > cursor.end) throw new ShortBytesError();
      cursor.pos = start + length;
      return { start, end: cursor.pos };
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      const { path } = this.#bytes;
      throw new CorruptionError(`${NAME} ends inside a symbol`, path, this.#section.start);
    }
  }

  #unknown(reference: number): CorruptionError {
    return new CorruptionError(
      `${NAME} has no symbol ${reference}`,
      this.#bytes.path,
      this.#section.start,
    );
  }
}

function skipText(cursor: ByteCursor): void {
  const length = readUvarint(cursor);
  if (cursor.pos + length > cursor.end) throw new ShortBytesError();
  cursor.pos += length;
}
