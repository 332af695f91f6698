/** Compares a query's result with what a test script expects. */
import { unreachable } from '../../src/lib/assert.ts';
import {
  compact,
  isCustom,
  type BucketSide,
  type FloatHistogram,
} from '../../src/model/float-histogram/float-histogram.ts';
import { compareLabels, type Labels } from '../../src/model/labels.ts';
import type { MatrixResult, QueryResult } from '../../src/promql/result.ts';
import { histogramText } from './promqltest-histogram.ts';
import type { EvalCommand } from './promqltest-script.ts';
import type { SequenceValue, SeriesDescription } from './promqltest-series.ts';

/** Relative error that is allowed of values. */
const EPSILON = 1e-6;
const MIN_NORMAL = 2.2250738585072014e-308;

/** Whether two values are equal but for rounding; NaN equals NaN. */
export function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < EPSILON * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON;
}

type ExpectedHistogram = Extract<SequenceValue, { kind: 'histogram' }>;

/**
 * Whether a histogram is the expected one: the same buckets but for empty ones, counts and sums but for rounding, and
 * the counter reset hint if the script names one.
 */
export function matchesHistogram(
  { histogram, hintIsSet }: ExpectedHistogram,
  actual: FloatHistogram,
): boolean {
  const want = compact(histogram);
  const got = compact(actual);
  return (
    want.schema === got.schema &&
    want.zeroThreshold === got.zeroThreshold &&
    almostEqual(want.count, got.count) &&
    almostEqual(want.sum, got.sum) &&
    almostEqual(want.zeroCount, got.zeroCount) &&
    (!isCustom(want) || everyPair(want.customValues, got.customValues, (a, b) => a === b)) &&
    sidesMatch(want.positive, got.positive) &&
    sidesMatch(want.negative, got.negative) &&
    (!hintIsSet || want.hint === got.hint)
  );
}

function sidesMatch(a: BucketSide, b: BucketSide): boolean {
  return everyPair(a.index, b.index, (x, y) => x === y) && everyPair(a.count, b.count, almostEqual);
}

function everyPair(
  a: Int32Array | Float64Array,
  b: Int32Array | Float64Array,
  matches: (x: number, y: number) => boolean,
): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (!matches(a[i] as number, b[i] as number)) return false;
  }
  return true;
}

/** The values of one series at one time each: a histogram where there is one, otherwise the number. */
export interface Instant {
  readonly labels: readonly Labels[];
  readonly v: ArrayLike<number>;
  readonly histograms: readonly (FloatHistogram | undefined)[] | undefined;
}

/** The values of a matrix at one time. A series with both kinds there comes twice. */
export function instantOf(result: QueryResult, timeMs: number): Instant & { readonly v: number[] } {
  const labels: Labels[] = [];
  const v: number[] = [];
  const histograms: (FloatHistogram | undefined)[] = [];
  if (result.type !== 'matrix') return { labels, v, histograms };
  for (const [i, label] of result.labels.entries()) {
    for (const point of pointsOf(result, i)) {
      if (point.t !== timeMs) continue;
      labels.push(label);
      v.push(typeof point.value === 'number' ? point.value : 0);
      histograms.push(typeof point.value === 'number' ? undefined : point.value);
    }
  }
  return { labels, v, histograms };
}

/** A sample of a result. */
interface Point {
  readonly t: number;
  readonly value: number | FloatHistogram;
}

/** The floats of a series of a matrix, and behind them its histograms. */
function pointsOf({ offsets, t, v, histograms }: MatrixResult, i: number): Point[] {
  const points: Point[] = [];
  for (let k = offsets[i] as number; k < (offsets[i + 1] as number); k++) {
    points.push({ t: t[k] as number, value: v[k] as number });
  }
  const to = histograms.offsets[i + 1] ?? 0;
  for (let k = histograms.offsets[i] ?? 0; k < to; k++) {
    points.push({ t: histograms.t[k] as number, value: histograms.values[k] as FloatHistogram });
  }
  return points;
}

/** What is wrong with a result, or undefined. */
export function compareResult(command: EvalCommand, result: QueryResult): string | undefined {
  switch (result.type) {
    case 'string':
      return result.v === command.text ? undefined : `got the string ${JSON.stringify(result.v)}`;
    case 'scalar':
      return compareScalar(command, result.v);
    case 'vector':
      return compareInstant(command, result);
    case 'matrix':
      return compareMatrix(command, result);
    default:
      return unreachable(result);
  }
}

/** The same for a scalar. */
export function compareScalar({ scalar }: EvalCommand, got: number): string | undefined {
  if (scalar === undefined) return `got the scalar ${got}, want series`;
  return almostEqual(scalar, got) ? undefined : `got the scalar ${got}, want ${scalar}`;
}

