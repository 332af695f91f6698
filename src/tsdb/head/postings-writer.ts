/**
 * The head's inverted index, the writing half: label pairs to lists of series, in the arena.
 *
 * Series are numbered in the order of their creation and every list is appended to in that order, so lists are
 * sorted by nature and a reader needs no lock: it takes the published number of series, and of each list the entries
 * below it. Reading half: postings-reader.ts. Picture: docs/format/head-arena.md.
 */
import { decodeUtf8 } from '../../lib/utf8.ts';
import type { ArenaWriter } from './arena.ts';
import { H, NAME, NAME_TABLE_ENTRIES, PAIR, POSTINGS, SLAB } from './arena-layout.ts';

/** Appends series to the postings of their label pairs. */
export class PostingsWriter {
  readonly #arena: ArenaWriter;
  /** Names are few, so the writer keeps their numbers in a Map. */
  readonly #names = new Map<string, number>();

  constructor(arena: ArenaWriter) {
    this.#arena = arena;
    for (const field of [H.pairSlabs, H.nameSlabs])
      arena.setHeader(field, arena.alloc(SLAB.count * 4));
    arena.setHeader(H.pairTable, this.#newTable(1024));
    arena.setHeader(H.nameTable, arena.alloc(NAME_TABLE_ENTRIES * 4));
  }

  /** Appends a series index to the list of a pair, by its number. */
  add(pair: number, series: number): void {
    const arena = this.#arena;
    const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, pair);
    const count = arena.get(at + PAIR.count);
    const block = arena.get(at + PAIR.lastBlock);
    const used = block === 0 ? 0 : arena.get(block + POSTINGS.used);
    if (block === 0 || used === arena.get(block + POSTINGS.capacity)) {
      const capacity = count === 0 ? 2 : Math.min(4096, count);
      const fresh = arena.alloc(POSTINGS.header + capacity * 4);
      arena.set(fresh + POSTINGS.capacity, capacity);
      arena.set(block === 0 ? at + PAIR.firstBlock : block + POSTINGS.next, fresh);
      arena.set(at + PAIR.lastBlock, fresh);
      arena.set(fresh + POSTINGS.used, 1);
      arena.set(fresh + POSTINGS.header, series);
    } else {
      arena.set(block + POSTINGS.used, used + 1);
      arena.set(block + POSTINGS.header + used * 4, series);
    }
    Atomics.store(arena.i32, (at + PAIR.count) >>> 2, count + 1);
  }

