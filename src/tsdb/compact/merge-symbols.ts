/** Merges the symbols of several indexes: each once, in order, by their bytes, and what each index's references became. */
import { compareBytes } from '../../lib/utf8.ts';
import type { NamedSource } from '../index/byte-source.ts';
import { SectionCursor, checkSection } from '../index/section.ts';

/** Where the symbols of an index are. */
export interface SymbolsPlace {
  readonly source: NamedSource;
  /** Of the index. */
  readonly version: number;
  /** Where the section begins. */
  readonly offset: number;
}

/** The number of a reference of one index among the merged symbols; undefined for one that is none. */
export type SymbolNumbers = (reference: number) => number | undefined;

const NAME = 'symbol table';

/**
 * Gives all symbols to `add`, which answers the number of each, or -1 for one that is not behind the last; the bytes are
 * valid during the call. Answers the numbers by the references of each index. Nothing else may read the sources meanwhile.
 * @throws CorruptionError when symbols of an index are not in order, or the section is damaged.
 */
export function mergeSymbols(
  places: readonly SymbolsPlace[],
  add: (symbol: Uint8Array) => number,
): SymbolNumbers[] {
  const streams = places.map((place) =>
    place.version === 1 ? new OldStream(place) : new Stream(place),
  );
  const equal: SymbolStream[] = [];
  for (;;) {
    equal.length = 0;
    for (const stream of streams) {
      if (stream.symbol === undefined) continue;
      const least = equal[0]?.symbol;
      const order = least === undefined ? -1 : compareBytes(stream.symbol, least);
      if (order < 0) equal.length = 0;
      if (order <= 0) equal.push(stream);
    }
    const [first] = equal;
    if (first?.symbol === undefined) return streams.map(({ numbers }) => numbers);
    const number = add(first.symbol);
    if (number < 0) throw first.unordered();
    for (const stream of equal) stream.accept(number);
  }
}

/** The symbols of one index, one after the other. */
interface SymbolStream {
  /** The symbol at hand; undefined behind the last. */
  readonly symbol: Uint8Array | undefined;
  readonly numbers: SymbolNumbers;
  /** Notes the number of the symbol at hand and goes on to the next one. */
  accept(number: number): void;
  /** The error for symbols that are not in order. */
  unordered(): Error;
}

/** Version 2: symbols in order, references are their numbers. */
class Stream implements SymbolStream {
  readonly #place: SymbolsPlace;
  readonly #cursor: SectionCursor;
  readonly #numbers: Uint32Array;
  #read = 0;
  symbol: Uint8Array | undefined;

  constructor(place: SymbolsPlace) {
    const { source, offset } = place;
    this.#place = place;
    const section = checkSection(source, offset, NAME);
    this.#cursor = new SectionCursor(source, section);
    const count = this.#cursor.u32();
    // A symbol takes a byte at least, so a larger count is a lie that must not allocate.
    if (count > section.end - section.start) throw source.corrupt(`${NAME} ends early`, offset);
    this.#numbers = new Uint32Array(count);
    this.#next();
  }

  get numbers(): SymbolNumbers {
    const numbers = this.#numbers;
    return (reference) => numbers[reference];
  }

  accept(number: number): void {
    this.#numbers[this.#read - 1] = number;
    this.#next();
  }

  unordered(): Error {
    return this.#place.source.corrupt(`${NAME} is not in order`, this.#place.offset);
  }

  #next(): void {
    const isEnd = this.#read === this.#numbers.length;
    this.symbol = isEnd ? undefined : this.#cursor.lengthAndBytes();
    this.#read++;
  }
}

/** Version 1: references are offsets, and the order is not relied on. Such indexes are old and few: all in memory. */
class OldStream implements SymbolStream {
  readonly #place: SymbolsPlace;
  readonly #numbers = new Map<number, number>();
  readonly #sorted: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #at = 0;

  constructor(place: SymbolsPlace) {
    const { source, offset } = place;
    this.#place = place;
    const cursor = new SectionCursor(source, checkSection(source, offset, NAME));
    for (let left = cursor.u32(); left > 0; left--) {
      const { position } = cursor;
      this.#sorted.push({ offset: position, bytes: cursor.lengthAndBytes().slice() });
    }
    this.#sorted.sort((a, b) => compareBytes(a.bytes, b.bytes));
  }

  get symbol(): Uint8Array | undefined {
    return this.#sorted[this.#at]?.bytes;
  }

  get numbers(): SymbolNumbers {
    return (reference) => this.#numbers.get(reference);
  }

  accept(number: number): void {
    this.#numbers.set(this.#sorted[this.#at++]?.offset ?? 0, number);
  }

  unordered(): Error {
    return this.#place.source.corrupt(`${NAME} has a symbol twice`, this.#place.offset);
  }
}