/** The same for an instant vector. */
export function compareInstant(command: EvalCommand, instant: Instant): string | undefined {
  if (command.scalar !== undefined) return 'got a vector, want a scalar';
  const wanted = new Map(command.series.map((series, i) => [series.labels.key, { series, i }]));
  const ordered = isOrdered(command);
  for (const [i, label] of instant.labels.entries()) {
    const want = wanted.get(label.key);
    const got = instant.histograms?.[i] ?? (instant.v[i] as number);
    if (want === undefined) return `unexpected ${label.toString()} with ${valueText(got)}`;
    if (ordered && want.i !== i) return `${label.toString()} is at ${i}, want ${want.i}`;
    const [value] = want.series.values;
    if (value === undefined || !matchesValue(value, got)) {
      return `${label.toString()} is ${valueText(got)}, want ${expectedText(value)}`;
    }
    wanted.delete(label.key);
  }
  for (const { series } of wanted.values()) return `${series.labels.toString()} is missing`;
  return undefined;
}

function isOrdered({ texts }: EvalCommand): boolean {
  return texts.some(({ what }) => what === 'ordered');
}

function matchesValue(want: SequenceValue, got: number | FloatHistogram): boolean {
  if (typeof got === 'number') return want.kind === 'float' && almostEqual(want.value, got);
  return want.kind === 'histogram' && matchesHistogram(want, got);
}

function valueText(value: number | FloatHistogram): string {
  return typeof value === 'number' ? String(value) : histogramText(value);
}

function expectedText(value: SequenceValue | undefined): string {
  if (value?.kind === 'float') return String(value.value);
  if (value?.kind !== 'histogram') return value?.kind ?? 'nothing';
  const hint = value.hintIsSet ? '' : ' (with any hint)';
  return histogramText(value.histogram) + hint;
}

function compareMatrix(command: EvalCommand, result: MatrixResult): string | undefined {
  if (isOrdered(command)) return 'got a matrix, want a result in order';
  if (command.scalar !== undefined) return 'got a matrix, want a scalar';
  const unsorted = unsortedSeries(result);
  if (unsorted !== undefined) return unsorted;
  const { startMs, endMs, stepMs } = command.rangeVector ?? command;
  const wanted = new Map(command.series.map((series) => [series.labels.key, series]));
  for (const [i, label] of result.labels.entries()) {
    const want = wanted.get(label.key);
    const got = pointsOf(result, i);
    if (want === undefined) return `unexpected ${label.toString()} with ${pointsText(got)}`;
    if (startMs + (want.values.length - 1) * stepMs > endMs) {
      return `${label.toString()} is to have values after the end at ${endMs} ms`;
    }
    const wrong = comparePoints(expectedPoints(command, want), got);
    if (wrong !== undefined) return `${label.toString()} is ${pointsText(got)}, ${wrong}`;
    wanted.delete(label.key);
  }
  for (const { labels } of wanted.values()) return `${labels.toString()} is missing`;
  return undefined;
}

/** Says so when the series of a matrix are not in the order of their labels. */
export function unsortedSeries(result: MatrixResult | QueryResult): string | undefined {
  if (result.type !== 'matrix') return undefined;
  const { labels } = result;
  const isSorted = labels.every(
    (label, i) => i === 0 || compareLabels(labels[i - 1] as Labels, label) <= 0,
  );
  return isSorted ? undefined : 'series are not sorted';
}

/** A sample that is expected. */
interface ExpectedPoint {
  readonly t: number;
  readonly value: SequenceValue;
}

/** As {@link pointsOf}: floats, and behind them histograms. */
function expectedPoints(command: EvalCommand, { values }: SeriesDescription): ExpectedPoint[] {
  const { startMs, stepMs } = command.rangeVector ?? command;
  const points = values
    .map((value, k) => ({ t: startMs + k * stepMs, value }))
    .filter(({ value }) => value.kind !== 'omitted');
  const isHistogram = ({ value }: ExpectedPoint): boolean => value.kind === 'histogram';
  return [...points.filter((point) => !isHistogram(point)), ...points.filter(isHistogram)];
}

function comparePoints(want: readonly ExpectedPoint[], got: readonly Point[]): string | undefined {
  const equal =
    want.length === got.length &&
    want.every(({ t, value }, k) => {
      const point = got[k] as Point;
      return t === point.t && matchesValue(value, point.value);
    });
  if (equal) return undefined;
  return `want ${want.map(({ t, value }) => `${expectedText(value)}@${t}`).join(' ')}`;
}

function pointsText(points: readonly Point[]): string {
  return points.map(({ t, value }) => `${valueText(value)}@${t}`).join(' ');
}
