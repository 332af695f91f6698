/** Aggregations over vectors that are not scans, and those that need all values of a group at once. */
import { CodedError } from '../../lib/errors.ts';
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { STATE_OPS, addRow, finishStates, newStates, type StateOp } from '../funcs/group-states.ts';
import { quantileOf } from '../funcs/quantile.ts';
import { printFloat } from '../parse/go-float.ts';
import { isValidText, quote } from '../parse/quote.ts';
import type { AggregateNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { Signatures } from './metric-labels.ts';
import { mergeResult } from './same-labels.ts';
import { HistogramGroups } from './histogram-groups.ts';
import { printHistogram } from './histogram-text.ts';
import { limitRatio } from './limit-ratio.ts';
import { eachHistogram } from './raw-series.ts';
import { selectK } from './select-k.ts';
import { cellsOf } from './cells.ts';
import {
  FLOAT,
  HISTOGRAM,
  VectorBuilder,
  hasAny,
  histogramOf,
  newVectors,
  vectorsOf,
  withoutEmptyRows,
  type StepVectors,
  type Value,
} from './step-vectors.ts';

/** The rows of each group, in their order. */
export interface Groups {
  readonly labels: readonly Labels[];
  readonly rows: readonly (readonly number[])[];
}

/** Evaluates an aggregation of a vector. */
export function evaluateAggregate(
  ctx: ExecContext,
  node: AggregateNode,
  input: StepVectors,
  param: Value | undefined,
): StepVectors {
  const { op } = node;
  if (op === 'count_values') return countValues(ctx, node, input, param);
  const groups = groupRows(node, input);
  if (STATE_OPS.has(op)) return aggregateStates(ctx, node, input, groups);
  const values = param?.kind === 'scalars' ? param.values : undefined;
  const perStep = values ?? new Float64Array(input.steps);
  if (op === 'topk' || op === 'bottomk' || op === 'limitk') {
    if (op !== 'limitk' && input.present.includes(HISTOGRAM) && perStep.some((k) => k >= 1))
      ctx.annotations.ignoredInAggregation(op, node.span);
    return selectK(op, input, groups, perStep);
  }
  if (op === 'limit_ratio') return limitRatio(ctx, node, input, perStep);
  noteIgnored(ctx, node, input);
  if (op === 'stddev' || op === 'stdvar') return aggregateVariance(op, input, groups);
  if (op === 'quantile') return aggregateQuantile(ctx, node, input, groups, perStep);
  throw new CodedError('not_implemented', `aggregation "${op}" is not implemented yet`);
}

function groupRows(node: AggregateNode, { labels }: StepVectors): Groups {
  const signatures = new Signatures(node.labels, !node.without);
  const rows: number[][] = [];
  for (const [i, label] of labels.entries()) {
    const id = signatures.id(label);
    const group = rows[id];
    if (group === undefined) rows[id] = [i];
    else group.push(i);
  }
  return { labels: signatures.labels, rows };
}

/** Says that an aggregation of numbers passes over histograms. */
function noteIgnored(ctx: ExecContext, { op, expr }: AggregateNode, input: StepVectors): void {
  if (input.present.includes(HISTOGRAM)) ctx.annotations.ignoredInAggregation(op, expr.span);
}

function aggregateStates(
  ctx: ExecContext,
  node: AggregateNode,
  input: StepVectors,
  groups: Groups,
): StepVectors {
  const { steps } = input;
  const op = node.op as StateOp;
  const states = newStates(op, groups.labels.length, steps);
  const sums =
    op === 'sum' || op === 'avg'
      ? new HistogramGroups(op, steps, ctx.annotations, node.expr.span)
      : undefined;
  if (op === 'min' || op === 'max') noteIgnored(ctx, node, input);
  for (const [g, rows] of groups.rows.entries()) {
    ctx.check();
    for (const row of rows) {
      const [from, to] = [row * steps, (row + 1) * steps];
      addRow(states, g, input.values.subarray(from, to), input.present.subarray(from, to));
      if (sums === undefined || input.histograms.length === 0) continue;
      const metric = (input.labels[row] as Labels).get(METRIC_NAME);
      eachHistogram(input, row, (histogram, s) => sums.add(g, s, histogram, metric));
    }
  }
  const cells = finishStates(states);
  const histograms = sums?.finish(cells.values, cells.present) ?? [];
  const all = vectorsOf([...groups.labels], steps, cells);
  const vectors = withoutEmptyRows({ ...all, histograms });
  markDropped(vectors, input, groups);
  return vectors;
}

/** A group's name goes when that of any of its series does. */
function markDropped(result: StepVectors, input: StepVectors, groups: Groups): void {
  if (!input.dropName.includes(1)) return;
  const keys = new Map(result.labels.map((labels, row) => [labels.key, row]));
  for (const [g, labels] of groups.labels.entries()) {
    const row = keys.get(labels.key);
    const drops = groups.rows[g]?.some((i) => input.dropName[i] === 1 && hasAny(input, i));
    if (row !== undefined && drops === true) result.dropName[row] = 1;
  }
}

function aggregateVariance(
  op: 'stddev' | 'stdvar',
  input: StepVectors,
  groups: Groups,
): StepVectors {
  const { steps, values, present } = input;
  const builder = new VectorBuilder(steps, groups.labels.length);
  const counts = new Float64Array(steps);
  const means = new Float64Array(steps);
  const squares = new Float64Array(steps);
  for (const [g, rows] of groups.rows.entries()) {
    counts.fill(0);
    means.fill(0);
    squares.fill(0);
    for (const row of rows) {
      for (let s = 0; s < steps; s++) {
        if (present[row * steps + s] !== 1) continue;
        const value = values[row * steps + s] as number;
        const count = (counts[s] as number) + 1;
        counts[s] = count;
        if (count === 1) {
          means[s] = value;
          squares[s] = Number.isFinite(value) ? 0 : NaN;
          continue;
        }
        const difference = value - (means[s] as number);
        const mean = (means[s] as number) + difference / count;
        means[s] = mean;
        squares[s] = (squares[s] as number) + difference * (value - mean);
      }
    }
    const row = builder.add(groups.labels[g] as Labels, 0);
    for (let s = 0; s < steps; s++) {
      if (counts[s] === 0) continue;
      const variance = (squares[s] as number) / (counts[s] as number);
      builder.set(row, s, op === 'stddev' ? Math.sqrt(variance) : variance);
    }
  }
  return finishGroups(builder, input, groups);
}

function finishGroups(builder: VectorBuilder, input: StepVectors, groups: Groups): StepVectors {
  const vectors = builder.finish();
  markDropped(vectors, input, groups);
  return vectors;
}

function aggregateQuantile(
  ctx: ExecContext,
  node: AggregateNode,
  input: StepVectors,
  groups: Groups,
  q: Float64Array,
): StepVectors {
  const { steps, values, present } = input;
  const span = node.param?.span ?? node.span;
  annotateQuantiles(ctx, q, span);
  const builder = new VectorBuilder(steps, groups.labels.length);
  for (const [g, rows] of groups.rows.entries()) {
    const row = builder.add(groups.labels[g] as Labels, 0);
    ctx.check();
    const buffer = new Float64Array(rows.length);
    for (let s = 0; s < steps; s++) {
      let n = 0;
      for (const i of rows) {
        if (present[i * steps + s] === 1) buffer[n++] = values[i * steps + s] as number;
      }
      if (n > 0) builder.set(row, s, quantileOf(q[s] as number, buffer.subarray(0, n)));
    }
  }
  return finishGroups(builder, input, groups);
}

function annotateQuantiles(
  ctx: ExecContext,
  q: Float64Array,
  span: { start: number; end: number },
): void {
  if (q.some(Number.isNaN)) {
    ctx.annotations.invalidQuantile(NaN, span);
    return;
  }
  const max = Math.max(...q.filter((x) => x > 1));
  const min = Math.min(...q.filter((x) => x < 0));
  if (max > 1) ctx.annotations.invalidQuantile(max, span);
  if (min < 0) ctx.annotations.invalidQuantile(min, span);
}

/** count_values(): how many series have each value, the value as a label. */
function countValues(
  ctx: ExecContext,
  node: AggregateNode,
  input: StepVectors,
  param: Value | undefined,
): StepVectors {
  const name = param?.kind === 'string' ? param.value : '';
  if (name === '' || !isValidText(name)) {
    throw new CodedError('execution', `invalid label name ${quote(name)}`);
  }
  const names = node.without ? node.labels : [...node.labels, name];
  const signatures = new Signatures(names, !node.without);
  const { steps, labels, values, present } = input;
  const counts = new ValueCounts(steps);
  for (const [i, label] of labels.entries()) {
    ctx.check();
    for (let s = 0; s < steps; s++) {
      const cell = i * steps + s;
      if (present[cell] === 0) continue;
      const text =
        present[cell] === HISTOGRAM
          ? printHistogram(histogramOf(input, cell))
          : printFloat(values[cell] as number);
      counts.add(signatures.id(label.with(name, text)), s);
    }
  }
  if (labels.length === 0) return newVectors([], steps);
  return mergeResult(ctx, node, counts.finish(signatures.labels));
}

/** How often each value occurs at each step. Most occur at few, so only those take room until it is known how many there are. */
class ValueCounts {
  readonly #steps: number;
  readonly #counts = new Map<number, number>();

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Counts one more of the value with a number. */
  add(id: number, step: number): void {
    const cell = id * this.#steps + step;
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + 1);
    cellsOf(id + 1, this.#steps);
  }

  /** A row a value, by the labels of their numbers. */
  finish(labels: readonly Labels[]): StepVectors {
    const vectors = newVectors([...labels], this.#steps);
    for (const [cell, count] of this.#counts) {
      vectors.values[cell] = count;
      vectors.present[cell] = FLOAT;
    }
    return vectors;
  }
}
