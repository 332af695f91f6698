/** Reads the postings lists of an index: series refs, ascending, each list with a checksum. */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import type { NamedSource } from './byte-source.ts';
import { CRC_BYTES } from './index-format.ts';
import { EMPTY_POSTINGS, sortDistinct } from './postings.ts';
import type { Postings } from './postings.ts';

const NAME = 'postings';
/** perf: most lists are short enough that one read has all of them. */
const GUESSED_BYTES = 256;
/** Length and count before the refs. */
const HEADER_BYTES = 8;
const CAPACITY_MIN = 64;

/** The list at an offset. @throws CorruptionError. */
export function readPostings(source: NamedSource, offset: number): Postings {
  const list = new PostingsCollector(source);
  list.add(offset);
  return list.refs;
}

/** Puts together several lists. */
export class PostingsCollector {
  readonly #source: NamedSource;
  #refs: Uint32Array = EMPTY_POSTINGS;
  #size = 0;
  #lists = 0;

  constructor(source: NamedSource) {
    this.#source = source;
  }

  /** Everything added, in the order of adding. */
  get refs(): Postings {
    return this.#refs.subarray(0, this.#size);
  }

  /** Everything added, ascending and each once; the collector is used up. */
  union(): Postings {
    return this.#lists <= 1 ? this.refs : sortDistinct(this.#refs.subarray(0, this.#size));
  }

  /** Adds the list at an offset. @throws CorruptionError. */
  add(offset: number): void {
    const source = this.#source;
    const guess = source.readUpTo(offset, GUESSED_BYTES);
    if (guess.length < HEADER_BYTES) throw source.corrupt(`${NAME} reach over the end`, offset);
    const length = readU32(guess, 0);
    const total = 4 + length + CRC_BYTES;
    const bytes = total <= guess.length ? guess : source.read(offset, total, NAME);
    const end = 4 + length;
    if (crc32c(bytes, 4, end) !== readU32(bytes, end)) {
      throw source.corrupt(`${NAME}: checksum mismatch`, offset);
    }
    const count = readU32(bytes, 4);
    if (length !== 4 + count * 4) {
      throw source.corrupt(`${NAME}: ${count} series in ${length} bytes`, offset);
    }
    this.#reserve(count);
    this.#copy(bytes, count, offset);
    this.#lists++;
  }

  #copy(bytes: Uint8Array, count: number, offset: number): void {
    const refs = this.#refs;
    let at = this.#size;
    let before = -1;
    for (let i = HEADER_BYTES, k = 0; k < count; k++, i += 4) {
      const ref = readU32(bytes, i);
      if (ref <= before) throw this.#source.corrupt(`${NAME} are not ascending`, offset);
      refs[at++] = ref;
      before = ref;
    }
    this.#size = at;
  }

  #reserve(count: number): void {
    const needed = this.#size + count;
    if (needed <= this.#refs.length) return;
    // One list alone gets just its room.
    const more = this.#lists === 0 ? needed : Math.max(needed, this.#refs.length * 2, CAPACITY_MIN);
    const refs = new Uint32Array(more);
    refs.set(this.#refs.subarray(0, this.#size));
    this.#refs = refs;
  }
}
