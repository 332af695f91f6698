/**
 * All series of a head in label order, for a block: by ranks of label pairs, so that a million series are sorted by
 * comparing numbers, and no label object outlives its turn.
 *
 *   pairs that occur  --sorted by name, then value-->  rank of each pair
 *   a series          =  the ranks of its pairs, by label name
 *   label order       =  the order of those rank lists, a shorter one before its continuations
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels } from '../../model/labels.ts';
import type { ArenaView } from './arena.ts';
import { H, S } from './arena-layout.ts';
import type { PostingsReader } from './postings-reader.ts';

/** A head's arenas, seen by one thread. */
export interface HeadViews {
  readonly views: readonly ArenaView[];
  readonly postings: readonly PostingsReader[];
}

/** Series of a head in label order, by number 0..count-1. */
export class HeadOrder {
  readonly #head: HeadViews;
  /** Address and arena of each series, in the order found; `#order` puts them in label order. */
  readonly #addresses: Float64Array;
  readonly #arenas: Uint8Array;
  readonly #order: Uint32Array;
  /** Ranks of all series' pairs, one series after the other; series i has those from `#starts[i]` on. */
  readonly #starts: Uint32Array;
  readonly #ranks: Uint32Array;
  /** Texts of pairs by rank. */
  readonly #names: readonly string[];
  readonly #values: readonly string[];

