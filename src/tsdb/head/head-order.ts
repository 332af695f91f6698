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
  readonly #pairs: readonly Pair[];

  /** Takes the series for which `accept` says yes. */
  constructor(head: HeadViews, accept: (view: ArenaView, address: number) => boolean) {
    this.#head = head;
    const found = findSeries(head, accept);
    this.#addresses = found.addresses;
    this.#arenas = found.arenas;
    this.#starts = found.starts;
    const { pairs, rankOf } = rankPairs(head, found);
    this.#pairs = pairs;
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
    const texts = new Set<string>();
    for (const { name, value } of this.#pairs) {
      texts.add(name);
      texts.add(value);
    }
    return [...texts].sort(compareUtf8);
  }

  /** The n-th series' labels, made for this call. */
  labels(n: number): Labels {
    const i = this.#order[n] as number;
    const out: string[] = [];
    for (let k = this.#starts[i] as number; k < (this.#starts[i + 1] as number); k++) {
      const { name, value } = this.#pairs[this.#ranks[k] as number] as Pair;
      out.push(name, value);
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

interface Pair {
  readonly name: string;
  readonly value: string;
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

/** The pairs that occur in label order, and each arena's ranks by pair number. */
function rankPairs(
  { views, postings }: HeadViews,
  found: FoundSeries,
): { pairs: readonly Pair[]; rankOf: Uint32Array[] } {
  const rankOf = views.map((view) => new Uint32Array(view.published(H.pairCount)));
  for (let i = 0; i < found.addresses.length; i++) {
    const used = rankOf[found.arenas[i] as number] as Uint32Array;
    for (let k = found.starts[i] as number; k < (found.starts[i + 1] as number); k++)
      used[found.pairNumbers[k] as number] = 1;
  }
  const entries: (Pair & { readonly arena: number; readonly number: number })[] = [];
  for (const [arena, used] of rankOf.entries()) {
    const reader = postings[arena] as PostingsReader;
    for (let number = 0; number < used.length; number++) {
      if (used[number] === 0) continue;
      entries.push({ arena, number, name: reader.name(number), value: reader.value(number) });
    }
  }
  entries.sort((a, b) => compareUtf8(a.name, b.name) || compareUtf8(a.value, b.value));
  const pairs: Pair[] = [];
  for (const { arena, number, name, value } of entries) {
    const last = pairs.at(-1);
    if (last === undefined || last.name !== name || last.value !== value)
      pairs.push({ name, value });
    (rankOf[arena] as Uint32Array)[number] = pairs.length - 1;
  }
  return { pairs, rankOf };
}
