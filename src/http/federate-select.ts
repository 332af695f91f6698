/** The newest sample of each series that `/federate` shows. Behaviour: prometheus web/federate.go. */
import { CodedError } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { METRIC_NAME, compareLabels } from '../model/labels.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { FloatColumns, isStaleAt } from '../storage/storage.ts';
import type { Queryable, SeriesSet } from '../storage/storage.ts';

/** Series whose bytes are made resident at a time. */
const LOAD_SERIES = 64;

/** A series with its newest sample. */
export interface FederatedSample {
  /** As the storage has them, a metric name among them. */
  readonly labels: Labels;
  /** ms. */
  readonly t: number;
  /** The value of a float. */
  readonly value: number;
  /** The row of a native histogram, -1 for a float. */
  readonly row: number;
}

/** The samples, sorted by metric name and then by labels, and the histograms that rows refer to. */
export interface FederatedSamples {
  readonly samples: readonly FederatedSample[];
  readonly histograms: HistogramColumns;
  readonly warnings: readonly string[];
}

/** Which samples are looked at. */
export interface FederateRange {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly signal: AbortSignal;
}

/**
 * Finds the newest sample of each series that matches any of the matcher sets. A series whose newest one is a stale marker is
 * left out.
 */
export async function newestSamples(
  queryable: Queryable,
  matcherSets: readonly (readonly Matcher[])[],
  { mint, maxt, signal }: FederateRange,
): Promise<FederatedSamples> {
  const found = new Map<string, FederatedSample>();
  const histograms = new HistogramColumns();
  const warnings = new Set<string>();
  for (const matchers of matcherSets) {
    const set = await queryable.select({ matchers, mint, maxt });
    try {
      await readSet(set, found, histograms, signal);
    } finally {
      set.close();
    }
    for (const warning of set.warnings) warnings.add(warning);
  }
  const samples = [...found.values()].sort(
    (a, b) =>
      compareUtf8(a.labels.get(METRIC_NAME), b.labels.get(METRIC_NAME)) ||
      compareLabels(a.labels, b.labels),
  );
  return { samples, histograms, warnings: [...warnings] };
}

async function readSet(
  set: SeriesSet,
  found: Map<string, FederatedSample>,
  histograms: HistogramColumns,
  signal: AbortSignal,
): Promise<void> {
  const floats = new FloatColumns();
  const own = new HistogramColumns();
  for (let i = 0; i < set.count; i++) {
    if (i % LOAD_SERIES === 0) {
      if (signal.aborted) throw new CodedError('canceled', 'federation was canceled');
      await set.load(i, Math.min(i + LOAD_SERIES, set.count));
    }
    const labels = set.labels(i);
    // Another matcher set has found it, or nobody could tell what it is.
    if (found.has(labels.key) || !labels.has(METRIC_NAME)) continue;
    set.readFloats(i, floats, false);
    set.readHistograms(i, own, false);
    const sample = newest(labels, floats, own, histograms);
    if (sample !== undefined) found.set(labels.key, sample);
  }
}

/** The newest of a series' samples, its histogram put with the others; undefined when it is stale or there is none. */
function newest(
  labels: Labels,
  floats: FloatColumns,
  own: HistogramColumns,
  histograms: HistogramColumns,
): FederatedSample | undefined {
  const lastFloat = floats.length - 1;
  const lastRow = own.length - 1;
  const floatTime = lastFloat < 0 ? -Infinity : (floats.t[lastFloat] as number);
  const rowTime = lastRow < 0 ? -Infinity : (own.t[lastRow] as number);
  if (rowTime > floatTime) {
    const sum = new Uint32Array(own.sum.buffer, own.sum.byteOffset + lastRow * 8, 2);
    if (sum[1] === STALE_NAN_HI && sum[0] === STALE_NAN_LO) return undefined;
    histograms.addFrom(own, lastRow);
    return { labels, t: rowTime, value: 0, row: histograms.length - 1 };
  }
  if (lastFloat < 0) return undefined;
  const halves = new Uint32Array(floats.v.buffer, floats.v.byteOffset, floats.length * 2);
  if (isStaleAt(halves, lastFloat)) return undefined;
  return { labels, t: floatTime, value: floats.v[lastFloat] as number, row: -1 };
}