  /** The number of a pair, made at need. */
  pair(name: Uint8Array, value: Uint8Array): number {
    const arena = this.#arena;
    const nameNumber = this.#name(name);
    const hash = pairHash(nameNumber, value);
    const table = arena.header(H.pairTable) >>> 2;
    const mask = arena.u32[table] as number;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const entry = arena.u32[table + 1 + i] as number;
      if (entry === 0) break;
      const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, entry - 1);
      if (isPair(arena, at, hash, nameNumber, value)) return entry - 1;
    }
    return this.#addPair(nameNumber, hash, value);
  }

  #addPair(nameNumber: number, hash: number, value: Uint8Array): number {
    const arena = this.#arena;
    const free = arena.header(H.freePairs);
    const number = free === 0 ? arena.header(H.pairCount) : free - 1;
    const at = arena.recordForWrite(arena.header(H.pairSlabs), PAIR.bytes, number);
    if (free !== 0) arena.setHeader(H.freePairs, arena.get(at));
    const text = arena.alloc(value.length);
    arena.u8.set(value, text);
    arena.set(at + PAIR.hash, hash);
    arena.set(at + PAIR.name, nameNumber);
    arena.set(at + PAIR.value, text);
    arena.set(at + PAIR.valueLength, value.length);
    this.#enter(number, hash, free !== 0);
    // Publish the pair, then chain it to its name: readers follow the chain for as many pairs as it says.
    if (free === 0) arena.publish(H.pairCount, number + 1);
    const nameAt = arena.record(arena.header(H.nameSlabs), NAME.bytes, nameNumber);
    const last = arena.get(nameAt + NAME.last);
    if (last === 0) arena.set(nameAt + NAME.first, number + 1);
    else {
      const lastAt = arena.record(arena.header(H.pairSlabs), PAIR.bytes, last - 1);
      arena.set(lastAt + PAIR.next, number + 1);
    }
    arena.set(nameAt + NAME.last, number + 1);
    Atomics.add(arena.i32, (nameAt + NAME.count) >>> 2, 1);
    return number;
  }

  /**
   * Enters a pair into the hash table, which doubles at three quarters. The old table is not given back: readers
   * may be in it. A number that was free before is among those that the table has room for.
   */
  #enter(number: number, hash: number, again: boolean): void {
    const arena = this.#arena;
    const table = arena.header(H.pairTable);
    const capacity = arena.get(table) + 1;
    if (again || number + 1 <= capacity * 0.75) {
      put(arena.u32, table >>> 2, hash, number + 1);
      return;
    }
    const larger = this.#newTable(capacity * 2);
    for (let i = 0; i < capacity; i++) {
      const entry = arena.get(table + 4 + i * 4);
      if (entry === 0) continue;
      const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, entry - 1);
      put(arena.u32, larger >>> 2, arena.get(at + PAIR.hash), entry);
    }
    put(arena.u32, larger >>> 2, hash, number + 1);
    arena.publish(H.pairTable, larger);
  }

  /** A table: its mask, then so many entries. */
  #newTable(capacity: number): number {
    const table = this.#arena.alloc(4 + capacity * 4);
    this.#arena.set(table, capacity - 1);
    return table;
  }

  #enterName(number: number, name: Uint8Array): void {
    if (number >= NAME_TABLE_ENTRIES / 2) return;
    const { u32 } = this.#arena;
    const table = this.#arena.header(H.nameTable) >>> 2;
    let i = nameHash(name) & (NAME_TABLE_ENTRIES - 1);
    while ((u32[table + i] as number) !== 0) i = (i + 1) & (NAME_TABLE_ENTRIES - 1);
    u32[table + i] = number + 1;
  }

  #name(name: Uint8Array): number {
    const text = decodeUtf8(name);
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const arena = this.#arena;
    const number = arena.header(H.nameCount);
    const at = arena.recordForWrite(arena.header(H.nameSlabs), NAME.bytes, number);
    const bytes = arena.alloc(name.length);
    arena.u8.set(name, bytes);
    arena.set(at + NAME.text, bytes);
    arena.set(at + NAME.length, name.length);
    this.#enterName(number, name);
    arena.publish(H.nameCount, number + 1);
    this.#names.set(text, number);
    return number;
  }
}

/** The hash of a name, by which the kernel finds it: FNV-1a. */
function nameHash(name: Uint8Array): number {
  return fnv(0x811c9dc5, name);
}

/** The hash of a pair: FNV-1a over the value, started by the name's number. */
export function pairHash(nameNumber: number, value: Uint8Array): number {
  return fnv(Math.imul(nameNumber + 1, 0x9e3779b1) ^ 0x811c9dc5, value);
}

function fnv(start: number, bytes: Uint8Array): number {
  let hash = start;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash ^= hash >>> 15;
  return hash >>> 0;
}

/** Whether the pair record at an address is this name and value. */
export function isPair(
  arena: { get(address: number): number; readonly u8: Uint8Array },
  at: number,
  hash: number,
  nameNumber: number,
  value: Uint8Array,
): boolean {
  if (arena.get(at + PAIR.hash) !== hash || arena.get(at + PAIR.name) !== nameNumber) return false;
  if (arena.get(at + PAIR.valueLength) !== value.length) return false;
  const text = arena.get(at + PAIR.value);
  for (let i = 0; i < value.length; i++) if (arena.u8[text + i] !== value[i]) return false;
  return true;
}

/** Enters a pair number (plus one) into the table at a word index. */
function put(words: Uint32Array, table: number, hash: number, entry: number): void {
  const mask = words[table] as number;
  let i = hash & mask;
  while ((words[table + 1 + i] as number) !== 0) i = (i + 1) & mask;
  words[table + 1 + i] = entry;
}
