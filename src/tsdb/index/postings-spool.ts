/**
 * Which series have which values of a label, collected while an index is written and sorted when all series are known.
 *
 * Entries of one label name lie in blocks of (value, series) pairs in the order of arrival, which is that of the series;
 * a counting sort by value then gives every list at once. Eight bytes a label of a series, no object an entry.
 */
import { swap32 } from '../../lib/big-endian.ts';

/** Words of a name's first block, and of its largest: most names are few, some are everywhere. */
const BLOCK_WORDS_MIN = 128;
const BLOCK_WORDS_MAX = 1 << 17;

/** The lists of one label name. */
export interface ValueLists {
  /** The values' symbol numbers, ascending. */
  readonly values: Uint32Array;
  /** The list of values[i] is refs[ends[i - 1]..ends[i]]. */
  readonly ends: Uint32Array;
  /** Refs of series, each with its bytes in the file's order, in the order of arrival within a list. */
  readonly refs: Uint32Array;
}

/** Collects the series of one label name. */
export class PostingsSpool {
  /** value, ref, value, ref, …; all blocks but the last are full. */
  readonly #blocks: Uint32Array[] = [];
  #block = new Uint32Array(0);
  #used = 0;
  #pairs = 0;

  /** Notes that a series, by its ref, has a value, by its symbol's number. Series arrive in ascending order. */
  add(value: number, ref: number): void {
    if (this.#used === this.#block.length) this.#grow();
    this.#block[this.#used++] = value;
    this.#block[this.#used++] = ref;
    this.#pairs++;
  }

  /**
   * The lists of all values; the spool is empty then, so that the memory of one name serves the next. `counts` has an
   * entry for each symbol, all 0, and is so again afterwards.
   */
  drain(counts: Uint32Array): ValueLists {
    const values = this.#countValues(counts);
    let end = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const count = counts[value] as number;
      counts[value] = end;
      end += count;
    }
    const refs = this.#place(counts);
    this.#clear();
    const ends = new Uint32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      ends[i] = counts[value] as number;
      counts[value] = 0;
    }
    return { values, ends, refs };
  }

  /** Counts each value's series and answers the values, ascending. */
  #countValues(counts: Uint32Array): Uint32Array {
    const values = new Uint32Array(this.#pairs);
    let distinct = 0;
    for (const block of this.#blocks) {
      const used = block === this.#block ? this.#used : block.length;
      for (let i = 0; i < used; i += 2) {
        const value = block[i] as number;
        if (counts[value] === 0) values[distinct++] = value;
        counts[value] = (counts[value] as number) + 1;
      }
    }
    // tidy: bare-sort: a typed array sorts its numbers
    return values.slice(0, distinct).sort();
  }

  /** Puts each ref to where its value's list goes on, which `next` says by value. */
  #place(next: Uint32Array): Uint32Array {
    const refs = new Uint32Array(this.#pairs);
    for (const block of this.#blocks) {
      const used = block === this.#block ? this.#used : block.length;
      for (let i = 0; i < used; i += 2) {
        const value = block[i] as number;
        const at = next[value] as number;
        refs[at] = swap32(block[i + 1] as number);
        next[value] = at + 1;
      }
    }
    return refs;
  }

  #clear(): void {
    this.#blocks.length = 0;
    this.#block = new Uint32Array(0);
    this.#used = 0;
    this.#pairs = 0;
  }

  #grow(): void {
    const words = Math.min(BLOCK_WORDS_MAX, Math.max(BLOCK_WORDS_MIN, this.#block.length * 2));
    this.#block = new Uint32Array(words);
    this.#blocks.push(this.#block);
    this.#used = 0;
  }
}
