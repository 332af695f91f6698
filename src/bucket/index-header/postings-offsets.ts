/**
 * Where the postings of each label pair lie in an index, by its postings offset table. In memory are all names and, of
 * each, one of every so many values; of version 1, whose table is in no order, everything.
 */
import { CorruptionError } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { textOf } from '../../tsdb/index/byte-source.ts';
import type { HeaderBytes } from './header-bytes.ts';
import { walkSection } from './section-walk.ts';
import type { SectionRange } from './section-walk.ts';

const NAME = 'postings offset table';
/** Strings of an entry: name and value. */
const KEY_COUNT = 2;
/** perf: bytes that are read and parsed in one go when all values of a name are wanted. */
const WINDOW_BYTES = 256 * 1024;

/** Where a list of postings is in the index: its length comes first, its checksum last. */
export interface PostingsRange {
  readonly start: number;
  /** Exclusive; some bytes too far for lists that something else follows. */
  readonly end: number;
}

/** Finds the lists of label pairs. The list of all series has the name '' and the value ''. */
export interface PostingsOffsets {
  /** All label names, sorted, without ''. */
  readonly names: readonly string[];
  /** Where the lists of values of a name are; undefined for those that are not there. In the order of `values`. */
  find(name: string, values: readonly string[]): Promise<(PostingsRange | undefined)[]>;
  /** Calls `visit` with each value of a name, ascending, and where its list is. Other work goes on between windows. */
  each(name: string, visit: (value: string, start: number, end: number) => void): Promise<void>;
}

/** How to open a table. */
export interface PostingsOffsetsOptions {
  readonly offset: number;
  /** The table ends before this. */
  readonly limit: number;
  readonly indexVersion: number;
  /** One of so many values is kept in memory; 1 keeps all. */
  readonly sampling: number;
  /** Where the last list ends in the index, at the latest. */
  readonly lastListEnd: number;
}

/** Walks through the table. @throws CorruptionError. */
export async function openPostingsOffsets(
  bytes: HeaderBytes,
  options: PostingsOffsetsOptions,
): Promise<PostingsOffsets> {
  const table =
    options.indexVersion === 1 ? new WholeTable(options) : new SampledTable(bytes, options);
  const entry = new EntryReader(bytes.path);
  await walkSection(
    bytes,
    { name: NAME, offset: options.offset, limit: options.limit },
    {
      begin: (_count, section) => table.begin(section),
      entry: (cursor, at) => {
        entry.read(cursor, at);
        table.add(entry, at);
      },
    },
  );
  table.finish();
  return table;
}

