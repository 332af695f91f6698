/**
 * One Queryable over several: adds each source's external labels, takes replica labels away, and makes one series of
 * those that become equal.
 *
 * Equal series are chained: samples in time order, of two with one timestamp that of the earlier source. (Penalty
 * deduplication is the querier's and lives in dedup/.)
 */
import { compareUtf8 } from '../lib/utf8.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { Labels, compareLabels, equalLabels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { orderHistograms } from '../model/order-histograms.ts';
import { FloatColumns } from './storage.ts';
import type {
  Queryable,
  SelectRequest,
  SeriesSet,
  SharedSeries,
  Texts,
  TimeRange,
} from './storage.ts';

/** A storage and the labels that all its series carry; they win over labels of the series. */
export interface MergedSource {
  readonly queryable: Queryable;
  readonly externalLabels: Labels;
}

/**
 * Where the samples of merged series are: those of series i are the parts starts[i]..starts[i + 1], most often one, each a set
 * number and the index of a series in it. Columns: other threads get a copy.
 */
interface Parts {
  readonly starts: Uint32Array;
  readonly sets: Uint16Array;
  readonly indexes: Uint32Array;
}

/** Sources seen as one storage. */
export class MergedQueryable implements Queryable {
  readonly #sources: readonly MergedSource[];
  readonly #replicaLabels: ReadonlySet<string>;

  constructor(sources: readonly MergedSource[], replicaLabels: readonly string[]) {
    this.#sources = sources;
    this.#replicaLabels = new Set(replicaLabels);
  }

