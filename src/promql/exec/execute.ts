/** Evaluates a plan: one function a kind of node. Children are evaluated one after the other. */
import { scale, withHint } from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { RangeNote } from '../funcs/mixed-window.ts';
import type {
  AbsentNode,
  Grid,
  InvariantNode,
  PlanNode,
  RawNode,
  SubqueryNode,
  WindowNode,
} from '../plan/node.ts';
import { evaluateAggregate } from './aggregate.ts';
import { evaluateBinary } from './binary.ts';
import { evaluateCall } from './calls.ts';
import type { ExecContext } from './context.ts';
import { evaluateWindows, newWindows, windowFunction } from './series-scan.ts';
import { must, unreachable } from '../../lib/assert.ts';
import { dropMetadata } from './metric-labels.ts';
import { cellsOf } from './cells.ts';
import { evaluateInfo } from './info.ts';
import { applyMixed, type HistogramSamples } from './mixed-windows.ts';
import { compactRow, eachHistogram, readRaw, vectorsToRaw } from './raw-series.ts';
import { removeDelayedNames, removeNames } from './same-labels.ts';
import {
  annotateSeries,
  checkParams,
  evaluateScan,
  noteSpan,
  resultLabels,
  scanSpec,
} from './scan.ts';
import {
  FLOAT,
  HISTOGRAM,
  VectorBuilder,
  countPresent,
  histogramSamples,
  newVectors,
  type RawSeries,
  type StepScalars,
  type StepVectors,
  type Value,
} from './step-vectors.ts';

/** The value of a node over its grid. */
export async function evaluate(ctx: ExecContext, node: PlanNode): Promise<Value> {
  await ctx.breathe();
  cellsOf(1, node.grid.count);
  const before = ctx.held;
  const ended = ctx.options.profiler?.begin(node, ctx);
  const value = await evaluateNode(ctx, node);
  ctx.settle(before, sampleCount(value));
  ended?.(value);
  return value;
}

function sampleCount(value: Value): number {
  switch (value.kind) {
    case 'string':
      return 0;
    case 'scalars':
      return value.values.length;
    case 'raw':
      return value.t.length + samplesOf(value.histograms.values);
    case 'vectors':
      return countPresent(value.present) + samplesOf(value.histograms) - value.histograms.length;
    default:
      return unreachable(value);
  }
}

function samplesOf(histograms: readonly FloatHistogram[]): number {
  return histograms.reduce((sum, histogram) => sum + histogramSamples(histogram), 0);
}

async function evaluateNode(ctx: ExecContext, node: PlanNode): Promise<Value> {
  const steps = node.grid.count;
  switch (node.kind) {
    case 'number':
      return { kind: 'scalars', values: new Float64Array(steps).fill(node.value) };
    case 'string':
      return { kind: 'string', value: node.value };
    case 'scan': {
      const params = await evaluateParams(ctx, node.params);
      const before = ctx.samplesTotal;
      const result = await evaluateScan(ctx, node, params);
      checkParams(ctx, node, params, {
        samples: ctx.samplesTotal - before,
        rows: result.labels.length,
      });
      return result;
    }
    case 'window':
      return evaluateWindow(ctx, node);
    case 'raw':
      return evaluateRaw(ctx, node);
    case 'subquery':
      return evaluateSubquery(ctx, node);
    case 'negate':
      return negate(ctx, await evaluate(ctx, node.expr));
    case 'binary': {
      const lhs = await evaluate(ctx, node.lhs);
      const rhs = await evaluate(ctx, node.rhs);
      return evaluateBinary(ctx, node, lhs, rhs);
    }
    case 'aggregate': {
      const param = node.param === undefined ? undefined : await evaluate(ctx, node.param);
      const value = await evaluateVectors(ctx, node.expr);
      return evaluateAggregate(ctx, node, value, param);
    }
    case 'call': {
      const args: Value[] = [];
      for (const arg of node.args) args.push(await evaluate(ctx, arg));
      return evaluateCall(ctx, node, args);
    }
    case 'absent':
      return evaluateAbsent(ctx, node);
    case 'info':
      return evaluateInfo(ctx, node, await evaluateVectors(ctx, node.expr));
    case 'invariant':
      return evaluateInvariant(ctx, node);
    default:
      return unreachable(node);
  }
}

function negate(ctx: ExecContext, value: Value): Value {
  if (value.kind !== 'scalars' && value.kind !== 'vectors') return value;
  const { values } = value;
  if (value.kind === 'scalars') return { ...value, values: values.map((x) => -x) };
  const { present } = value;
  for (let i = 0; i < values.length; i++)
    if (present[i] === FLOAT) values[i] = -(values[i] as number);
  const histograms = value.histograms.map((histogram) => scale(histogram, -1));
  return removeNames(ctx, { ...value, histograms });
}

async function evaluateVectors(ctx: ExecContext, node: PlanNode): Promise<StepVectors> {
  const value = await evaluate(ctx, node);
  return value.kind === 'vectors' ? value : newVectors([], node.grid.count);
}

/** Scalar arguments: constants as one value, others as one a step. */
async function evaluateParams(
  ctx: ExecContext,
  params: readonly PlanNode[],
): Promise<Float64Array[]> {
  const values: Float64Array[] = [];
  for (const param of params) {
    if (param.kind === 'number') values.push(Float64Array.of(param.value));
    else values.push(((await evaluate(ctx, param)) as StepScalars).values);
  }
  return values;
}

