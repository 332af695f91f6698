/**
 * Selectors and range functions over them: cuts the series of a select into shards, runs the shards here or as
 * fragments elsewhere, and puts their results together in the order of the shards.
 */
import { CodedError } from '../../lib/errors.ts';
import { must } from '../../lib/assert.ts';
import { EMPTY_LABELS, METRIC_NAME, type Labels } from '../../model/labels.ts';
import type { SeriesSet } from '../../storage/storage.ts';
import type { RangeNote } from '../funcs/mixed-window.ts';
import { COUNTER_FUNCTIONS, type CounterView } from '../funcs/counter-view.ts';
import { finishStates, mergeStates, newStates, type StateOp } from '../funcs/group-states.ts';
import type { Span } from '../parse/ast.ts';
import type { GroupBy, ScanNode, SeriesFunction } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { scanSeries } from './fragment.ts';
import type { FragmentGroups, FragmentResult, FragmentSource } from './fragment.ts';
import { printFloat } from '../parse/go-float.ts';
import { Signatures, dropMetadata } from './metric-labels.ts';
import { mergeSameLabels, refuseSameLabels } from './same-labels.ts';
import type { ScanSpec } from './scan-spec.ts';
import { HistogramGroups } from './histogram-groups.ts';
import {
  histogramSamples,
  newVectors,
  renumber,
  withoutEmptyRows,
  type StepVectors,
} from './step-vectors.ts';

/** limit: as many shards as hold so many samples each; fixed, so that answers never depend on who computes them. */
const SHARD_SAMPLES = 500_000;

/** Work on fewer samples than this is done here: crossing to another thread would cost more. */
const INLINE_SAMPLES_MAX = 100_000;

/** Functions that look at start timestamps. */
const STARTS_FUNCTIONS: ReadonlySet<string> = new Set([
  'rate',
  'irate',
  'increase',
  'resets',
  'start_timestamp',
]);

/** A range of series, with the groups that occur in it. */
interface Shard {
  readonly from: number;
  readonly to: number;
  readonly groups: FragmentGroups | undefined;
  /** The group among all of each group of the shard. */
  readonly groupOf: Uint32Array;
}

/** The groups of all series. */
interface Grouping {
  readonly op: StateOp;
  readonly ids: Uint32Array;
  readonly labels: readonly Labels[];
  /** Where what is aggregated stands. */
  readonly argSpan: Span;
}

/** Evaluates a scan whose scalar arguments are computed already. */
export async function evaluateScan(
  ctx: ExecContext,
  node: ScanNode,
  params: readonly Float64Array[],
): Promise<StepVectors> {
  const set = ctx.set(node.select);
  const steps = node.grid.count;
  if (set === undefined || set.count === 0 || steps === 0) return newVectors([], steps);
  const { useStarts, counterView } = ctx.options;
  const { lookbackMs, statsOnly } = node;
  const spec = scanSpec(node, params, { lookbackMs, useStarts, statsOnly, counterView });
  const grouping =
    node.aggregate === undefined ? undefined : groupSeries(ctx, set, node, node.aggregate);
  const { shards, samplesMax } = cutShards(set, grouping);
  const { runFragments } = ctx.options;
  const results =
    runFragments === undefined || samplesMax <= INLINE_SAMPLES_MAX
      ? runHere(ctx, set, spec, shards)
      : runElsewhere(ctx, set, spec, shards);
  if (grouping === undefined) return collectRows(ctx, node, set, await results, shards);
  return collectGroups(ctx, node, set, await results, { shards, grouping });
}

/** What a spec needs besides the node. */
export interface SpecOptions extends Pick<ScanSpec, 'lookbackMs' | 'useStarts' | 'statsOnly'> {
  readonly counterView: CounterView;
}