  async select(request: SelectRequest): Promise<SeriesSet> {
    const sets: SeriesSet[] = [];
    const sourceNumbers: number[] = [];
    const runs: Entry[][] = [];
    for (const [number, source] of this.#sources.entries()) {
      const matchers = matchersFor(source.externalLabels, request.matchers);
      if (matchers === undefined) continue;
      const set = await source.queryable.select({ ...request, matchers });
      runs.push(this.#relabelSet(set, sets.length, source.externalLabels));
      sets.push(set);
      sourceNumbers.push(number);
    }
    const { labels, parts } = chainEqual(runs.reduce(mergeRuns, []));
    return new MergedSeriesSet(request, sets, sourceNumbers, parts, labels);
  }

  openShared(shared: SharedSeries): SeriesSet {
    const { sources, parts } = shared.payload as SharedMerged;
    const sets = sources.map(({ number, series }) =>
      this.#source(number).queryable.openShared(series),
    );
    return new MergedSeriesSet(
      shared,
      sets,
      sources.map(({ number }) => number),
      parts,
      undefined,
    );
  }

  async labelNames(matcherSets: readonly (readonly Matcher[])[], range: TimeRange): Promise<Texts> {
    const names = new Set<string>();
    const warnings = new Set<string>();
    for (const source of this.#sources) {
      const sets = matcherSetsFor(source.externalLabels, matcherSets);
      if (sets === undefined) continue;
      const found = await source.queryable.labelNames(sets, range);
      for (const name of found.texts) names.add(name);
      for (const warning of found.warnings) warnings.add(warning);
      if (found.texts.length > 0) for (const [name] of source.externalLabels) names.add(name);
    }
    const texts = [...names].filter((name) => !this.#replicaLabels.has(name)).sort(compareUtf8);
    return { texts, warnings: [...warnings] };
  }

  async labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<Texts> {
    const values = new Set<string>();
    const warnings = new Set<string>();
    if (this.#replicaLabels.has(name)) return { texts: [], warnings: [] };
    for (const source of this.#sources) {
      const sets = matcherSetsFor(source.externalLabels, matcherSets);
      if (sets === undefined) continue;
      const external = source.externalLabels.get(name);
      const found =
        external === ''
          ? await source.queryable.labelValues(name, sets, range)
          : await source.queryable.labelNames(sets, range);
      for (const warning of found.warnings) warnings.add(warning);
      if (external === '') for (const value of found.texts) values.add(value);
      else if (found.texts.length > 0) values.add(external);
    }
    return { texts: [...values].sort(compareUtf8), warnings: [...warnings] };
  }

  #source(number: number): MergedSource {
    const source = this.#sources[number];
    if (source === undefined) throw new Error('BUG: a shared series of an unknown source');
    return source;
  }

  /** The series of a set with the labels they are shown with, sorted by those. */
  #relabelSet(set: SeriesSet, number: number, externalLabels: Labels): Entry[] {
    const replicas = this.#replicaLabels;
    const added = [...externalLabels].filter(([name]) => !replicas.has(name));
    const entries: Entry[] = [];
    let sorted = true;
    for (let index = 0; index < set.count; index++) {
      const own = set.labels(index);
      const kept = own.drop(replicas);
      const labels = added.length === 0 ? kept : Labels.fromPairs([...kept, ...added]);
      // perf: a set comes sorted, and most often no label of it changes.
      if (labels !== own) sorted = false;
      entries.push({ labels, set: number, index });
    }
    return sorted ? entries : entries.sort((a, b) => compareLabels(a.labels, b.labels));
  }
}

/** One series of one set, with the labels it is shown with. */
interface Entry {
  readonly labels: Labels;
  readonly set: number;
  readonly index: number;
}

/** Merges two sorted runs; of equal labels those of the first come first. */
function mergeRuns(a: Entry[], b: Entry[]): Entry[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const out: Entry[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (y === undefined || (x !== undefined && compareLabels(x.labels, y.labels) <= 0)) {
      out.push(x as Entry);
      i++;
    } else {
      out.push(y);
      j++;
    }
  }
  return out;
}

/** One series of each run of entries with equal labels. */
function chainEqual(entries: readonly Entry[]): { labels: Labels[]; parts: Parts } {
  const labels: Labels[] = [];
  const starts = new Uint32Array(entries.length + 1);
  const sets = new Uint16Array(entries.length);
  const indexes = new Uint32Array(entries.length);
  let last: Labels | undefined;
  for (const [part, entry] of entries.entries()) {
    sets[part] = entry.set;
    indexes[part] = entry.index;
    if (last === undefined || !equalLabels(last, entry.labels)) {
      last = entry.labels;
      labels.push(last);
    }
    starts[labels.length] = part + 1;
  }
  return { labels, parts: { starts: starts.subarray(0, labels.length + 1), sets, indexes } };
}

/** The payload of shared merged series: what each source shares, and the parts, whose indexes count within it. */
interface SharedMerged {
  readonly sources: readonly { readonly number: number; readonly series: SharedSeries }[];
  readonly parts: Parts;
}

/** The matchers left for a source; undefined when its external labels do not match. */
export function matchersFor(external: Labels, matchers: readonly Matcher[]): Matcher[] | undefined {
  const rest: Matcher[] = [];
  for (const matcher of matchers) {
    const value = external.get(matcher.name);
    if (value === '') rest.push(matcher);
    else if (!matcher.matches(value)) return undefined;
  }
  return rest;
}

/** The matcher sets left for a source; undefined when there were some and none can match. */
function matcherSetsFor(
  external: Labels,
  sets: readonly (readonly Matcher[])[],
): Matcher[][] | undefined {
  const left = sets.map((set) => matchersFor(external, set)).filter((set) => set !== undefined);
  return left.length === 0 && sets.length > 0 ? undefined : left;
}

class MergedSeriesSet implements SeriesSet {
  readonly #range: TimeRange;
  readonly #sets: readonly SeriesSet[];
  readonly #sourceNumbers: readonly number[];
  readonly #parts: Parts;
  readonly #labels: readonly Labels[] | undefined;

  constructor(
    range: TimeRange,
    sets: readonly SeriesSet[],
    sourceNumbers: readonly number[],
    parts: Parts,
    labels: readonly Labels[] | undefined,
  ) {
    this.#range = range;
    this.#sets = sets;
    this.#sourceNumbers = sourceNumbers;
    this.#parts = parts;
    this.#labels = labels;
  }

  get count(): number {
    return this.#parts.starts.length - 1;
  }

