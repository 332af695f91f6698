/**
 * The naive evaluator's series as a storage for the engine: floats and native histograms. It can claim to hold much, so
 * that work on little data is divided among workers.
 */
import type { HistogramColumns } from '../../../src/model/histogram.ts';
import type { Labels } from '../../../src/model/labels.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../../src/model/value.ts';
import { runFragment, type FragmentRunner } from '../../../src/promql/exec/fragment.ts';
import type {
  FloatColumns,
  Queryable,
  SelectRequest,
  SeriesSet,
  SharedSeries,
  Texts,
} from '../../../src/storage/storage.ts';
import { appendHistogram } from './histogram-columns.ts';
import type { NaiveSeries, Point } from './sample.ts';

/** limit: the samples that make a shard, and more than one thread would keep to itself. */
const SHARD_SAMPLES = 500_000;

/** Series in label order. */
export class NaiveStorage implements Queryable {
  readonly #series: readonly NaiveSeries[];
  readonly #shards: number;

  /** Cuts work into so many shards, or into one a series when there are fewer; 0 leaves it whole. */
  constructor(series: readonly NaiveSeries[], shards = 0) {
    this.#series = series;
    this.#shards = shards;
  }

  select({ matchers, mint, maxt }: SelectRequest): Promise<SeriesSet> {
    const matching = this.#series.filter(
      ({ labels, points }) =>
        matchers.every((m) => m.matches(labels.get(m.name))) &&
        points.some(({ t }) => t >= mint && t <= maxt),
    );
    // Just below the limit of one shard, or at that of so many.
    const samples = SHARD_SAMPLES * this.#shards - (this.#shards === 1 ? 1 : 0);
    const estimate = Math.max(0, Math.floor(samples / Math.max(1, matching.length)));
    return Promise.resolve(new NaiveSet(matching, { mint, maxt, estimate }));
  }

  openShared({ payload, mint, maxt }: SharedSeries): SeriesSet {
    const series = (payload as Point[][]).map((points) => ({ points }));
    return new NaiveSet(series, { mint, maxt, estimate: 0 });
  }

  labelNames(): Promise<Texts> {
    throw new Error('queries do not ask for label names');
  }

  labelValues(): Promise<Texts> {
    throw new Error('queries do not ask for label values');
  }
}

/** A series whose labels another thread need not know. */
interface SetSeries {
  readonly labels?: Labels;
  readonly points: readonly Point[];
}

class NaiveSet implements SeriesSet {
  readonly count: number;
  readonly warnings = [];
  readonly #series: readonly SetSeries[];
  readonly #range: { readonly mint: number; readonly maxt: number };
  readonly #estimate: number;

  constructor(
    series: readonly SetSeries[],
    { mint, maxt, estimate }: { mint: number; maxt: number; estimate: number },
  ) {
    this.count = series.length;
    this.#series = series;
    this.#range = { mint, maxt };
    this.#estimate = estimate;
  }

  labels(i: number): Labels {
    const { labels } = this.#series[i] as SetSeries;
    if (labels === undefined) throw new Error('shared series have no labels');
    return labels;
  }

  sampleEstimate(): number {
    return this.#estimate;
  }

  load(): undefined {
    return undefined;
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    // A stale marker is of the kind of what it ends.
    const points = this.#points(i).filter(
      ({ value, before }) =>
        typeof value === 'number' ||
        (value === 'stale' && !dropStale && typeof before !== 'object'),
    );
    into.length = 0;
    into.reserve(points.length);
    into.length = points.length;
    const halves = new Uint32Array(into.v.buffer, into.v.byteOffset, 2 * points.length);
    for (const [k, { t, value }] of points.entries()) {
      into.t[k] = t;
      if (typeof value === 'number') into.v[k] = value;
      else halves.set([STALE_NAN_LO, STALE_NAN_HI], 2 * k);
    }
  }

  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void {
    into.clear();
    for (const { before, ...point } of this.#points(i)) {
      const { value } = point;
      const isStale = value === 'stale' && !dropStale && typeof before === 'object';
      if (typeof value === 'object' || isStale) appendHistogram(point, into);
    }
  }

  /** The samples of the request, each with the last value before it. */
  #points(i: number): (Point & { readonly before: Point['value'] | undefined })[] {
    const { points } = this.#series[i] as SetSeries;
    const { mint, maxt } = this.#range;
    let before: Point['value'] | undefined;
    const all = points.map((point) => {
      const known = { ...point, before };
      if (point.value !== 'stale') before = point.value;
      return known;
    });
    return all.filter(({ t }) => t >= mint && t <= maxt);
  }

  share(from: number, to: number): SharedSeries {
    return this.#share(this.#series.slice(from, to));
  }

  sharePicked(indexes: readonly number[]): SharedSeries {
    return this.#share(indexes.map((i) => this.#series[i] as SetSeries));
  }

  #share(series: readonly SetSeries[]): SharedSeries {
    return { count: series.length, ...this.#range, payload: series.map(({ points }) => points) };
  }

  close(): void {
    // Nothing is held.
  }
}

/** Runs fragments as so many workers would: each its own, one after the other, on copies of what it was sent. */
export function workers(count: number, storage: Queryable): FragmentRunner {
  return async (fragments) => {
    const results = new Array<Awaited<ReturnType<typeof runFragment>>>(fragments.count);
    for (let worker = 0; worker < count; worker++) {
      // The last worker is the quickest.
      for (let i = count - 1 - worker; i < fragments.count; i += count) {
        const sent = structuredClone(fragments.share(i));
        results[i] = structuredClone(await runFragment(sent, storage));
      }
    }
    return results;
  };
}