/** An entry that has been read; its texts are made when they are asked for. */
class EntryReader {
  readonly #path: string;
  #bytes: Uint8Array = new Uint8Array(0);
  #nameBytes = new Uint8Array(0);
  #valueAt = 0;
  #valueLength = 0;
  name = '';
  nameChanged = false;
  list = 0;
  #first = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** Changes nothing before the whole entry has been read. */
  read(cursor: ByteCursor, at: number): void {
    const { bytes } = cursor;
    if (readUvarint(cursor) !== KEY_COUNT)
      throw new CorruptionError(`${NAME}: no pair`, this.#path, at);
    const nameLength = readUvarint(cursor);
    const nameAt = cursor.pos;
    cursor.pos += nameLength;
    const valueLength = readUvarint(cursor);
    const valueAt = cursor.pos;
    cursor.pos += valueLength;
    if (cursor.pos > cursor.end) throw new ShortBytesError();
    this.list = readUvarint(cursor);
    const name = bytes.subarray(nameAt, nameAt + nameLength);
    this.nameChanged = this.#first || Buffer.compare(name, this.#nameBytes) !== 0;
    this.#first = false;
    // perf: a name follows itself mostly, and is a text already.
    if (this.nameChanged) {
      this.#nameBytes = new Uint8Array(name);
      this.name = textOf(name, 0, name.length);
    }
    this.#bytes = bytes;
    this.#valueAt = valueAt;
    this.#valueLength = valueLength;
  }

  value(): string {
    return textOf(this.#bytes, this.#valueAt, this.#valueLength);
  }
}

/** What is in memory of a name. */
interface SampledName {
  /** The first value of each group. */
  readonly firsts: string[];
  /** Where the groups begin in the file. */
  readonly starts: number[];
  /** Where the first list of each group begins in the index. */
  readonly lists: number[];
  /** Where the last group ends in the file. */
  end: number;
  /** Where the list behind the last one of this name begins. */
  nextList: number;
}

/** Version 2: sorted by name and value. */
class SampledTable implements PostingsOffsets {
  readonly #bytes: HeaderBytes;
  readonly #options: PostingsOffsetsOptions;
  readonly #names = new Map<string, SampledName>();
  #section: SectionRange = { name: NAME, start: 0, end: 0 };
  #current: SampledName | undefined;
  #count = 0;
  names: readonly string[] = [];

  constructor(bytes: HeaderBytes, options: PostingsOffsetsOptions) {
    this.#bytes = bytes;
    this.#options = options;
  }

  begin(section: SectionRange): void {
    this.#section = section;
  }

  add(entry: EntryReader, at: number): void {
    if (entry.nameChanged) {
      if (this.#names.has(entry.name)) throw this.#corrupt('is not in order', at);
      this.#close(at, entry.list);
      this.#current = { firsts: [], starts: [], lists: [], end: 0, nextList: 0 };
      this.#names.set(entry.name, this.#current);
      this.#count = 0;
    }
    const current = this.#current as SampledName;
    if (this.#count++ % this.#options.sampling !== 0) return;
    const value = entry.value();
    const before = current.firsts.at(-1);
    if (before !== undefined && compareUtf8(before, value) >= 0)
      throw this.#corrupt('is not in order', at);
    current.firsts.push(value);
    current.starts.push(at);
    current.lists.push(entry.list);
  }

  finish(): void {
    this.#close(this.#section.end, this.#options.lastListEnd);
    this.names = [...this.#names.keys()].filter((name) => name !== '').sort(compareUtf8);
  }

  #close(end: number, nextList: number): void {
    if (this.#current === undefined) return;
    this.#current.end = end;
    this.#current.nextList = nextList;
  }

  async find(name: string, values: readonly string[]): Promise<(PostingsRange | undefined)[]> {
    const sampled = this.#names.get(name);
    if (sampled === undefined) return values.map(() => undefined);
    const wanted = new Map<number, string[]>();
    for (const value of values) {
      const group = lastAtMost(sampled.firsts, value);
      if (group < 0) continue;
      const inGroup = wanted.get(group);
      if (inGroup === undefined) wanted.set(group, [value]);
      else inGroup.push(value);
    }
    const found = new Map<string, PostingsRange>();
    await Promise.all(
      [...wanted].map(async ([group, inGroup]) => {
        const set = new Set(inGroup);
        await this.#window(sampled, group, group + 1, (value, start, end) => {
          if (set.has(value)) found.set(value, { start, end });
        });
      }),
    );
    return values.map((value) => found.get(value));
  }

  async each(
    name: string,
    visit: (value: string, start: number, end: number) => void,
  ): Promise<void> {
    const sampled = this.#names.get(name);
    if (sampled === undefined) return;
    const { starts } = sampled;
    for (let from = 0; from < starts.length;) {
      let to = from + 1;
      while (to < starts.length && (starts[to] as number) - (starts[from] as number) < WINDOW_BYTES)
        to++;
      await this.#window(sampled, from, to, visit);
      from = to;
    }
  }

  /** Visits the entries of groups from..to. */
  async #window(
    sampled: SampledName,
    from: number,
    to: number,
    visit: (value: string, start: number, end: number) => void,
  ): Promise<void> {
    const at = sampled.starts[from] as number;
    const length = (sampled.starts[to] ?? sampled.end) - at;
    const bytes = await this.#bytes.read(at, length);
    const cursor = { bytes, pos: 0, end: length };
    try {
      const prefix = prefixBytes(bytes);
      let value = '';
      let list = -1;
      while (cursor.pos < length) {
        cursor.pos += prefix;
        const size = readUvarint(cursor);
        const valueAt = cursor.pos;
        cursor.pos += size;
        const next = readUvarint(cursor);
        if (list >= 0) visit(value, list, this.#end(list, next));
        value = bytes.toString('utf8', valueAt, valueAt + size);
        list = next;
      }
      const after = sampled.lists[to] ?? sampled.nextList;
      if (list >= 0) visit(value, list, this.#end(list, after));
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw this.#corrupt('ends inside an entry', at);
    }
  }

  /** The lists lie in the table's order, as far as any writer is known; one that does not leaves only the outer bound. */
  #end(start: number, next: number): number {
    return next > start ? next : this.#options.lastListEnd;
  }

  #corrupt(what: string, at: number): CorruptionError {
    return new CorruptionError(`${NAME} ${what}`, this.#bytes.path, at);
  }
}

/** The bytes of an entry before its value, which are the same in all entries of a name. */
function prefixBytes(bytes: Uint8Array): number {
  const cursor = { bytes, pos: 0, end: bytes.length };
  readUvarint(cursor);
  return readUvarint(cursor) + cursor.pos;
}

/** Version 1: in no order. */
class WholeTable implements PostingsOffsets {
  readonly #lists = new Map<string, Map<string, number>>();
  readonly #lastListEnd: number;
  #starts: Float64Array = new Float64Array(0);
  names: readonly string[] = [];

  constructor({ lastListEnd }: PostingsOffsetsOptions) {
    this.#lastListEnd = lastListEnd;
  }

  begin(): void {
    // Nothing to prepare.
  }

  add(entry: EntryReader): void {
    let lists = this.#lists.get(entry.name);
    if (lists === undefined) {
      lists = new Map();
      this.#lists.set(entry.name, lists);
    }
    lists.set(entry.value(), entry.list);
  }

  finish(): void {
    const all = [...this.#lists.values()].flatMap((lists) => [...lists.values()]);
    // tidy: bare-sort: a typed array sorts its numbers
    this.#starts = Float64Array.from(all).sort();
    this.names = [...this.#lists.keys()].filter((name) => name !== '').sort(compareUtf8);
  }

  find(name: string, values: readonly string[]): Promise<(PostingsRange | undefined)[]> {
    const lists = this.#lists.get(name);
    const ranges = values.map((value) => {
      const start = lists?.get(value);
      return start === undefined ? undefined : { start, end: this.#end(start) };
    });
    return Promise.resolve(ranges);
  }

  each(name: string, visit: (value: string, start: number, end: number) => void): Promise<void> {
    const lists = [...(this.#lists.get(name) ?? [])].sort((a, b) => compareUtf8(a[0], b[0]));
    for (const [value, start] of lists) visit(value, start, this.#end(start));
    return Promise.resolve();
  }

  #end(start: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= start) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low] ?? this.#lastListEnd;
  }
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
