/** Evaluates a plan: one function a kind of node. Children are evaluated one after the other. */
import { Labels } from '../../model/labels.ts';
import type {
  AbsentNode,
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
import { evaluateWindows, newWindows, windowFunction } from './fragment.ts';
import { must, unreachable } from '../../lib/assert.ts';
import { readRaw, vectorsToRaw, compactRow } from './raw-series.ts';
import { removeDelayedNames, removeNames } from './same-labels.ts';
import { annotateSeries, checkParams, evaluateScan, resultLabels, scanSpec } from './scan.ts';
import {
  VectorBuilder,
  countPresent,
  newVectors,
  type RawSeries,
  type StepScalars,
  type StepVectors,
  type Value,
} from './step-vectors.ts';

/** The value of a node over its grid. */
export async function evaluate(ctx: ExecContext, node: PlanNode): Promise<Value> {
  await ctx.breathe();
  const before = ctx.held;
  const value = await evaluateNode(ctx, node);
  ctx.settle(before, sampleCount(value));
  return value;
}

function sampleCount(value: Value): number {
  switch (value.kind) {
    case 'string':
      return 0;
    case 'scalars':
      return value.values.length;
    case 'raw':
      return value.t.length;
    case 'vectors':
      return countPresent(value.present);
    default:
      return unreachable(value);
  }
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
      const result = await evaluateScan(ctx, node, params);
      if (result.labels.length > 0) checkParams(ctx, node, params);
      return result;
    }
    case 'window':
      return evaluateWindow(ctx, node);
    case 'raw':
      return evaluateRaw(ctx, node);
    case 'subquery':
      return evaluateSubquery(ctx, node);
    case 'negate': {
      const value = await evaluate(ctx, node.expr);
      if (value.kind !== 'scalars' && value.kind !== 'vectors') return value;
      const { values } = value;
      for (let i = 0; i < values.length; i++) values[i] = -(values[i] as number);
      return value.kind === 'vectors' ? removeNames(ctx, value) : value;
    }
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
    case 'invariant':
      return evaluateInvariant(ctx, node);
    default:
      return unreachable(node);
  }
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
  const spec = scanSpec(node, params, 0);
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
  for (const [i, labels] of source.labels.entries()) {
    windows.length = compactRow(source, i, inner, t, v);
    ctx.samplesTotal += evaluateWindows(windows, func, spec, out, present);
    if (countPresent(present) === 0) continue;
    const row = builder.add(labels, 0);
    for (let s = 0; s < steps; s++) if (present[s] === 1) builder.set(row, s, out[s] as number);
    kept.push(labels);
    drops.push(source.dropName[i] === 1 || !node.keepName ? 1 : 0);
  }
  if (kept.length > 0) checkParams(ctx, node, params);
  annotateSeries(ctx, node, kept);
  const result = { ...builder.finish(), labels: resultLabels(ctx, node, kept) };
  if (ctx.options.delayedNames) result.dropName.set(drops);
  return result;
}

async function evaluateRaw(ctx: ExecContext, node: RawNode): Promise<RawSeries> {
  const set = ctx.set(node.select);
  const raw = await readRaw(ctx, set, node.endMs - node.rangeMs, node.endMs);
  ctx.samplesTotal += raw.t.length;
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
    if (present[i] === 1) result.present[i % steps] = 0;
  return countPresent(result.present) === 0 ? newVectors([], steps) : result;
}

async function evaluateInvariant(ctx: ExecContext, node: InvariantNode): Promise<Value> {
  const once = await evaluate(ctx, node.expr);
  const steps = node.grid.count;
  if (once.kind === 'scalars') {
    return { kind: 'scalars', values: new Float64Array(steps).fill(once.values[0] as number) };
  }
  if (once.kind !== 'vectors') return once;
  const result = newVectors(once.labels, steps);
  for (let i = 0; i < once.labels.length; i++) {
    result.values.fill(once.values[i] as number, i * steps, (i + 1) * steps);
    result.present.fill(once.present[i] as number, i * steps, (i + 1) * steps);
  }
  result.dropName.set(once.dropName);
  return result;
}