/** What a fragment or window has to know of a node. */
export function scanSpec(
  node: SeriesFunction & Pick<ScanNode, 'grid'>,
  params: readonly Float64Array[],
  { lookbackMs, useStarts, statsOnly, counterView }: SpecOptions,
): ScanSpec {
  const { func, refStartMs, refStepMs, rangeMs, extension, grid } = node;
  const { startMs, stepMs, count: steps } = grid;
  return {
    func,
    params,
    steps,
    refStartMs,
    refStepMs,
    startMs,
    stepMs,
    rangeMs,
    lookbackMs,
    extension,
    useStarts: useStarts && STARTS_FUNCTIONS.has(func),
    correctsCounters: counterView === 'thanos' && COUNTER_FUNCTIONS.has(func),
    statsOnly,
  };
}

function cutShards(
  set: SeriesSet,
  grouping: Grouping | undefined,
): { shards: Shard[]; samplesMax: number } {
  const estimates = new Float64Array(set.count);
  let samplesMax = 0;
  for (let i = 0; i < set.count; i++) {
    estimates[i] = set.sampleEstimate(i);
    samplesMax += estimates[i] as number;
  }
  // Of about one size, so that nobody waits for the one that has most.
  const size = Math.max(1, samplesMax / Math.max(1, Math.ceil(samplesMax / SHARD_SAMPLES)));
  const bounds = [0];
  let samples = 0;
  for (let i = 0; i < set.count; i++) {
    samples += estimates[i] as number;
    if (samples < size && i < set.count - 1) continue;
    bounds.push(i + 1);
    samples = 0;
  }
  return { shards: shardsOf(bounds, grouping), samplesMax };
}

/** The shards between bounds. */
function shardsOf(bounds: readonly number[], grouping: Grouping | undefined): Shard[] {
  const ranges = bounds.slice(0, -1).map((from, k) => ({ from, to: bounds[k + 1] as number }));
  if (grouping === undefined)
    return ranges.map((range) => ({ ...range, groups: undefined, groupOf: new Uint32Array(0) }));
  const { ids, op, labels } = grouping;
  const homes = new Uint32Array(labels.length);
  const members = ranges.map(({ from, to }) => [...new Set(ids.subarray(from, to))]);
  for (const groups of members)
    for (const group of groups) homes[group] = (homes[group] as number) + 1;
  const local = new Uint32Array(labels.length);
  return ranges.map(({ from, to }, k) => {
    const groups = members[k] as number[];
    const closed = groups.filter((group) => homes[group] === 1);
    const groupOf = Uint32Array.from([...closed, ...groups.filter((group) => homes[group] !== 1)]);
    for (const [id, group] of groupOf.entries()) local[group] = id;
    const own = ids.subarray(from, to).map((group) => local[group] as number);
    return {
      from,
      to,
      groups: { op, count: groupOf.length, closed: closed.length, ids: own },
      groupOf,
    };
  });
}

/** Numbers the groups of all series. Names that the function takes off are not seen by the grouping. */
function groupSeries(ctx: ExecContext, set: SeriesSet, node: ScanNode, by: GroupBy): Grouping {
  const hidden =
    ctx.options.delayedNames || node.keepName ? [] : [METRIC_NAME, '__type__', '__unit__'];
  const names = by.without
    ? [...by.labels, ...hidden]
    : by.labels.filter((label) => !hidden.includes(label));
  const signatures = new Signatures(names, !by.without);
  const ids = new Uint32Array(set.count);
  if (by.without || names.length > 0) {
    for (let i = 0; i < set.count; i++) ids[i] = signatures.id(set.labels(i));
  } else signatures.id(EMPTY_LABELS);
  return { op: by.op as StateOp, ids, labels: signatures.labels, argSpan: by.argSpan };
}

async function runHere(
  ctx: ExecContext,
  set: SeriesSet,
  spec: ScanSpec,
  shards: readonly Shard[],
): Promise<FragmentResult[]> {
  const results: FragmentResult[] = [];
  const load = (shard: Shard | undefined) => {
    const loading = shard === undefined ? undefined : set.load(shard.from, shard.to);
    // Awaited below; if the query ends before that, its failure is nobody's business.
    loading?.catch(() => undefined);
    return loading;
  };
  let loading = load(shards[0]);
  for (const [i, shard] of shards.entries()) {
    await loading;
    // The bytes of the next shard come while this one is computed.
    loading = load(shards[i + 1]);
    const result = scanSeries(set, shard.from, shard.to, spec, shard.groups, () => ctx.check());
    holdResult(ctx, result);
    results.push(result);
    if (i < shards.length - 1) await ctx.breathe();
  }
  return results;
}