/** A range function over the rows of a subquery. */
async function evaluateWindow(ctx: ExecContext, node: WindowNode): Promise<StepVectors> {
  const params = await evaluateParams(ctx, node.params);
  const source = await evaluateVectors(ctx, node.source);
  const steps = node.grid.count;
  const spec = scanSpec(node, params, {
    lookbackMs: 0,
    useStarts: false,
    statsOnly: false,
    counterView: 'exact',
  });
  const inner = node.source.grid;
  const t = new Float64Array(inner.count);
  const v = new Float64Array(inner.count);
  const windows = newWindows(spec, t, v);
  const func = must(windowFunction(spec), 'a window has a range function');
  const builder = new VectorBuilder(steps, source.labels.length);
  const out = new Float64Array(steps);
  const present = new Uint8Array(steps);
  const kept: Labels[] = [];
  const drops: number[] = [];
  const withFloats: Labels[] = [];
  const before = ctx.samplesTotal;
  for (const [i, labels] of source.labels.entries()) {
    ctx.check();
    windows.length = compactRow(source, i, inner, t, v);
    ctx.samplesTotal += evaluateWindows(windows, func, spec, out, present);
    const histograms: FloatHistogram[] = [];
    const metric = labels.get(METRIC_NAME);
    const note = (what: RangeNote): void =>
      ctx.annotations.ofSeries(what, metric, noteSpan(node, what));
    const samples = histogramsOfRow(source, i, inner);
    if (samples.values.length > 0) {
      const row = { values: out, present, histograms, note };
      ctx.samplesTotal += applyMixed(spec, windows, samples, row);
    }
    if (countPresent(present) === 0) continue;
    const row = builder.add(labels, 0);
    for (let s = 0; s < steps; s++) {
      if (present[s] === FLOAT) builder.set(row, s, out[s] as number);
      else if (present[s] === HISTOGRAM)
        builder.setHistogram(row, s, histograms[out[s] as number] as FloatHistogram);
    }
    // compat: a name that was to go is not kept by functions that keep names.
    const loses = !ctx.options.delayedNames && source.dropName[i] === 1;
    kept.push(loses ? dropMetadata(labels) : labels);
    if (present.includes(FLOAT)) withFloats.push(labels);
    drops.push(source.dropName[i] === 1 || !node.keepName ? 1 : 0);
  }
  checkParams(ctx, node, params, { samples: ctx.samplesTotal - before, rows: kept.length });
  annotateSeries(ctx, node, withFloats);
  const result = { ...builder.finish(), labels: resultLabels(ctx, node, kept) };
  if (ctx.options.delayedNames) result.dropName.set(drops);
  return result;
}

/** The native histograms of a row as samples. What they said of resets was about samples between which others were left out. */
function histogramsOfRow(source: StepVectors, row: number, grid: Grid): HistogramSamples {
  const t: number[] = [];
  const values: FloatHistogram[] = [];
  if (source.histograms.length > 0)
    eachHistogram(source, row, (histogram, s) => {
      t.push(grid.startMs + s * grid.stepMs);
      const { hint } = histogram;
      values.push(hint === RESET_HINT.gauge ? histogram : withHint(histogram, RESET_HINT.unknown));
    });
  return { t: Float64Array.from(t), values, stale: undefined };
}

async function evaluateRaw(ctx: ExecContext, node: RawNode): Promise<RawSeries> {
  const set = ctx.set(node.select);
  const raw = await readRaw(ctx, set, node);
  ctx.samplesTotal += raw.t.length + samplesOf(raw.histograms.values);
  return raw;
}

async function evaluateSubquery(ctx: ExecContext, node: SubqueryNode): Promise<RawSeries> {
  const vectors = await evaluateVectors(ctx, node.expr);
  const named = ctx.options.delayedNames ? removeDelayedNames(vectors) : vectors;
  return vectorsToRaw(named, node.expr.grid);
}

async function evaluateAbsent(ctx: ExecContext, node: AbsentNode): Promise<StepVectors> {
  const { present, labels } = await evaluateVectors(ctx, node.expr);
  const steps = node.grid.count;
  const result = newVectors([Labels.fromPairs(node.labels)], steps);
  result.present.fill(1);
  result.values.fill(1);
  for (let i = 0; i < labels.length * steps; i++)
    if (present[i] !== 0) result.present[i % steps] = 0;
  return countPresent(result.present) === 0 ? newVectors([], steps) : result;
}

async function evaluateInvariant(ctx: ExecContext, node: InvariantNode): Promise<Value> {
  const once = await evaluate(ctx, node.expr);
  const steps = node.grid.count;
  if (once.kind === 'scalars') {
    return { kind: 'scalars', values: new Float64Array(steps).fill(once.values[0] as number) };
  }
  if (once.kind !== 'vectors') return once;
  const result = { ...newVectors(once.labels, steps), histograms: once.histograms };
  for (let i = 0; i < once.labels.length; i++) {
    result.values.fill(once.values[i] as number, i * steps, (i + 1) * steps);
    result.present.fill(once.present[i] as number, i * steps, (i + 1) * steps);
  }
  result.dropName.set(once.dropName);
  return result;
}