  /** Takes the series for which `accept` says yes. */
  constructor(head: HeadViews, accept: (view: ArenaView, address: number) => boolean) {
    this.#head = head;
    const found = findSeries(head, accept);
    this.#addresses = found.addresses;
    this.#arenas = found.arenas;
    this.#starts = found.starts;
    const { names, values, rankOf } = rankPairs(head, found);
    this.#names = names;
    this.#values = values;
    this.#ranks = found.pairNumbers;
    for (let i = 0; i < this.count; i++) {
      const ranks = rankOf[this.#arenas[i] as number] as Uint32Array;
      for (let k = this.#starts[i] as number; k < (this.#starts[i + 1] as number); k++)
        this.#ranks[k] = ranks[this.#ranks[k] as number] as number;
    }
    this.#order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) this.#order[i] = i;
    // tidy: bare-sort: a typed array, by comparing ranks
    this.#order.sort((a, b) => this.#compare(a, b));
  }

  /** How many series there are. */
  get count(): number {
    return this.#addresses.length;
  }

  /** Every label name and value that occurs, sorted and distinct. */
  symbols(): string[] {
    const texts = new Set(this.#names);
    for (const value of this.#values) texts.add(value);
    return [...texts].sort(compareUtf8);
  }

  /** The n-th series' labels, made for this call. */
  labels(n: number): Labels {
    const i = this.#order[n] as number;
    const out: string[] = [];
    for (let k = this.#starts[i] as number; k < (this.#starts[i + 1] as number); k++) {
      const rank = this.#ranks[k] as number;
      out.push(this.#names[rank] as string, this.#values[rank] as string);
    }
    return new Labels(out);
  }

  /** Where the n-th series lies. */
  view(n: number): ArenaView {
    return this.#head.views[this.#arenas[this.#order[n] as number] as number] as ArenaView;
  }

  address(n: number): number {
    return this.#addresses[this.#order[n] as number] as number;
  }

  #compare(a: number, b: number): number {
    const ranks = this.#ranks;
    const from = this.#starts[a] as number;
    const other = this.#starts[b] as number;
    const lengthA = (this.#starts[a + 1] as number) - from;
    const lengthB = (this.#starts[b + 1] as number) - other;
    const n = Math.min(lengthA, lengthB);
    for (let k = 0; k < n; k++) {
      const difference = (ranks[from + k] as number) - (ranks[other + k] as number);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }
}

/** Series with their pairs by number, as yet. */
interface FoundSeries {
  readonly addresses: Float64Array;
  readonly arenas: Uint8Array;
  readonly starts: Uint32Array;
  readonly pairNumbers: Uint32Array;
}

function findSeries(
  { views, postings }: HeadViews,
  accept: (view: ArenaView, address: number) => boolean,
): FoundSeries {
  let count = 0;
  let pairCount = 0;
  let total = 0;
  for (const reader of postings) {
    reader.refresh();
    total += reader.seriesCount;
  }
  const addresses = new Float64Array(total);
  const arenas = new Uint8Array(total);
  for (const [arena, view] of views.entries()) {
    const slabs = view.header(H.seriesSlabs);
    const seriesCount = (postings[arena] as PostingsReader).seriesCount;
    for (let index = 0; index < seriesCount; index++) {
      const address = view.record(slabs, S.bytes, index);
      if (!accept(view, address)) continue;
      addresses[count] = address;
      arenas[count++] = arena;
      pairCount += view.get(address + S.pairCount);
    }
  }
  const starts = new Uint32Array(count + 1);
  const pairNumbers = new Uint32Array(pairCount);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const view = views[arenas[i] as number] as ArenaView;
    const address = addresses[i] as number;
    const pairs = view.get(address + S.pairs) >>> 2;
    const n = view.get(address + S.pairCount);
    pairNumbers.set(view.u32.subarray(pairs, pairs + n), at);
    at += n;
    starts[i + 1] = at;
  }
  return {
    addresses: addresses.subarray(0, count),
    arenas: arenas.subarray(0, count),
    starts,
    pairNumbers,
  };
}

/** Pairs that occur, ranked by name and value: their texts by rank, and each arena's ranks by pair number. */
interface RankedPairs {
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly rankOf: readonly Uint32Array[];
}

function rankPairs({ views, postings }: HeadViews, found: FoundSeries): RankedPairs {
  const rankOf = views.map((view) => new Uint32Array(view.published(H.pairCount)));
  let count = 0;
  for (let i = 0; i < found.addresses.length; i++) {
    const used = rankOf[found.arenas[i] as number] as Uint32Array;
    for (let k = found.starts[i] as number; k < (found.starts[i + 1] as number); k++) {
      const number = found.pairNumbers[k] as number;
      if (used[number] === 0) count++;
      used[number] = 1;
    }
  }
  // perf: an object a pair would be a hundred bytes for each of a million.
  const arenas = new Uint8Array(count);
  const numbers = new Uint32Array(count);
  let at = 0;
  for (const [arena, used] of rankOf.entries()) {
    for (let number = 0; number < used.length; number++) {
      if (used[number] === 0) continue;
      arenas[at] = arena;
      numbers[at++] = number;
    }
  }
  const reader = (i: number): PostingsReader => postings[arenas[i] as number] as PostingsReader;
  const nameOf = Array.from(numbers, (number, i) => reader(i).name(number));
  const valueOf = Array.from(numbers, (number, i) => reader(i).value(number));
  // Names are few and come again and again: they are ordered once, and compared by number.
  const nameRanks = new Map(
    [...new Set(nameOf)].sort(compareUtf8).map((name, rank) => [name, rank]),
  );
  const nameRankOf = Uint32Array.from(nameOf, (name) => nameRanks.get(name) as number);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  order.sort(
    (a, b) =>
      (nameRankOf[a] as number) - (nameRankOf[b] as number) ||
      compareUtf8(valueOf[a] as string, valueOf[b] as string),
  );
  const names: string[] = [];
  const values: string[] = [];
  for (const i of order) {
    const [name, value] = [nameOf[i] as string, valueOf[i] as string];
    // Arenas number their pairs apart: a pair of several gets one rank.
    if (names.at(-1) !== name || values.at(-1) !== value) {
      names.push(name);
      values.push(value);
    }
    (rankOf[arenas[i] as number] as Uint32Array)[numbers[i] as number] = names.length - 1;
  }
  return { names, values, rankOf };
}