async function runElsewhere(
  ctx: ExecContext,
  set: SeriesSet,
  spec: ScanSpec,
  shards: readonly Shard[],
): Promise<FragmentResult[]> {
  const runner = must(ctx.options.runFragments, 'there is a runner');
  const fragments: FragmentSource = {
    count: shards.length,
    share: (number) => {
      const { from, to, groups } = shards[number] as Shard;
      return { spec, series: set.share(from, to), groups };
    },
    run: async (number) => {
      const { from, to, groups } = shards[number] as Shard;
      await set.load(from, to);
      return scanSeries(set, from, to, spec, groups, () => ctx.check());
    },
  };
  const results = await runner(fragments, ctx.options.signal);
  ctx.check();
  for (const result of results) holdResult(ctx, result);
  return results;
}

function holdResult(ctx: ExecContext, result: FragmentResult): void {
  let values = 0;
  for (const count of result.counts) values += count;
  for (const histogram of result.histograms) values += histogramSamples(histogram) - 1;
  for (const { histogram } of result.cells) values += histogramSamples(histogram) - 1;
  ctx.samplesTotal += result.samples;
  ctx.hold(values);
}

/** The rows of all series that have a value. */
function collectRows(
  ctx: ExecContext,
  node: ScanNode,
  set: SeriesSet,
  results: readonly FragmentResult[],
  shards: readonly Shard[],
): StepVectors {
  const steps = node.grid.count;
  const labels: Labels[] = [];
  const rows: (readonly [FragmentResult, number])[] = [];
  for (const [k, result] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (const [i, count] of result.counts.entries()) {
      if (count === 0) continue;
      labels.push(set.labels(from + i));
      rows.push([result, i]);
    }
  }
  annotateSeries(ctx, node, withFloats(results, shards, set));
  noteSeries(ctx, node, results, { shards, set });
  const vectors = newVectors(resultLabels(ctx, node, labels), steps);
  const offsets = new Map<FragmentResult, number>();
  for (const result of results) {
    offsets.set(result, vectors.histograms.length);
    for (const histogram of result.histograms) vectors.histograms.push(histogram);
  }
  for (const [row, [result, i]] of rows.entries()) {
    const { values, present } = result;
    vectors.values.set(values.subarray(i * steps, (i + 1) * steps), row * steps);
    vectors.present.set(present.subarray(i * steps, (i + 1) * steps), row * steps);
    const offset = offsets.get(result) ?? 0;
    if (offset > 0) renumber(vectors, row, offset);
  }
  if (ctx.options.delayedNames && !node.keepName) vectors.dropName.fill(1);
  return isTimestamp(node) ? mergeSameLabels(vectors) : vectors;
}

/** Whether series of equal labels become one, which range functions refuse. */
function isTimestamp({ func }: SeriesFunction): boolean {
  return func === 'timestamp' || func === 'start_timestamp';
}

/** The labels of series that gave a number at any step: notes on names are about those only. */
function withFloats(
  results: readonly FragmentResult[],
  shards: readonly Shard[],
  set: SeriesSet,
): Labels[] {
  const labels: Labels[] = [];
  for (const [k, { counts, floats }] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (let i = 0; i < counts.length; i++) if (floats[i] === 1) labels.push(set.labels(from + i));
  }
  return labels;
}

/** Where what is said of a series points to: quantile_over_time's passing over histograms to its first argument, the quantile. */
export function noteSpan({ func, params, argSpan }: SeriesFunction, note: RangeNote): Span {
  const ofQuantile = func === 'quantile_over_time' && note === 'histograms ignored';
  return (ofQuantile ? params[0]?.span : undefined) ?? argSpan;
}

/** Says what the fragments noted about their series. */
function noteSeries(
  ctx: ExecContext,
  node: ScanNode,
  results: readonly FragmentResult[],
  { shards, set }: { readonly shards: readonly Shard[]; readonly set: SeriesSet },
): void {
  for (const [k, { notes }] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (const { series, note } of notes)
      ctx.annotations.ofSeries(
        note,
        set.labels(from + series).get(METRIC_NAME),
        noteSpan(node, note),
      );
  }
}

