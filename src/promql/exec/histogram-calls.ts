/**
 * histogram_quantile and its kin. A native histogram is a value; a classic one is the series that differ in `le` only. Where both
 * are of the same name and labels at the same time, nothing is given and that is said.
 */
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { nativeFraction, nativeQuantile, type Estimate } from '../funcs/native-quantile.ts';
import { bucketFraction, bucketQuantile, ClassicBuckets } from '../funcs/classic-quantile.ts';
import type { Span } from '../parse/ast.ts';
import type { CallNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { dropMetadata } from './metric-labels.ts';
import { printFloat } from '../parse/go-float.ts';
import { eachHistogram } from './raw-series.ts';
import { FLOAT, HISTOGRAM, VectorBuilder, type StepVectors } from './step-vectors.ts';

const BUCKET: ReadonlySet<string> = new Set(['le']);

/** The bucket rows of one histogram. */
interface Histogram {
  /** Without `le`, and without the name unless names are removed at the end. */
  readonly labels: Labels;
  readonly metric: string;
  /** By bound; of equal ones in the order of the input. */
  readonly buckets: { readonly row: number; readonly bound: number }[];
}

/** A row with native histograms. */
interface NativeRow {
  /** Without the name unless names are removed at the end. */
  readonly labels: Labels;
  /** The name, if it is still there. */
  readonly metric: string;
  readonly row: number;
}

/** What the argument of a call holds. */
interface Found {
  readonly input: StepVectors;
  readonly classic: readonly Histogram[];
  readonly native: readonly NativeRow[];
  /** Where the argument stands. */
  readonly span: Span;
}

/** histogram_quantile(). */
export function histogramQuantile(
  ctx: ExecContext,
  node: CallNode,
  q: Float64Array,
  input: StepVectors,
): StepVectors {
  checkQuantiles(ctx, node, q, 0);
  const found = findHistograms(ctx, node, input, 1);
  const builder = new VectorBuilder(input.steps, found.classic.length + found.native.length);
  writeQuantiles(ctx, node, found, { q, builder, labels: (labels) => labels });
  return builder.finish();
}

/** histogram_quantiles(): several quantiles at once, each under a label. */
export function histogramQuantiles(
  ctx: ExecContext,
  node: CallNode,
  input: StepVectors,
  label: string,
  quantiles: readonly Float64Array[],
): StepVectors {
  for (const [i, q] of quantiles.entries()) checkQuantiles(ctx, node, q, i + 2);
  const found = findHistograms(ctx, node, input, 0);
  const rows = (found.classic.length + found.native.length) * quantiles.length;
  const builder = new VectorBuilder(input.steps, rows);
  for (const q of quantiles) {
    const labels = (of: Labels): Labels => of.with(label, openMetricsFloat(q[0] ?? NaN));
    writeQuantiles(ctx, node, found, { q, builder, labels });
  }
  return builder.finish();
}

/** histogram_fraction(). */
export function histogramFraction(
  ctx: ExecContext,
  node: CallNode,
  { lower, upper }: { lower: Float64Array; upper: Float64Array },
  input: StepVectors,
): StepVectors {
  const { classic, native, span } = findHistograms(ctx, node, input, 2);
  const builder = new VectorBuilder(input.steps, classic.length + native.length);
  for (const { labels, metric, row } of native) {
    const out = builder.add(labels, 1);
    eachHistogram(input, row, (histogram, s) => {
      const estimate = nativeFraction(lower[s] as number, upper[s] as number, histogram);
      builder.set(out, s, noted(ctx, estimate, metric, span));
    });
  }
  for (const histogram of classic) {
    const row = builder.add(histogram.labels, 1);
    const buckets = new ClassicBuckets(histogram.buckets.length);
    for (let s = 0; s < input.steps; s++) {
      if (!takeBuckets(buckets, input, histogram, s)) continue;
      builder.set(row, s, bucketFraction(lower[s] as number, upper[s] as number, buckets));
    }
  }
  return builder.finish();
}

interface QuantileJob {
  readonly q: Float64Array;
  readonly builder: VectorBuilder;
  /** What a result's labels are made of those of the histogram. */
  readonly labels: (of: Labels) => Labels;
}

function writeQuantiles(
  ctx: ExecContext,
  node: CallNode,
  { input, classic, native, span }: Found,
  { q, builder, labels: resultOf }: QuantileJob,
): void {
  for (const { labels, metric, row } of native) {
    const out = builder.add(resultOf(labels), 1);
    eachHistogram(input, row, (histogram, s) => {
      builder.set(out, s, noted(ctx, nativeQuantile(q[s] as number, histogram), metric, span));
    });
  }
  const { startMs, stepMs } = node.grid;
  for (const histogram of classic) {
    const row = builder.add(resultOf(histogram.labels), 1);
    const buckets = new ClassicBuckets(histogram.buckets.length);
    for (let s = 0; s < input.steps; s++) {
      if (!takeBuckets(buckets, input, histogram, s)) continue;
      builder.set(row, s, bucketQuantile(q[s] as number, buckets));
      const { fix } = buckets;
      if (fix === undefined) continue;
      const metric = ctx.options.delayedNames ? histogram.metric : '';
      ctx.annotations.forcedMonotonicity(metric, fix, startMs + s * stepMs, span);
    }
  }
}

/** The value of an estimate; says what NaN observations did to it. */
function noted(ctx: ExecContext, { value, nan }: Estimate, metric: string, span: Span): number {
  if (nan !== 'none') ctx.annotations.nanObservations(nan, metric, span);
  return value;
}

function checkQuantiles(ctx: ExecContext, node: CallNode, q: Float64Array, argument: number): void {
  const span = node.args[argument]?.span ?? node.span;
  for (const value of q)
    if (!(value >= 0 && value <= 1)) ctx.annotations.invalidQuantile(value, span);
}

/** Go's strconv.ParseFloat, as far as bucket bounds go. */
function parseBound(text: string): number {
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^[+-]?(?:\d|\.\d)/.test(text) ? Number(text) : NaN;
}

function findHistograms(
  ctx: ExecContext,
  node: CallNode,
  input: StepVectors,
  argument: number,
): Found {
  const span = node.args[argument]?.span ?? node.span;
  const classic = new Map<string, Histogram>();
  const native: NativeRow[] = [];
  const delayed = ctx.options.delayedNames;
  for (const [row, labels] of input.labels.entries()) {
    const metric = labels.get(METRIC_NAME);
    if (holds(input, row, HISTOGRAM)) {
      const kept = delayed ? labels : dropMetadata(labels);
      native.push({ labels: kept, metric: delayed ? metric : '', row });
    }
    if (!holds(input, row, FLOAT)) continue;
    const le = labels.get('le');
    const bound = parseBound(le);
    if (Number.isNaN(bound)) {
      ctx.annotations.badBucketLabel(delayed ? metric : '', le, span);
      continue;
    }
    const rest = labels.drop(BUCKET);
    let histogram = classic.get(rest.key);
    if (histogram === undefined) {
      histogram = { labels: delayed ? rest : dropMetadata(rest), metric, buckets: [] };
      classic.set(rest.key, histogram);
    }
    histogram.buckets.push({ row, bound });
  }
  // Bounds are numbers, so neither is above the other only when they are equal.
  for (const { buckets } of classic.values())
    buckets.sort((a, b) => (a.bound < b.bound ? -1 : Number(a.bound > b.bound)));
  for (const { row, metric } of native) {
    const other = classic.get((input.labels[row] as Labels).key);
    if (other === undefined || !removeConflicts(input, row, other.buckets)) continue;
    ctx.annotations.mixedClassicNative(metric, span);
  }
  return { input, classic: [...classic.values()], native, span };
}

function holds({ present, steps }: StepVectors, row: number, what: number): boolean {
  for (let i = row * steps; i < (row + 1) * steps; i++) if (present[i] === what) return true;
  return false;
}

/** Takes out both a native histogram and the buckets of its name and labels where there are both; whether there were. */
function removeConflicts(
  { present, steps }: StepVectors,
  native: number,
  buckets: Histogram['buckets'],
): boolean {
  let any = false;
  for (let s = 0; s < steps; s++) {
    if (present[native * steps + s] !== HISTOGRAM) continue;
    if (!buckets.some(({ row }) => present[row * steps + s] === FLOAT)) continue;
    any = true;
    present[native * steps + s] = 0;
    for (const { row } of buckets)
      if (present[row * steps + s] === FLOAT) present[row * steps + s] = 0;
  }
  return any;
}

/** Takes the buckets that have a value at the step; false when there are none. */
function takeBuckets(
  into: ClassicBuckets,
  { values, present, steps }: StepVectors,
  { buckets }: Histogram,
  s: number,
): boolean {
  into.clear();
  for (const { row, bound } of buckets) {
    if (present[row * steps + s] === FLOAT) into.add(bound, values[row * steps + s] as number);
  }
  return into.length > 0;
}

/** A float as OpenMetrics writes it: always with a point or an exponent. */
function openMetricsFloat(value: number): string {
  if (!Number.isFinite(value)) return printFloat(value);
  const text = printFloat(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
