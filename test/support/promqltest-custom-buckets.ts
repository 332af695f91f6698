/** Classic histograms as native histograms with custom buckets: what `load_with_nhcb` stores beside them. */
import {
  NO_BUCKETS,
  compact,
  type FloatHistogram,
} from '../../src/model/float-histogram/float-histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA, RESET_HINT } from '../../src/model/histogram.ts';
import { METRIC_NAME, type Labels } from '../../src/model/labels.ts';
import { parseFloatText } from './promqltest-histogram.ts';
import type { SeriesDescription } from './promqltest-series.ts';

/** The native histograms of one metric, each with the number of the value that it comes from. */
export interface CustomSeries {
  readonly labels: Labels;
  readonly values: ReadonlyMap<number, FloatHistogram>;
}

/** What is known of a histogram at one time. */
interface Collected {
  /** Cumulative counts by upper bound. */
  readonly buckets: Map<number, number>;
  count: number | undefined;
  sum: number;
}

/** A part of a classic histogram by its metric's suffix. */
type Part = 'bucket' | 'count' | 'sum';

/** The histograms that the series with `_bucket`, `_count` and `_sum` make up. @throws Error when they make no sense. */
export function customSeriesOf(series: readonly SeriesDescription[]): CustomSeries[] {
  const collected = new Map<string, { labels: Labels; at: Map<number, Collected> }>();
  for (const one of series) {
    const match = /^(.*)_(bucket|count|sum)$/.exec(one.labels.get(METRIC_NAME));
    if (match === null) continue;
    const [, name = '', part] = match;
    const bound = part === 'bucket' ? boundOf(one.labels) : 0;
    if (bound === undefined) continue;
    const labels = one.labels.drop(new Set(['le'])).with(METRIC_NAME, name);
    let histograms = collected.get(labels.key);
    if (histograms === undefined)
      collected.set(labels.key, (histograms = { labels, at: new Map() }));
    collect(histograms.at, one, { part: part as Part, bound });
  }
  return [...collected.values()].map(({ labels, at }) => ({
    labels,
    values: new Map([...at].sort(([a], [b]) => a - b).map(([i, one]) => [i, convert(one)])),
  }));
}

/** The upper bound that the labels tell; undefined when it is no number. */
function boundOf(labels: Labels): number | undefined {
  const text = labels.get('le');
  if (text === '') throw new Error(`${labels.toString()} has no label le`);
  try {
    const bound = parseFloatText(text);
    return Number.isNaN(bound) ? undefined : bound;
  } catch {
    return undefined;
  }
}

function collect(
  at: Map<number, Collected>,
  { values }: SeriesDescription,
  { part, bound }: { readonly part: Part; readonly bound: number },
): void {
  for (const [i, value] of values.entries()) {
    if (value.kind === 'stale') throw new Error('a stale marker in a classic histogram');
    if (value.kind !== 'float') continue;
    let one = at.get(i);
    if (one === undefined) at.set(i, (one = { buckets: new Map(), count: undefined, sum: 0 }));
    if (part === 'sum') one.sum = value.value;
    else if (part === 'count') one.count = value.value;
    // One bound written in two ways is one bucket, with the count of either.
    else if (!one.buckets.has(bound)) one.buckets.set(bound, value.value);
  }
}

function convert({ buckets, count, sum }: Collected): FloatHistogram {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = count ?? sorted.at(-1)?.[1] ?? 0;
  if (sorted.at(-1)?.[0] !== Infinity) sorted.push([Infinity, total]);
  if (sorted.at(-1)?.[1] !== total) throw new Error('the count is not that of the +Inf bucket');
  const counts = sorted.map(([, cumulative], k) => cumulative - (sorted[k - 1]?.[1] ?? 0));
  if (!counts.every((one) => one >= 0)) throw new Error('counts of buckets are not cumulative');
  return compact({
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    hint: RESET_HINT.unknown,
    positive: { index: Int32Array.from(counts, (_, k) => k), count: Float64Array.from(counts) },
    negative: NO_BUCKETS,
    customValues: Float64Array.from(sorted.slice(0, -1), ([bound]) => bound),
  });
}