/** The values of all groups that have one. */
function collectGroups(
  ctx: ExecContext,
  node: ScanNode,
  set: SeriesSet,
  results: readonly FragmentResult[],
  { shards, grouping }: { shards: readonly Shard[]; grouping: Grouping },
): StepVectors {
  checkGrouped(ctx, node, set, results, shards);
  const steps = node.grid.count;
  const order = groupOrder(results, shards, grouping);
  const rowOf = new Int32Array(grouping.labels.length).fill(-1);
  for (const [row, group] of order.entries()) rowOf[group] = row;
  const vectors = newVectors(
    order.map((group) => grouping.labels[group] as Labels),
    steps,
  );
  const { values, present } = vectors;
  for (const [k, result] of results.entries()) {
    const { groups, groupOf } = shards[k] as Shard;
    putRows(vectors, result, groupOf.subarray(0, groups?.closed), rowOf);
  }
  mergeOpen(vectors, results, shards, { grouping, rowOf });
  const groups = groupHistograms(ctx, node, set, results, { shards, grouping, rowOf });
  const histograms = groups?.finish(values, present) ?? [];
  if (ctx.options.delayedNames && !node.keepName) vectors.dropName.fill(1);
  return withoutEmptyRows({ ...vectors, histograms });
}

/** Puts rows of groups where they belong. */
function putRows(
  { values, present, steps }: StepVectors,
  rows: Pick<StepVectors, 'values' | 'present'>,
  groupOf: Uint32Array,
  rowOf: Int32Array,
): void {
  for (let g = 0; g < groupOf.length; g++) {
    const row = rowOf[groupOf[g] as number] as number;
    if (row < 0) continue;
    const [from, to] = [g * steps, (g + 1) * steps];
    values.set(rows.values.subarray(from, to), row * steps);
    present.set(rows.present.subarray(from, to), row * steps);
  }
}

/** Merges the groups that several shards have, and puts their rows where they belong. */
function mergeOpen(
  vectors: StepVectors,
  results: readonly FragmentResult[],
  shards: readonly Shard[],
  { grouping, rowOf }: { readonly grouping: Grouping; readonly rowOf: Int32Array },
): void {
  const open = shards.map(({ groups, groupOf }) => groupOf.subarray(groups?.closed));
  const groupOf = Uint32Array.from(new Set(open.flatMap((groups) => [...groups])));
  if (groupOf.length === 0) return;
  const merged = newStates(grouping.op, groupOf.length, vectors.steps);
  const numbers = new Int32Array(grouping.labels.length);
  for (const [number, group] of groupOf.entries()) numbers[group] = number;
  const touched = new Uint8Array(groupOf.length);
  for (const [k, groups] of open.entries()) {
    const { states } = results[k] as FragmentResult;
    if (states === undefined) continue;
    const into = groups.map((group) => numbers[group] as number);
    mergeStates(merged, states, into, touched);
  }
  putRows(vectors, finishStates(merged), groupOf, rowOf);
}

/** Adds up the native histograms of all groups, or says that they are passed over; undefined when there are none. */
function groupHistograms(
  ctx: ExecContext,
  node: ScanNode,
  set: SeriesSet,
  results: readonly FragmentResult[],
  { shards, grouping, rowOf }: { shards: readonly Shard[]; grouping: Grouping; rowOf: Int32Array },
): HistogramGroups | undefined {
  if (results.every(({ cells }) => cells.length === 0)) return undefined;
  const { op } = grouping;
  if (op === 'min' || op === 'max') ctx.annotations.ignoredInAggregation(op, grouping.argSpan);
  if (op !== 'sum' && op !== 'avg') return undefined;
  const groups = new HistogramGroups(op, node.grid.count, ctx.annotations, grouping.argSpan);
  for (const [k, { cells }] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (const { series, step, histogram } of cells) {
      const keepsName = node.keepName || ctx.options.delayedNames;
      const metric = keepsName ? set.labels(from + series).get(METRIC_NAME) : '';
      const row = rowOf[grouping.ids[from + series] as number] as number;
      groups.add(row, step, histogram, metric);
    }
  }
  return groups;
}

