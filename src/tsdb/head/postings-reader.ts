/**
 * The head's inverted index, the reading half (postings-writer.ts has the picture). Any thread may read while the
 * writer appends: an instance sees the series that were published when it was last told to {@link refresh}.
 */
import { decodeUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { union } from '../index/postings.ts';
import type { Postings } from '../index/postings.ts';
import type { IndexView } from '../index/select-postings.ts';
import type { ArenaView } from './arena.ts';
import { H, NAME, PAIR, POSTINGS } from './arena-layout.ts';
import { isPair, pairHash } from './postings-writer.ts';

/** One arena's index, for one thread. Texts of pairs are decoded once and kept. */
export class PostingsReader implements IndexView {
  readonly #arena: ArenaView;
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Values by pair number; limit: as many as there are pairs. */
  readonly #values: (string | undefined)[] = [];
  #seriesCount = 0;

  constructor(arena: ArenaView) {
    this.#arena = arena;
    this.refresh();
  }

  /** How many series this view sees. */
  get seriesCount(): number {
    return this.#seriesCount;
  }

  /** Takes in what was published since. */
  refresh(): void {
    const arena = this.#arena;
    // Series first: what they need was published before them.
    this.#seriesCount = arena.published(H.seriesCount);
    const names = arena.published(H.nameCount);
    for (let i = this.#names.length; i < names; i++) {
      const at = arena.record(arena.header(H.nameSlabs), NAME.bytes, i);
      const text = this.#text(arena.get(at + NAME.text), arena.get(at + NAME.length));
      this.#names.push(text);
      this.#numbers.set(text, i);
    }
  }

  /** Forgets texts: pairs may have got other numbers. */
  forget(): void {
    this.#values.length = 0;
  }

  all(): Postings {
    const out = new Uint32Array(this.#seriesCount);
    for (let i = 0; i < out.length; i++) out[i] = i;
    return out;
  }

  postings(name: string, value: string): Postings {
    const pair = this.#findPair(name, value);
    return pair < 0 ? new Uint32Array(0) : this.#read(pair);
  }

  postingsWhere(name: string, accept: (value: string) => boolean): Postings {
    const lists: Postings[] = [];
    this.#eachPair(name, (pair) => {
      if (accept(this.value(pair))) lists.push(this.#read(pair));
    });
    return union(lists);
  }

  /** Label names, some perhaps of no series any more, in no order. */
  names(): readonly string[] {
    return this.#names;
  }

  /** Whether any series has a label of that name. */
  hasValues(name: string): boolean {
    const number = this.#numbers.get(name);
    if (number === undefined) return false;
    const arena = this.#arena;
    const at = arena.record(arena.header(H.nameSlabs), NAME.bytes, number);
    return Atomics.load(arena.i32, (at + NAME.count) >>> 2) > 0;
  }

  /** Values of a label, in no order. */
  values(name: string): string[] {
    const out: string[] = [];
    this.#eachPair(name, (pair) => out.push(this.value(pair)));
    return out;
  }

  /** The value of a pair. */
  value(pair: number): string {
    let text = this.#values[pair];
    if (text === undefined) {
      const arena = this.#arena;
      const at = this.#pairAt(pair);
      text = this.#text(arena.get(at + PAIR.value), arena.get(at + PAIR.valueLength));
      this.#values[pair] = text;
    }
    return text;
  }

  /** The name of a pair. */
  name(pair: number): string {
    const number = this.#arena.get(this.#pairAt(pair) + PAIR.name);
    if (number >= this.#names.length) this.refresh();
    return this.#names[number] as string;
  }

  #pairAt(pair: number): number {
    return this.#arena.record(this.#arena.header(H.pairSlabs), PAIR.bytes, pair);
  }

  #findPair(name: string, value: string): number {
    const number = this.#numbers.get(name);
    if (number === undefined) return -1;
    const arena = this.#arena;
    const bytes = encodeUtf8(value);
    const hash = pairHash(number, bytes);
    const table = arena.published(H.pairTable) >>> 2;
    const mask = arena.u32[table] as number;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const entry = arena.u32[table + 1 + i] as number;
      if (entry === 0) return -1;
      if (isPair(arena, this.#pairAt(entry - 1), hash, number, bytes)) return entry - 1;
    }
  }

  #eachPair(name: string, visit: (pair: number) => void): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    const arena = this.#arena;
    const at = arena.record(arena.header(H.nameSlabs), NAME.bytes, number);
    let left = Atomics.load(arena.i32, (at + NAME.count) >>> 2);
    for (let next = arena.get(at + NAME.first); left > 0 && next !== 0; left--) {
      visit(next - 1);
      next = arena.get(this.#pairAt(next - 1) + PAIR.next);
    }
  }

  /** The series of a pair that this view sees. */
  #read(pair: number): Postings {
    const arena = this.#arena;
    const at = this.#pairAt(pair);
    const count = Atomics.load(arena.i32, (at + PAIR.count) >>> 2);
    const out = new Uint32Array(count);
    let n = 0;
    // Beside a sweep a list can end early; the reader looks again then (postings-sweep.ts).
    for (
      let block = arena.get(at + PAIR.firstBlock);
      n < count && block !== 0;
      block = arena.get(block + POSTINGS.next)
    ) {
      const take = Math.min(count - n, arena.get(block + POSTINGS.capacity));
      const from = (block + POSTINGS.header) >>> 2;
      out.set(arena.u32.subarray(from, from + take), n);
      n += take;
    }
    return this.#published(out.subarray(0, n));
  }

  /** Series published after this view was made are left out, and runs become one: slots are used again. */
  #published(list: Uint32Array): Postings {
    let n = list.length;
    while (n > 0 && (list[n - 1] as number) >= this.#seriesCount) n--;
    let isSorted = true;
    for (let i = 1; i < n && isSorted; i++)
      isSorted = (list[i - 1] as number) < (list[i] as number);
    if (isSorted) return list.subarray(0, n);
    // tidy: bare-sort: a typed array sorts its numbers
    return list.filter((index) => index < this.#seriesCount).sort();
  }

  #text(at: number, length: number): string {
    return decodeUtf8(this.#arena.u8.subarray(at, at + length));
  }
}
