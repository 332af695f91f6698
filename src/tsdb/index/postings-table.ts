/**
 * The postings offset table of an index: where the list of each label pair begins. In memory are all names, and of each
 * name every 32nd value; of version 1, whose table is in no order, everything.
 */
import type { CorruptionError } from '../../lib/errors.ts';
import { compareUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { textOf } from './byte-source.ts';
import type { NamedSource } from './byte-source.ts';
import { SAMPLED_EVERY } from './index-format.ts';
import { SectionCursor, checkSection } from './section.ts';
import type { Section } from './section.ts';

const NAME = 'postings offset table';
/** Strings of an entry: name and value. */
const KEY_COUNT = 2;
/** Groups that are read at a time when all values of a name are wanted: some 100 KiB. */
const GROUPS_AT_ONCE = 64;

/** Finds the lists of label pairs. The list of all series has the name '' and the value ''. */
export interface PostingsTable {
  /** All label names, sorted. */
  names(): string[];
  /** The offset of a pair's list in the file; undefined when there is none. */
  find(name: string, value: string): number | undefined;
  /** Calls `visit` with each value of a name, sorted, and the offset of its list. `visit` must not read the index. */
  each(name: string, visit: (value: string, offset: number) => void): void;
}

/** Walks through the table at an offset. @throws CorruptionError. */
export function readPostingsTable(
  source: NamedSource,
  version: number,
  offset: number,
): PostingsTable {
  const section = checkSection(source, offset, NAME);
  return version === 1 ? new WholeTable(source, section) : new SampledTable(source, section);
}

/** Walks through the entries: next(), then value() or skipValue(), then list(), each once. */
class EntryCursor {
  readonly #source: NamedSource;
  readonly #cursor: SectionCursor;
  #left: number;
  #nameBytes = new Uint8Array(0);
  /** Of the entry at hand: where it begins in the file, and its name. */
  at = 0;
  name = '';
  /** Whether the entry before it had another name. */
  nameChanged = false;

  constructor(source: NamedSource, section: Section) {
    this.#source = source;
    this.#cursor = new SectionCursor(source, section);
    this.#left = this.#cursor.u32();
  }

  /** Where the next entry begins, or the last one ended. */
  get position(): number {
    return this.#cursor.position;
  }

  next(): boolean {
    if (this.#left === 0) return false;
    const first = this.at === 0;
    this.#left--;
    this.at = this.#cursor.position;
    if (this.#cursor.uvarint() !== KEY_COUNT)
      throw this.#source.corrupt(`${NAME}: no pair`, this.at);
    const name = this.#cursor.lengthAndBytes();
    this.nameChanged = first || !equalBytes(name, this.#nameBytes);
    // perf: a name follows itself mostly, and is a text already.
    if (this.nameChanged) {
      this.#nameBytes = new Uint8Array(name);
      this.name = textOf(name, 0, name.length);
    }
    return true;
  }

  value(): string {
    const value = this.#cursor.lengthAndBytes();
    return textOf(value, 0, value.length);
  }

  skipValue(): void {
    this.#cursor.skipLengthAndBytes();
  }

  list(): number {
    return this.#cursor.uvarint();
  }
}

/** What is in memory of a name. */
interface SampledName {
  /** The first value of each group of 32. */
  readonly firsts: string[];
  /** Where the groups begin, from the start of the section. */
  readonly starts: number[];
  /** Where the last one ends. */
  end: number;
}

/** Version 2: sorted by name and value. */
class SampledTable implements PostingsTable {
  readonly #source: NamedSource;
  readonly #start: number;
  readonly #names = new Map<string, SampledName>();

  constructor(source: NamedSource, section: Section) {
    this.#source = source;
    this.#start = section.start;
    const entries = new EntryCursor(source, section);
    let current: SampledName = { firsts: [], starts: [], end: 0 };
    let count = 0;
    while (entries.next()) {
      const { at } = entries;
      if (entries.nameChanged) {
        if (this.#names.has(entries.name)) throw this.#unsorted(at);
        current.end = at - section.start;
        current = { firsts: [], starts: [], end: 0 };
        this.#names.set(entries.name, current);
        count = 0;
      }
      if (count++ % SAMPLED_EVERY === 0) {
        const value = entries.value();
        const before = current.firsts.at(-1);
        if (before !== undefined && compareUtf8(before, value) >= 0) throw this.#unsorted(at);
        current.firsts.push(value);
        current.starts.push(at - section.start);
      } else entries.skipValue();
      entries.list();
    }
    current.end = entries.position - section.start;
  }

  names(): string[] {
    return sortedNames(this.#names.keys());
  }

  find(name: string, value: string): number | undefined {
    const sampled = this.#names.get(name);
    if (sampled === undefined) return undefined;
    const group = lastAtMost(sampled.firsts, value);
    if (group < 0) return undefined;
    const wanted = encodeUtf8(value);
    const cursor = this.#groups(sampled, group, group + 1);
    const prefix = this.#prefix(cursor);
    while (cursor.pos < cursor.end) {
      cursor.pos += prefix;
      const length = this.#uvarint(cursor);
      const at = cursor.pos;
      cursor.pos += length;
      const list = this.#uvarint(cursor);
      if (length === wanted.length && startsWith(cursor.bytes, at, wanted)) return list;
    }
    return undefined;
  }

  each(name: string, visit: (value: string, offset: number) => void): void {
    const sampled = this.#names.get(name);
    if (sampled === undefined) return;
    const groups = sampled.starts.length;
    for (let from = 0; from < groups; from += GROUPS_AT_ONCE) {
      const cursor = this.#groups(sampled, from, Math.min(groups, from + GROUPS_AT_ONCE));
      const prefix = this.#prefix(cursor);
      while (cursor.pos < cursor.end) {
        cursor.pos += prefix;
        const length = this.#uvarint(cursor);
        const at = cursor.pos;
        cursor.pos += length;
        const list = this.#uvarint(cursor);
        visit(textOf(cursor.bytes, at, length), list);
      }
    }
  }

  /** The entries of groups from..to. */
  #groups({ starts, end }: SampledName, from: number, to: number): ByteCursor {
    const start = starts[from] as number;
    const length = (starts[to] ?? end) - start;
    const bytes = this.#source.read(this.#start + start, length, NAME);
    return { bytes, pos: 0, end: length };
  }

  /** The bytes of an entry before its value, which are the same in all entries of a name. */
  #prefix({ bytes, end }: ByteCursor): number {
    const cursor = { bytes, pos: 0, end };
    this.#uvarint(cursor);
    return this.#uvarint(cursor) + cursor.pos;
  }

  #uvarint(cursor: ByteCursor): number {
    try {
      return readUvarint(cursor);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw this.#source.corrupt(`${NAME} ends inside an entry`, this.#start);
    }
  }

  #unsorted(at: number): CorruptionError {
    return this.#source.corrupt(`${NAME} is not in order`, at);
  }
}

/** Version 1: in no order. */
class WholeTable implements PostingsTable {
  readonly #names = new Map<string, Map<string, number>>();

  constructor(source: NamedSource, section: Section) {
    const entries = new EntryCursor(source, section);
    while (entries.next()) {
      let lists = this.#names.get(entries.name);
      if (lists === undefined) {
        lists = new Map();
        this.#names.set(entries.name, lists);
      }
      const value = entries.value();
      lists.set(value, entries.list());
    }
  }

  names(): string[] {
    return sortedNames(this.#names.keys());
  }

  find(name: string, value: string): number | undefined {
    return this.#names.get(name)?.get(value);
  }

  each(name: string, visit: (value: string, offset: number) => void): void {
    const lists = [...(this.#names.get(name) ?? [])];
    for (const [value, offset] of lists.sort((a, b) => compareUtf8(a[0], b[0])))
      visit(value, offset);
  }
}

function sortedNames(names: Iterable<string>): string[] {
  return [...names].filter((name) => name !== '').sort(compareUtf8);
}

/** The index of the last text that is at most `text`; -1 when all are behind it. */
function lastAtMost(texts: readonly string[], text: string): number {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(texts[middle] as string, text) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && startsWith(a, 0, b);
}

function startsWith(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
