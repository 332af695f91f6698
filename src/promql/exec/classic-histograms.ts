/** histogram_quantile and its kin over classic histograms: series that differ in `le` only are one histogram. */
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { bucketFraction, bucketQuantile, type Buckets } from '../funcs/quantile.ts';
import type { CallNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { dropMetadata } from './metric-labels.ts';
import { printFloat } from '../parse/go-float.ts';
import { VectorBuilder, hasAny, type StepVectors } from './step-vectors.ts';

const BUCKET: ReadonlySet<string> = new Set(['le']);

/** The bucket rows of one histogram. */
interface Histogram {
  /** Without `le`, and without the name unless names are removed at the end. */
  readonly labels: Labels;
  readonly metric: string;
  readonly rows: number[];
  readonly bounds: number[];
}

/** histogram_quantile(). */
export function histogramQuantile(
  ctx: ExecContext,
  node: CallNode,
  q: Float64Array,
  input: StepVectors,
): StepVectors {
  checkQuantiles(ctx, node, q, 0);
  const histograms = findHistograms(ctx, node, input, 1);
  const builder = new VectorBuilder(input.steps, histograms.length);
  for (const histogram of histograms) {
    const row = builder.add(histogram.labels, 1);
    writeQuantiles(ctx, node, { input, histogram, q, builder, row, argument: 1 });
  }
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
  const histograms = findHistograms(ctx, node, input, 0);
  const builder = new VectorBuilder(input.steps, histograms.length * quantiles.length);
  for (const q of quantiles) {
    for (const histogram of histograms) {
      const labels = histogram.labels.with(label, openMetricsFloat(q[0] ?? NaN));
      const row = builder.add(labels, 1);
      writeQuantiles(ctx, node, { input, histogram, q, builder, row, argument: 0 });
    }
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
  const histograms = findHistograms(ctx, node, input, 2);
  const builder = new VectorBuilder(input.steps, histograms.length);
  for (const histogram of histograms) {
    const row = builder.add(histogram.labels, 1);
    for (let s = 0; s < input.steps; s++) {
      const buckets = bucketsAt(input, histogram, s);
      if (buckets === undefined) continue;
      builder.set(row, s, bucketFraction(lower[s] as number, upper[s] as number, buckets));
    }
  }
  return builder.finish();
}

interface QuantileJob {
  readonly input: StepVectors;
  readonly histogram: Histogram;
  readonly q: Float64Array;
  readonly builder: VectorBuilder;
  readonly row: number;
  /** Which argument the buckets came from. */
  readonly argument: number;
}

function writeQuantiles(ctx: ExecContext, node: CallNode, job: QuantileJob): void {
  const { input, histogram, q, builder, row, argument } = job;
  const { startMs, stepMs } = node.grid;
  for (let s = 0; s < input.steps; s++) {
    const buckets = bucketsAt(input, histogram, s);
    if (buckets === undefined) continue;
    const { value, fix } = bucketQuantile(q[s] as number, buckets);
    builder.set(row, s, value);
    if (fix === undefined) continue;
    const metric = ctx.options.delayedNames ? histogram.metric : '';
    const span = node.args[argument]?.span ?? node.span;
    ctx.annotations.forcedMonotonicity(metric, fix, startMs + s * stepMs, span);
  }
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
): Histogram[] {
  const found = new Map<string, Histogram>();
  const delayed = ctx.options.delayedNames;
  for (const [row, labels] of input.labels.entries()) {
    if (!hasAny(input, row)) continue;
    const le = labels.get('le');
    const bound = parseBound(le);
    const metric = labels.get(METRIC_NAME);
    if (Number.isNaN(bound)) {
      const span = node.args[argument]?.span ?? node.span;
      ctx.annotations.badBucketLabel(delayed ? metric : '', le, span);
      continue;
    }
    const rest = labels.drop(BUCKET);
    let histogram = found.get(rest.key);
    if (histogram === undefined) {
      histogram = { labels: delayed ? rest : dropMetadata(rest), metric, rows: [], bounds: [] };
      found.set(rest.key, histogram);
    }
    histogram.rows.push(row);
    histogram.bounds.push(bound);
  }
  return [...found.values()];
}

/** The buckets that have a value at the step. */
function bucketsAt(
  { values, present, steps }: StepVectors,
  { rows, bounds }: Histogram,
  s: number,
): Buckets | undefined {
  const buckets: Buckets = { bounds: [], counts: [] };
  for (const [i, row] of rows.entries()) {
    if (present[row * steps + s] !== 1) continue;
    buckets.bounds.push(bounds[i] as number);
    buckets.counts.push(values[row * steps + s] as number);
  }
  return buckets.bounds.length === 0 ? undefined : buckets;
}

/** A float as OpenMetrics writes it: always with a point or an exponent. */
function openMetricsFloat(value: number): string {
  if (!Number.isFinite(value)) return printFloat(value);
  const text = printFloat(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
