/**
 * The head, the reading half: series of its arenas and chunks_head/ files, for any thread.
 *
 * Nothing here takes a lock. A series' chunks are read under its generation: metas and the open chunk are copied out,
 * and when the generation moved meanwhile, copied again (docs/format/head-arena.md, "Reading").
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import { union } from '../index/postings.ts';
import type { Postings } from '../index/postings.ts';
import { selectPostings } from '../index/select-postings.ts';
import { ArenaView } from './arena.ts';
import { H, S } from './arena-layout.ts';
import { ChunkSource } from './chunk-source.ts';
import type { HeadHandle } from './chunk-source.ts';
import { HeadSeriesSet } from './head-series-set.ts';
import type { SharedHeadSeries } from './head-series-set.ts';
import { LabelOrder } from './label-order.ts';
import { newestTimes } from './newest-times.ts';
import { PostingsReader } from './postings-reader.ts';
import { lookStably } from './postings-sweep.ts';
import { mayHold } from './series-snapshot.ts';
import type { HeadWindow } from './series-snapshot.ts';

/** limit: label sets that a thread keeps for an arena: some 300 bytes each, texts apart, which are shared. */
const LABELS_KEPT = 100_000;

/** A series that matches. */
interface Found {
  readonly arena: number;
  readonly address: number;
  readonly labels: Labels;
}

/** One thread's access to a head. */
export class HeadReader {
  readonly #views: ArenaView[];
  readonly #postings: PostingsReader[];
  readonly #orders: LabelOrder[];
  readonly #labelCaches: Map<number, Labels>[];
  readonly #source: ChunkSource;
  /** The epochs of the indexes that what is kept of them is of. */
  readonly #epochs: number[] = [];

  constructor(handle: HeadHandle, cache: PageCache) {
    this.#views = handle.memories.map((memory) => new ArenaView(memory));
    this.#postings = this.#views.map((view) => new PostingsReader(view));
    this.#labelCaches = this.#views.map(() => new Map<number, Labels>());
    this.#orders = this.#views.map((_, arena) => new LabelOrder((i) => this.#labels(arena, i)));
    this.#source = new ChunkSource(handle, cache);
  }

  /** The series that match and may have samples in the window, in label order, as of now. */
  select(matchers: readonly Matcher[], window: HeadWindow): HeadSeriesSet {
    return this.#stably(() => this.#select(matchers, window));
  }

