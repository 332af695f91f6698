/** A storage in memory, for tests of what stands on {@link Queryable}: columns as they are, nothing decoded. */
import { isStaleRow } from '../../src/chunkenc/histogram-chunk-writer.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { compareLabels, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
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
interface Samples {
  t: Float64Array;
  v: Float64Array;
  /** Start timestamps of the floats, one each. */
  st: Float64Array | undefined;
  histograms: HistogramColumns;
  /** Start timestamps of the histograms, one each. */
  histogramSt: Float64Array | undefined;
}

/** A series with its samples. */
interface MemorySeries extends Samples {
  readonly labels: Labels;
}

/** What {@link MemorySet.share} hands over: plain data; a structured clone takes the methods off the columns. */
type Payload = readonly Readonly<Samples>[];

/** Series by their labels. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, MemorySeries>();

  /**
   * Adds floats to a series; they go behind those that it has already, or replace those of equal or later times. `st` are
   * their start timestamps, in ms, 0 for none.
   */
  append(labels: Labels, t: Float64Array, v: Float64Array, st?: Float64Array): void {
    const series = this.#seriesOf(labels);
    const kept = lowerBound(series.t, t[0] ?? Infinity);
    series.st = joinStarts({ st: series.st, kept }, st, t.length);
    series.t = join(series.t, kept, t);
    series.v = join(series.v, kept, v);
  }

  /** The same for native histograms. */
  appendHistograms(labels: Labels, columns: HistogramColumns, st?: Float64Array): void {
    const series = this.#seriesOf(labels);
    const kept = lowerBound(timesOf(series.histograms), timesOf(columns)[0] ?? Infinity);
    series.histogramSt = joinStarts({ st: series.histogramSt, kept }, st, columns.length);
    const joined = new HistogramColumns();
    for (let i = 0; i < kept; i++) joined.addFrom(series.histograms, i);
    for (let i = 0; i < columns.length; i++) joined.addFrom(columns, i);
    series.histograms = joined;
  }

  select({ matchers, mint, maxt }: SelectRequest): Promise<SeriesSet> {
    const series = this.#matching(matchers).filter((one) => countWithin(one, mint, maxt) > 0);
    series.sort((a, b) => compareLabels(a.labels, b.labels));
    return Promise.resolve(new MemorySet(series, mint, maxt));
  }

  openShared({ payload, mint, maxt }: SharedSeries): SeriesSet {
    const series = (payload as Payload).map((samples) => ({
      ...samples,
      histograms: Object.assign(new HistogramColumns(), samples.histograms),
    }));
    return new MemorySet(series, mint, maxt);
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

  #seriesOf(labels: Labels): MemorySeries {
    const old = this.#series.get(labels.key);
    if (old !== undefined) return old;
    const series = {
      labels,
      t: new Float64Array(0),
      v: new Float64Array(0),
      st: undefined,
      histograms: new HistogramColumns(),
      histogramSt: undefined,
    };
    this.#series.set(labels.key, series);
    return series;
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
  /** Start timestamps of what was read last. */
  #starts: Float64Array | undefined;

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
    return countWithin(this.#at(i), this.#mint, this.#maxt);
  }

  load(): undefined {
    return undefined;
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const { t, v, st } = this.#at(i);
    const halves = new Uint32Array(v.buffer, v.byteOffset, v.length * 2);
    const kept = this.#within(t, (k) => dropStale && isStaleAt(halves, k));
    into.length = 0;
    into.reserve(kept.length);
    into.length = kept.length;
    const words = new Uint32Array(into.v.buffer, into.v.byteOffset, kept.length * 2);
    for (const [at, k] of kept.entries()) {
      into.t[at] = t[k] as number;
      words[2 * at] = halves[2 * k] as number;
      words[2 * at + 1] = halves[2 * k + 1] as number;
    }
    this.#starts = startsAt(st, kept);
  }

  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void {
    const { histograms, histogramSt } = this.#at(i);
    const kept = this.#within(timesOf(histograms), (k) => dropStale && isStaleRow(histograms, k));
    into.clear();
    for (const k of kept) into.addFrom(histograms, k);
    this.#starts = startsAt(histogramSt, kept);
  }

  readStarts(): Float64Array | undefined {
    return this.#starts;
  }

  share(from: number, to: number): SharedSeries {
    return this.#shareSeries(this.#series.slice(from, to));
  }

  sharePicked(indexes: readonly number[]): SharedSeries {
    return this.#shareSeries(indexes.map((i) => this.#at(i)));
  }

  #shareSeries(series: Payload): SharedSeries {
    // Labels stay here: they are no plain data.
    const payload: Payload = series.map(({ t, v, st, histograms, histogramSt }) => ({
      t,
      v,
      st,
      histograms,
      histogramSt,
    }));
    return { count: payload.length, mint: this.#mint, maxt: this.#maxt, payload };
  }

  #at(i: number): Readonly<Samples> {
    return this.#series[i] as Samples;
  }

  /** The numbers of the samples in the range that are not to be dropped. */
  #within(t: Float64Array, isDropped: (k: number) => boolean): number[] {
    const kept: number[] = [];
    const to = lowerBound(t, this.#maxt + 1);
    for (let k = lowerBound(t, this.#mint); k < to; k++) if (!isDropped(k)) kept.push(k);
    return kept;
  }

  close(): void {
    // Nothing is held.
  }
}

function startsAt(st: Float64Array | undefined, kept: readonly number[]): Float64Array | undefined {
  return st === undefined ? undefined : Float64Array.from(kept, (k) => st[k] as number);
}

function timesOf({ t, length }: HistogramColumns): Float64Array {
  return t.subarray(0, length);
}

function countWithin({ t, histograms }: Samples, mint: number, maxt: number): number {
  const count = (times: Float64Array): number =>
    lowerBound(times, maxt + 1) - lowerBound(times, mint);
  return count(t) + count(timesOf(histograms));
}

/** The first `kept` of an array and others behind them. */
function join(old: Float64Array, kept: number, more: Float64Array): Float64Array {
  const joined = new Float64Array(kept + more.length);
  joined.set(old.subarray(0, kept));
  joined.set(more, kept);
  return joined;
}

/** The same for start timestamps, which samples may lack on either side. */
function joinStarts(
  old: { readonly st: Float64Array | undefined; readonly kept: number },
  more: Float64Array | undefined,
  added: number,
): Float64Array | undefined {
  if (old.st === undefined && more === undefined) return undefined;
  const { kept } = old;
  return join(old.st ?? new Float64Array(kept), kept, more ?? new Float64Array(added));
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