  get warnings(): readonly string[] {
    return [...new Set(this.#sets.flatMap((set) => set.warnings))];
  }

  labels(i: number): Labels {
    const labels = this.#labels?.[i];
    if (labels === undefined) throw new Error('BUG: labels of series that another thread selected');
    return labels;
  }

  sampleEstimate(i: number): number {
    let count = 0;
    for (let part = this.#first(i); part < this.#end(i); part++)
      count += this.#set(part).sampleEstimate(this.#index(part));
    return count;
  }

  load(from: number, to: number): Promise<void> | undefined {
    const loads: Promise<void>[] = [];
    if (from === to) return undefined;
    for (let part = this.#first(from); part < this.#end(to - 1); part++) {
      const index = this.#index(part);
      const load = this.#set(part).load(index, index + 1);
      if (load !== undefined) loads.push(load);
    }
    return loads.length === 0 ? undefined : Promise.all(loads).then(() => undefined);
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const first = this.#first(i);
    this.#set(first).readFloats(this.#index(first), into, dropStale);
    let { mayHaveHistograms } = into;
    for (let part = first + 1; part < this.#end(i); part++) {
      // The next read may reuse the memory that the columns are views of.
      const t = into.t.slice(0, into.length);
      const v = copyBits(into.v, into.length);
      this.#set(part).readFloats(this.#index(part), into, dropStale);
      mayHaveHistograms ||= into.mayHaveHistograms;
      chain(t, v, into);
    }
    into.mayHaveHistograms = mayHaveHistograms;
  }

  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void {
    const [first, end] = [this.#first(i), this.#end(i)];
    this.#set(first).readHistograms(this.#index(first), into, dropStale);
    for (let part = first + 1; part < end; part++) {
      const more = new HistogramColumns();
      this.#set(part).readHistograms(this.#index(part), more, dropStale);
      for (let k = 0; k < more.length; k++) into.addFrom(more, k);
    }
    if (end - first > 1) orderHistograms(into, { ...this.#range, dropStale });
  }

  share(from: number, to: number): SharedSeries {
    const { starts, sets } = this.#parts;
    const [first, end] = [starts[from] as number, starts[to] as number];
    const picked: number[][] = this.#sets.map(() => []);
    const indexes = new Uint32Array(end - first);
    for (let part = first; part < end; part++) {
      const list = picked[sets[part] as number] as number[];
      indexes[part - first] = list.length;
      list.push(this.#index(part));
    }
    const parts: Parts = {
      starts: starts.slice(from, to + 1).map((start) => start - first),
      sets: sets.slice(first, end),
      indexes,
    };
    const sources = this.#sets.map((set, n) => ({
      number: this.#sourceNumbers[n] as number,
      series: set.sharePicked(picked[n] as number[]),
    }));
    const payload: SharedMerged = { sources, parts };
    return { count: to - from, mint: this.#range.mint, maxt: this.#range.maxt, payload };
  }

  sharePicked(): SharedSeries {
    throw new Error('BUG: a merged set is not a source of a merged set');
  }

  close(): void {
    for (const set of this.#sets) set.close();
  }

  #first(i: number): number {
    if (i >= this.count) throw new RangeError(`BUG: series ${i} of ${this.count}`);
    return this.#parts.starts[i] as number;
  }

  #end(i: number): number {
    return this.#parts.starts[i + 1] as number;
  }

  #set(part: number): SeriesSet {
    return this.#sets[this.#parts.sets[part] as number] as SeriesSet;
  }

  #index(part: number): number {
    return this.#parts.indexes[part] as number;
  }
}

/** A copy of values that keeps the bits of stale markers. */
function copyBits(v: Float64Array, length: number): Float64Array {
  const copy = new Float64Array(length);
  copy.set(v.subarray(0, length));
  return copy;
}

/** Merges samples t, v into the columns, which hold the later source's; t, v win where times are equal. */
function chain(t: Float64Array, v: Float64Array, into: FloatColumns): void {
  const out = new FloatColumns(t.length + into.length);
  let n = 0;
  let i = 0;
  let j = 0;
  while (i < t.length || j < into.length) {
    const mine = i < t.length ? (t[i] as number) : Infinity;
    const theirs = j < into.length ? (into.t[j] as number) : Infinity;
    const useMine = mine <= theirs;
    out.t[n] = useMine ? mine : theirs;
    // One element through `set` keeps its bits; an assignment would not.
    out.v.set(useMine ? v.subarray(i, i + 1) : into.v.subarray(j, j + 1), n);
    n++;
    if (theirs === mine) j++;
    if (useMine) i++;
    else j++;
  }
  into.t = out.t;
  into.v = out.v;
  into.length = n;
}
