/** What a recorded Prometheus answered about samples, and ours in the same form. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { HistogramColumns } from '../../src/model/histogram.ts';

/** By series (its labels as JSON) and time in ms: the value or the histogram as text. */
export type Answer = Map<string, Map<number, string>>;

/** What the API answers: by series and time in ms, the value or the histogram as text. */
export function readAnswer(file: string): Answer {
  const { data } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
    data: {
      result: {
        metric: Record<string, string>;
        values?: [number, string][];
        histograms?: [number, ApiHistogram][];
      }[];
    };
  };
  const answer: Answer = new Map();
  for (const { metric, values = [], histograms = [] } of data.result) {
    const samples = new Map<number, string>();
    for (const [t, value] of values) samples.set(Math.round(t * 1000), value);
    for (const [t, histogram] of histograms) {
      const { count, sum, buckets = [] } = histogram;
      const rows = buckets.map(([, lower, upper, n]) => [round(lower), round(upper), n].join(' '));
      samples.set(Math.round(t * 1000), [count, sum, ...rows].join('; '));
    }
    answer.set(JSON.stringify(metric), samples);
  }
  return answer;
}

interface ApiHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: [number, string, string, string][];
}

/** Buckets with observations in order of their bounds, computed from the definition of the schemas. */
export function histogramText(columns: HistogramColumns, i: number): string {
  const layout = columns.layoutAt(i);
  const rows: { lower: number; upper: number; count: number }[] = [];
  let at = columns.start[i] as number;
  for (const sign of [1, -1]) {
    const spans = sign > 0 ? layout.positiveSpans : layout.negativeSpans;
    let bucket = 0;
    for (let s = 0; s < spans.length; s += 2) {
      bucket += spans[s] as number;
      for (let left = spans[s + 1] as number; left > 0; left--, bucket++) {
        const [lower, upper] = bounds(layout, bucket);
        const count = columns.buckets[at++] as number;
        if (sign > 0) rows.push({ lower, upper, count });
        else rows.push({ lower: -upper, upper: -lower, count });
      }
    }
  }
  const zero = layout.zeroThreshold;
  rows.push({ lower: -zero, upper: zero, count: columns.zeroCount[i] as number });
  const texts = rows
    .filter(({ count }) => count > 0)
    .sort((a, b) => a.lower - b.lower)
    .map(({ lower, upper, count }) => `${round(lower)} ${round(upper)} ${apiNumber(count)}`);
  return [apiNumber(columns.count[i]), apiNumber(columns.sum[i]), ...texts].join('; ');
}

function bounds(
  { schema, customValues }: { schema: number; customValues: Float64Array },
  bucket: number,
): [number, number] {
  if (schema === -53)
    return [customValues[bucket - 1] ?? -Infinity, customValues[bucket] ?? Infinity];
  const growth = 2 ** (2 ** -schema);
  return [growth ** (bucket - 1), growth ** bucket];
}

function round(bound: number | string): string {
  // The API writes an infinite bound as +Inf or -Inf.
  const number = typeof bound === 'number' ? bound : Number(bound.replace('Inf', 'Infinity'));
  return number.toPrecision(12);
}

/** A number as the API writes it, or one that is equal. */
export function apiNumber(value: number | undefined): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Asserts that two answers are equal; answers how many samples there were. */
export function compareSamples(got: Answer, want: Answer): number {
  let compared = 0;
  assert.deepEqual([...got.keys()].sort(byText), [...want.keys()].sort(byText));
  for (const [key, samples] of want) {
    const ours = got.get(key);
    assert.equal(ours?.size, samples.size, key);
    for (const [t, text] of samples) {
      const value = ours.get(t);
      // Prometheus prints numbers with another notation: equal numbers are equal.
      const same = value === text || Number(value) === Number(text);
      if (!same) assert.equal(value, text, `${key} at ${t}`);
      compared++;
    }
  }
  return compared;
}

/** By code units: for what only must have some order. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
