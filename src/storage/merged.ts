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

/** Where the samples of one merged series are: set number and index, most often one. */
type Parts = readonly (readonly [number, number])[];

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
function chainEqual(entries: readonly Entry[]): { labels: Labels[]; parts: Parts[] } {
  const labels: Labels[] = [];
  const parts: (readonly [number, number])[][] = [];
  let last: Labels | undefined;
  for (const entry of entries) {
    const part = [entry.set, entry.index] as const;
    if (last !== undefined && equalLabels(last, entry.labels)) parts.at(-1)?.push(part);
    else {
      last = entry.labels;
      labels.push(last);
      parts.push([part]);
    }
  }
  return { labels, parts };
}

/** The payload of shared merged series: what each source shares, and the parts, whose indexes count within it. */
interface SharedMerged {
  readonly sources: readonly { readonly number: number; readonly series: SharedSeries }[];
  readonly parts: readonly Parts[];
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
  readonly #parts: readonly Parts[];
  readonly #labels: readonly Labels[] | undefined;

  constructor(
    range: TimeRange,
    sets: readonly SeriesSet[],
    sourceNumbers: readonly number[],
    parts: readonly Parts[],
    labels: readonly Labels[] | undefined,
  ) {
    this.#range = range;
    this.#sets = sets;
    this.#sourceNumbers = sourceNumbers;
    this.#parts = parts;
    this.#labels = labels;
  }

  get count(): number {
    return this.#parts.length;
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
    for (const [set, index] of this.#part(i)) count += this.#set(set).sampleEstimate(index);
    return count;
  }

  load(from: number, to: number): Promise<void> | undefined {
    const loads: Promise<void>[] = [];
    for (let i = from; i < to; i++) {
      for (const [set, index] of this.#part(i)) {
        const load = this.#set(set).load(index, index + 1);
        if (load !== undefined) loads.push(load);
      }
    }
    return loads.length === 0 ? undefined : Promise.all(loads).then(() => undefined);
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const part = this.#part(i);
    const [first, ...others] = part;
    if (first === undefined) throw new Error('BUG: a merged series without parts');
    this.#set(first[0]).readFloats(first[1], into, dropStale);
    let { mayHaveHistograms } = into;
    for (const [set, index] of others) {
      // The next read may reuse the memory that the columns are views of.
      const t = into.t.slice(0, into.length);
      const v = copyBits(into.v, into.length);
      this.#set(set).readFloats(index, into, dropStale);
      mayHaveHistograms ||= into.mayHaveHistograms;
      chain(t, v, into);
    }
    into.mayHaveHistograms = mayHaveHistograms;
  }

  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void {
    const [first, ...others] = this.#part(i);
    if (first === undefined) throw new Error('BUG: a merged series without parts');
    this.#set(first[0]).readHistograms(first[1], into, dropStale);
    for (const [set, index] of others) {
      const more = new HistogramColumns();
      this.#set(set).readHistograms(index, more, dropStale);
      for (let k = 0; k < more.length; k++) into.addFrom(more, k);
    }
    if (others.length > 0) orderHistograms(into, { ...this.#range, dropStale });
  }

  share(from: number, to: number): SharedSeries {
    const picked: number[][] = this.#sets.map(() => []);
    const parts = this.#parts.slice(from, to).map((part) =>
      part.map(([set, index]): [number, number] => {
        const list = picked[set] as number[];
        list.push(index);
        return [set, list.length - 1];
      }),
    );
    const sources = this.#sets.map((set, n) => ({
      number: this.#sourceNumbers[n] as number,
      series: set.sharePicked(picked[n] as number[]),
    }));
    const payload: SharedMerged = { sources, parts };
    return { count: parts.length, mint: this.#range.mint, maxt: this.#range.maxt, payload };
  }

  sharePicked(): SharedSeries {
    throw new Error('BUG: a merged set is not a source of a merged set');
  }

  close(): void {
    for (const set of this.#sets) set.close();
  }

  #part(i: number): Parts {
    const part = this.#parts[i];
    if (part === undefined) throw new RangeError(`BUG: series ${i} of ${this.#parts.length}`);
    return part;
  }

  #set(number: number): SeriesSet {
    return this.#sets[number] as SeriesSet;
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