/** The groups by their first series that has a value: others may be selected for the sake of another scan. */
function groupOrder(
  results: readonly FragmentResult[],
  shards: readonly Shard[],
  { ids, labels }: Grouping,
): number[] {
  const order: number[] = [];
  const seen = new Uint8Array(labels.length);
  for (const [k, { counts }] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (let i = 0; i < counts.length; i++) {
      const group = ids[from + i] as number;
      if (counts[i] === 0 || seen[group] === 1) continue;
      seen[group] = 1;
      order.push(group);
    }
  }
  return order;
}

/** What must be said, or refused, about the series even though only their groups are kept. */
function checkGrouped(
  ctx: ExecContext,
  node: ScanNode,
  set: SeriesSet,
  results: readonly FragmentResult[],
  shards: readonly Shard[],
): void {
  const annotated = node.func === 'rate' || node.func === 'increase';
  const named = node.select.matchers.some((m) => m.name === METRIC_NAME && m.type === '=');
  const mayCollide = !node.keepName && !ctx.options.delayedNames && !named;
  noteSeries(ctx, node, results, { shards, set });
  if (annotated) annotateSeries(ctx, node, withFloats(results, shards, set));
  if (!mayCollide) return;
  const labels: Labels[] = [];
  for (const [k, { counts }] of results.entries()) {
    const { from } = shards[k] as Shard;
    for (const [i, count] of counts.entries()) if (count > 0) labels.push(set.labels(from + i));
  }
  resultLabels(ctx, node, labels);
}

/** The labels of a function's results, before any delayed removal. */
export function resultLabels(ctx: ExecContext, node: SeriesFunction, labels: Labels[]): Labels[] {
  if (node.keepName || ctx.options.delayedNames) return labels;
  const dropped = labels.map(dropMetadata);
  if (!isTimestamp(node)) refuseSameLabels(dropped);
  return dropped;
}

const COUNTER_SUFFIX = /_(?:total|sum|count|bucket)$/;

/** Notes about the arguments and the series that had a result. */
export function annotateSeries(
  ctx: ExecContext,
  node: SeriesFunction,
  labels: readonly Labels[],
): void {
  if (node.func !== 'rate' && node.func !== 'increase') return;
  for (const label of labels) {
    const name = label.get(METRIC_NAME);
    if (name === '') continue;
    if (ctx.options.typeAndUnitLabels) {
      const type = label.get('__type__');
      if (type === 'counter' || type === 'histogram') continue;
      ctx.annotations.possibleNonCounterType(name, type, node.argSpan);
    } else if (!COUNTER_SUFFIX.test(name)) {
      ctx.annotations.possibleNonCounter(name, node.argSpan);
    }
  }
}

/**
 * Checks scalar arguments that have limits: where there are samples in any window, or results.
 * @throws CodedError execution when a smoothing factor is outside its range.
 */
export function checkParams(
  ctx: ExecContext,
  node: SeriesFunction,
  params: readonly Float64Array[],
  { samples, rows }: { readonly samples: number; readonly rows: number },
): void {
  if (node.func === 'quantile_over_time' && rows > 0) {
    for (const q of params[0] ?? []) {
      const span = node.params[0]?.span ?? node.argSpan;
      if (!(q >= 0 && q <= 1)) ctx.annotations.invalidQuantile(q, span);
    }
  }
  if (node.func !== 'double_exponential_smoothing' || samples === 0) return;
  const limits = [
    ['smoothing', 'sf'],
    ['trend', 'tf'],
  ] as const;
  for (const [i, [name, symbol]] of limits.entries()) {
    for (const factor of params[i] ?? []) {
      if (!(factor <= 0 || factor >= 1)) continue;
      const got = Number.isFinite(factor) ? factor.toFixed(6) : printFloat(factor);
      const text = `invalid ${name} factor. Expected: 0 < ${symbol} < 1, got: ${got}`;
      throw new CodedError('execution', text);
    }
  }
}
