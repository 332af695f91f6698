/** A storage in memory, for tests of what stands on {@link Queryable}: columns as they are, nothing decoded. */
import type { HistogramColumns } from '../../src/model/histogram.ts';
import { compareLabels, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { STALE_NAN_HI } from '../../src/model/value.ts';
import { compareUtf8 } from '../../src/lib/utf8.ts';
import {
  isStaleAt,
  type FloatColumns,
  type Queryable,
  type SelectRequest,
  type SeriesSet,
  type SharedSeries,
  type Texts,
} from '../../src/storage/storage.ts';

/** The samples of one series, in order of time. Stale markers are kept as bits: copy with `set` only. */
export interface MemorySeries {
  readonly labels: Labels;
  t: Float64Array;
  v: Float64Array;
}

/** What {@link MemorySet.share} hands over: plain data. */
type Payload = readonly { readonly t: Float64Array; readonly v: Float64Array }[];

/** Series by their labels. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, MemorySeries>();

  /** Adds samples to a series; they go behind those that it has already, or replace those of equal times. */
  append(labels: Labels, t: Float64Array, v: Float64Array): void {
    const old = this.#series.get(labels.key);
    if (old === undefined) {
      this.#series.set(labels.key, { labels, t, v });
      return;
    }
    const at = lowerBound(old.t, t[0] ?? Infinity);
    const merged = { t: new Float64Array(at + t.length), v: new Float64Array(at + v.length) };
    merged.t.set(old.t.subarray(0, at));
    merged.v.set(old.v.subarray(0, at));
    merged.t.set(t, at);
    merged.v.set(v, at);
    old.t = merged.t;
    old.v = merged.v;
  }

  select({ matchers, mint, maxt }: SelectRequest): Promise<SeriesSet> {
    const series = this.#matching(matchers).filter(
      ({ t }) => lowerBound(t, mint) < lowerBound(t, maxt + 1),
    );
    series.sort((a, b) => compareLabels(a.labels, b.labels));
    return Promise.resolve(new MemorySet(series, mint, maxt));
  }

  openShared({ payload, mint, maxt }: SharedSeries): SeriesSet {
    return new MemorySet(payload as Payload, mint, maxt);
  }

  labelNames(matcherSets: readonly (readonly Matcher[])[]): Promise<Texts> {
    const names = this.#any(matcherSets).flatMap(({ labels }) => [...labels].map(([name]) => name));
    return Promise.resolve({ texts: [...new Set(names)].sort(compareUtf8), warnings: [] });
  }

  labelValues(name: string, matcherSets: readonly (readonly Matcher[])[]): Promise<Texts> {
    const values = this.#any(matcherSets).map(({ labels }) => labels.get(name));
    const texts = [...new Set(values)].filter((v) => v !== '').sort(compareUtf8);
    return Promise.resolve({ texts, warnings: [] });
  }

  #matching(matchers: readonly Matcher[]): MemorySeries[] {
    return [...this.#series.values()].filter(({ labels }) =>
      matchers.every((m) => m.matches(labels.get(m.name))),
    );
  }

  #any(matcherSets: readonly (readonly Matcher[])[]): MemorySeries[] {
    if (matcherSets.length === 0) return [...this.#series.values()];
    return [...new Set(matcherSets.flatMap((matchers) => this.#matching(matchers)))];
  }
}

class MemorySet implements SeriesSet {
  readonly count: number;
  readonly warnings = [];
  readonly #series: Payload;
  readonly #mint: number;
  readonly #maxt: number;

  constructor(series: Payload, mint: number, maxt: number) {
    this.count = series.length;
    this.#series = series;
    this.#mint = mint;
    this.#maxt = maxt;
  }

  labels(i: number): Labels {
    return (this.#series[i] as MemorySeries).labels;
  }

  sampleEstimate(i: number): number {
    const { t } = this.#series[i] as MemorySeries;
    return lowerBound(t, this.#maxt + 1) - lowerBound(t, this.#mint);
  }

  load(): undefined {
    return undefined;
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const { t, v } = this.#series[i] as MemorySeries;
    const from = lowerBound(t, this.#mint);
    const to = lowerBound(t, this.#maxt + 1);
    into.length = 0;
    into.reserve(to - from);
    into.length = to - from;
    into.t.set(t.subarray(from, to));
    into.v.set(v.subarray(from, to));
    if (dropStale) removeStale(into);
  }

  readHistograms(_i: number, into: HistogramColumns): void {
    into.clear();
  }

  share(from: number, to: number): SharedSeries {
    return this.#shareSeries(this.#series.slice(from, to));
  }

  sharePicked(indexes: readonly number[]): SharedSeries {
    return this.#shareSeries(indexes.map((i) => this.#series[i] as MemorySeries));
  }

  #shareSeries(series: Payload): SharedSeries {
    const payload = series.map(({ t, v }) => ({ t, v }));
    return { count: payload.length, mint: this.#mint, maxt: this.#maxt, payload };
  }

  close(): void {
    // Nothing is held.
  }
}

function removeStale(columns: FloatColumns): void {
  const { t, v, length } = columns;
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  let kept = 0;
  while (kept < length && halves[2 * kept + 1] !== STALE_NAN_HI) kept++;
  for (let i = kept; i < length; i++) {
    if (isStaleAt(halves, i)) continue;
    if (kept < i) {
      t.copyWithin(kept, i, i + 1);
      v.copyWithin(kept, i, i + 1);
    }
    kept++;
  }
  columns.length = kept;
}

/** The first index whose time is at least `at`. */
function lowerBound(t: Float64Array, at: number): number {
  let low = 0;
  let high = t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((t[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