  #select(matchers: readonly Matcher[], window: HeadWindow): HeadSeriesSet {
    const runs = this.#selectAll([matchers]).map(([arena, postings]) =>
      this.#inLabelOrder(arena, this.#holding(arena, postings, window)),
    );
    // Each arena's series are in order; a stable sort of few long runs costs little more than a merge.
    const found = runs.length === 1 ? (runs[0] as Found[]) : runs.flat().sort(compareFound);
    const times = newestTimes(this.#views, found);
    const series = found.map((one, i) => ({ ...one, lastT: times[i] as number }));
    return new HeadSeriesSet(window, series, this.#views, this.#source);
  }

  /** Series that a set of this head shared in another thread. */
  openShared(shared: SharedHeadSeries, window: HeadWindow): HeadSeriesSet {
    const found = Array.from(shared.addresses, (address, i) => ({
      arena: shared.arenas[i] as number,
      address,
      lastT: shared.lastTimes[i] as number,
    }));
    return new HeadSeriesSet(window, found, this.#views, this.#source);
  }

  /** As {@link Queryable.labelNames}. */
  labelNames(matcherSets: readonly (readonly Matcher[])[], window: HeadWindow): string[] {
    return this.#stably(() => this.#labelNames(matcherSets, window));
  }

  #labelNames(matcherSets: readonly (readonly Matcher[])[], window: HeadWindow): string[] {
    const names = new Set<string>();
    if (matcherSets.length === 0) {
      // As for values: every name in use, without a look at each series.
      for (const postings of this.#postings) {
        postings.refresh();
        for (const name of postings.names()) if (postings.hasValues(name)) names.add(name);
      }
      return [...names].sort(compareUtf8);
    }
    this.#eachPair(matcherSets, window, (arena, pair) =>
      names.add((this.#postings[arena] as PostingsReader).name(pair)),
    );
    return [...names].sort(compareUtf8);
  }

  /** As {@link Queryable.labelValues}. */
  labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    window: HeadWindow,
  ): string[] {
    return this.#stably(() => this.#labelValues(name, matcherSets, window));
  }

  #labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    window: HeadWindow,
  ): string[] {
    const values = new Set<string>();
    if (matcherSets.length === 0) {
      for (const postings of this.#postings) {
        postings.refresh();
        for (const value of postings.values(name)) values.add(value);
      }
    } else {
      this.#eachPair(matcherSets, window, (arena, pair) => {
        const postings = this.#postings[arena] as PostingsReader;
        if (postings.name(pair) === name) values.add(postings.value(pair));
      });
    }
    return [...values].sort(compareUtf8);
  }

  /** Closes chunk files below a sequence number, which are needed no more. */
  forget(sequence: number): void {
    this.#source.files.forget(sequence);
  }

  /** Closes the chunk files. */
  close(): void {
    this.#source.files.close();
  }

  /** Looks at indexes that no sweep changes meanwhile; after one, what was kept of them is made anew. */
  #stably<T>(look: () => T): T {
    return lookStably(
      this.#views,
      this.#epochs,
      (arena) => {
        this.#postings[arena]?.forget();
        this.#labelCaches[arena]?.clear();
        this.#orders[arena]?.forget();
      },
      look,
    );
  }

  /** Visits each label pair of the series that match, once an arena. */
  #eachPair(
    matcherSets: readonly (readonly Matcher[])[],
    window: HeadWindow,
    visit: (arena: number, pair: number) => void,
  ): void {
    for (const [arena, postings] of this.#selectAll(matcherSets)) {
      const view = this.#views[arena] as ArenaView;
      const seen = new Set<number>();
      for (const index of postings) {
        const address = view.record(view.header(H.seriesSlabs), S.bytes, index);
        if (!mayHold(view, address, window)) continue;
        const pairs = view.get(address + S.pairs) >>> 2;
        for (let i = 0; i < view.get(address + S.pairCount); i++)
          seen.add(view.u32[pairs + i] as number);
      }
      for (const pair of seen) visit(arena, pair);
    }
  }

  /** The series of each arena that satisfy any of the matcher sets. */
  #selectAll(matcherSets: readonly (readonly Matcher[])[]): [number, Postings][] {
    return this.#postings.map((postings, arena) => {
      postings.refresh();
      return [arena, union(matcherSets.map((matchers) => selectPostings(postings, matchers)))];
    });
  }

  /** Those of an arena's series that can have samples in a window. */
  #holding(arena: number, postings: Postings, window: HeadWindow): Uint32Array {
    const view = this.#views[arena] as ArenaView;
    const slabs = view.header(H.seriesSlabs);
    const out = new Uint32Array(postings.length);
    let n = 0;
    for (let i = 0; i < postings.length; i++) {
      const index = postings[i] as number;
      if (mayHold(view, view.record(slabs, S.bytes, index), window)) out[n++] = index;
    }
    return out.subarray(0, n);
  }

  #inLabelOrder(arena: number, series: Uint32Array): Found[] {
    const view = this.#views[arena] as ArenaView;
    const slabs = view.header(H.seriesSlabs);
    const total = (this.#postings[arena] as PostingsReader).seriesCount;
    const sorted = (this.#orders[arena] as LabelOrder).sort(series, total);
    return Array.from(sorted, (index) => {
      const address = view.record(slabs, S.bytes, index);
      return { arena, address, labels: this.#labels(arena, index) };
    });
  }

  /** The labels of a series, made once for as many series as are worth keeping. */
  #labels(arena: number, index: number): Labels {
    const cache = this.#labelCaches[arena] as Map<number, Labels>;
    const known = cache.get(index);
    if (known !== undefined) return known;
    const view = this.#views[arena] as ArenaView;
    const labels = this.#readLabels(arena, view.record(view.header(H.seriesSlabs), S.bytes, index));
    // A slot without a series may get one.
    if (cache.size < LABELS_KEPT && labels.size > 0) cache.set(index, labels);
    return labels;
  }

  #readLabels(arena: number, address: number): Labels {
    const view = this.#views[arena] as ArenaView;
    const postings = this.#postings[arena] as PostingsReader;
    const count = view.get(address + S.pairCount);
    const pairs = view.get(address + S.pairs) >>> 2;
    const out: string[] = [];
    for (let i = 0; i < count; i++) {
      const pair = view.u32[pairs + i] as number;
      out.push(postings.name(pair), postings.value(pair));
    }
    return new Labels(out);
  }
}

function compareFound(a: Found, b: Found): number {
  const x = a.labels.pairs;
  const y = b.labels.pairs;
  const n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) {
    // Texts come from one table per arena, so equal ones are mostly the same string, and cheap to compare.
    if (x[i] !== y[i]) return compareUtf8(x[i] as string, y[i] as string);
  }
  return x.length - y.length;
}
