/** Recorded answers of the HTTP API, and how ours may differ: numbers to 1e-9 relative, the order of series free. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** One recorded request and its answer. */
export interface GoldenQuery {
  readonly path: string;
  /** The encoded query string. */
  readonly params: string;
  readonly response: GoldenAnswer;
}

/** An answer in the API's envelope. */
export interface GoldenAnswer {
  readonly status: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** [time in seconds, value text] */
type Sample = readonly [number, string];

interface Histogram {
  readonly count: string;
  readonly sum: string;
  /** Which bounds are inclusive, lower bound, upper bound, count. */
  readonly buckets?: readonly (readonly [number, string, string, string])[];
}

type HistogramSample = readonly [number, Histogram];

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
  readonly histogram?: HistogramSample;
  readonly histograms?: readonly HistogramSample[];
}

const RELATIVE_ERROR_MAX = 1e-9;

/** Reads a file of one JSON object a line, compressed. */
export function readGoldenQueries(file: string | URL): GoldenQuery[] {
  const lines = gunzipSync(readFileSync(file)).toString().trim().split('\n');
  return lines.map((line) => JSON.parse(line) as GoldenQuery);
}

/** The expression of a recorded request. */
export function queryOf({ params }: GoldenQuery): string {
  return new URLSearchParams(params).get('query') ?? '';
}

/** Whether an answer holds at least one sample, or is an error that was expected. */
export function isNonEmpty({ data, error }: GoldenAnswer): boolean {
  return error !== undefined || !Array.isArray(data?.result) || data.result.length > 0;
}

/** How an answer differs from the recorded one, as a sentence; undefined when it agrees. */
export function compareAnswers(got: GoldenAnswer, want: GoldenAnswer): string | undefined {
  for (const key of ['status', 'errorType', 'error'] as const) {
    if (got[key] !== want[key])
      return `${key} is ${show(got[key] ?? got.error)}, want ${show(want[key])}`;
  }
  for (const key of ['warnings', 'infos'] as const) {
    const [a, b] = [sorted(got[key]), sorted(want[key])];
    if (a !== b) return `${key} are ${a}, want ${b}`;
  }
  if (want.data === undefined || got.data === undefined) {
    return got.data === want.data
      ? undefined
      : `data is ${show(got.data)}, want ${show(want.data)}`;
  }
  if (got.data.resultType !== want.data.resultType) {
    return `resultType is ${got.data.resultType}, want ${want.data.resultType}`;
  }
  if (!['matrix', 'vector'].includes(want.data.resultType)) {
    const [a, b] = [got.data.result as Sample, want.data.result as Sample];
    return sameSample(a, b) ? undefined : `result is ${show(a)}, want ${show(b)}`;
  }
  return compareSeries(got.data.result as readonly Series[], want.data.result as readonly Series[]);
}

function compareSeries(got: readonly Series[], want: readonly Series[]): string | undefined {
  const left = new Map(got.map((series) => [labelKey(series), series]));
  if (left.size !== got.length) return 'a series occurs twice';
  for (const series of want) {
    const key = labelKey(series);
    const other = left.get(key);
    if (other === undefined) return `series ${key} is missing`;
    left.delete(key);
    const problem =
      compareSamples(samplesOf(other), samplesOf(series)) ??
      compareHistograms(histogramsOf(other), histogramsOf(series));
    if (problem !== undefined) return `series ${key}: ${problem}`;
  }
  const [more] = left.keys();
  return more === undefined ? undefined : `series ${more} is not expected`;
}

function compareSamples(got: readonly Sample[], want: readonly Sample[]): string | undefined {
  for (let i = 0; i < Math.max(got.length, want.length); i++) {
    if (!sameSample(got[i], want[i])) {
      return `sample ${i} is ${show(got[i])}, want ${show(want[i])}`;
    }
  }
  return undefined;
}

function sameSample(got: Sample | undefined, want: Sample | undefined): boolean {
  if (got === undefined || want === undefined || got[0] !== want[0]) return false;
  return sameText(got[1], want[1]);
}

function sameText(got: string, want: string): boolean {
  if (got === want) return true;
  const [a, b] = [Number(got), Number(want)];
  // NaN, +Inf and -Inf have one spelling each, so that differing texts of them are no numbers here.
  return Math.abs(a - b) <= RELATIVE_ERROR_MAX * Math.max(Math.abs(a), Math.abs(b));
}

function compareHistograms(
  got: readonly HistogramSample[],
  want: readonly HistogramSample[],
): string | undefined {
  for (let i = 0; i < Math.max(got.length, want.length); i++) {
    const [a, b] = [got[i], want[i]];
    if (a === undefined || b === undefined || a[0] !== b[0] || !sameHistogram(a[1], b[1]))
      return `histogram ${i} is ${show(a)}, want ${show(b)}`;
  }
  return undefined;
}

function sameHistogram(got: Histogram, want: Histogram): boolean {
  if (!sameText(got.count, want.count) || !sameText(got.sum, want.sum)) return false;
  const [a, b] = [got.buckets ?? [], want.buckets ?? []];
  return (
    a.length === b.length &&
    a.every((bucket, i) =>
      bucket.every((part, k) => sameText(String(part), String(b[i]?.[k] ?? ''))),
    )
  );
}

function histogramsOf({ histogram, histograms }: Series): readonly HistogramSample[] {
  return histograms ?? (histogram === undefined ? [] : [histogram]);
}

function samplesOf({ value, values }: Series): readonly Sample[] {
  return values ?? (value === undefined ? [] : [value]);
}

function labelKey({ metric }: Series): string {
  const pairs = Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

function sorted(texts: readonly string[] | undefined): string {
  return show([...(texts ?? [])].sort((a, b) => (a < b ? -1 : 1)));
}

/** limit: characters of a value that is shown. */
const SHOWN_MAX = 300;

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, SHOWN_MAX);
}
