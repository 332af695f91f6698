/** Functions of vectors and scalars, by their PromQL names. */
import { CodedError } from '../../lib/errors.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { EMPTY_LABELS, compareLabels, type Labels } from '../../model/labels.ts';
import {
  DATE_FUNCTIONS,
  MATH_FUNCTIONS,
  clampTo,
  goMax,
  goMin,
  roundTo,
} from '../funcs/elementwise.ts';
import { nativeVariance } from '../funcs/native-quantile.ts';
import type { CallNode, Grid } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { histogramFraction, histogramQuantile, histogramQuantiles } from './histogram-calls.ts';
import { labelJoin, labelReplace } from './label-functions.ts';
import { compareNatural } from './natural-order.ts';
import { mergeResult, removeNames } from './same-labels.ts';
import {
  FLOAT,
  HISTOGRAM,
  dropHistograms,
  histogramOf,
  newVectors,
  reorderRows,
  type StepScalars,
  type StepVectors,
  type Value,
} from './step-vectors.ts';

/** Evaluates a call whose arguments are computed already. */
export function evaluateCall(ctx: ExecContext, node: CallNode, args: readonly Value[]): Value {
  const { func, grid } = node;
  const math = MATH_FUNCTIONS.get(func);
  if (math !== undefined) return mapValues(ctx, vectorsAt(args, 0), math);
  const date = DATE_FUNCTIONS.get(func);
  if (date !== undefined) return evaluateDate(ctx, grid, args, date);
  const handler = HANDLERS.get(func);
  if (handler === undefined) {
    throw new CodedError('not_implemented', `function "${func}" is not implemented yet`);
  }
  return handler(ctx, node, args);
}

type Handler = (ctx: ExecContext, node: CallNode, args: readonly Value[]) => Value;

function vectorsAt(args: readonly Value[], i: number): StepVectors {
  const value = args[i];
  if (value?.kind === 'vectors') return value;
  throw new CodedError('internal', `argument ${i + 1} is no vector`);
}

function scalarsAt(args: readonly Value[], i: number): Float64Array {
  const value = args[i];
  if (value?.kind === 'scalars') return value.values;
  throw new CodedError('internal', `argument ${i + 1} is no scalar`);
}

function textAt(args: readonly Value[], i: number): string {
  const value = args[i];
  return value?.kind === 'string' ? value.value : '';
}

/** Evaluation times in seconds. */
function times({ startMs, stepMs, count }: Grid): Float64Array {
  return new Float64Array(count).map((_, s) => (startMs + s * stepMs) / 1000);
}

/** Changes every number in place and takes histograms out, and the names off. */
function mapValues(
  ctx: ExecContext,
  vectors: StepVectors,
  change: (value: number, step: number) => number,
): StepVectors {
  const { values, present, steps } = vectors;
  for (let i = 0, s = 0; i < present.length; i++) {
    if (present[i] === 1) values[i] = change(values[i] as number, s);
    if (++s === steps) s = 0;
  }
  return removeNames(ctx, dropHistograms(vectors));
}

function evaluateDate(
  ctx: ExecContext,
  grid: Grid,
  args: readonly Value[],
  part: (seconds: number) => number,
): StepVectors {
  if (args.length > 0) return mapValues(ctx, vectorsAt(args, 0), part);
  // Without an argument the evaluation time counts, in whole seconds.
  return oneSeries(times(grid).map((t) => part(Math.trunc(t))));
}

/** A vector of one series without labels. */
function oneSeries(values: Float64Array): StepVectors {
  const vectors = newVectors([EMPTY_LABELS], 0);
  const present = new Uint8Array(values.length).fill(1);
  return { ...vectors, steps: values.length, values, present };
}

function scalars(values: Float64Array): StepScalars {
  return { kind: 'scalars', values };
}

/** scalar(): the value of the only series, else NaN. */
function toScalar({ labels, values, present, steps }: StepVectors): Float64Array {
  const out = new Float64Array(steps).fill(NaN);
  const seen = new Uint8Array(steps);
  for (let i = 0; i < labels.length * steps; i++) {
    if (present[i] !== 1) continue;
    const s = i % steps;
    out[s] = seen[s] === 0 ? (values[i] as number) : NaN;
    seen[s] = 1;
  }
  return out;
}

function clamp(
  ctx: ExecContext,
  vectors: StepVectors,
  min: Float64Array,
  max: Float64Array,
): StepVectors {
  const { present, steps } = vectors;
  for (let i = 0; i < present.length; i++) {
    const s = i % steps;
    if ((max[s] as number) < (min[s] as number)) present[i] = 0;
  }
  return mapValues(ctx, vectors, (value, s) => clampTo(value, min[s] as number, max[s] as number));
}

/** The rows in another order; rows without a value go. Only for one step. */
function sortRows(vectors: StepVectors, compare: (a: number, b: number) => number): StepVectors {
  const order = vectors.labels.map((_, i) => i).filter((i) => vectors.present[i] !== 0);
  return reorderRows(vectors, order.sort(compare));
}

/** sort() and sort_desc(): NaN comes last in both. */
function sortByValue(sign: 1 | -1): Handler {
  return (ctx, node, args) => {
    const vectors = vectorsAt(args, 0);
    if (vectors.steps !== 1) {
      ctx.annotations.sortInRange(node.span);
      return dropHistograms(vectors);
    }
    const { values } = vectors;
    return sortRows(dropHistograms(vectors), (a, b) => {
      const [x, y] = [values[a] as number, values[b] as number];
      if (Number.isNaN(x) || Number.isNaN(y))
        return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
      return sign * (x < y ? -1 : Number(x > y));
    });
  };
}

/** sort_by_label() and sort_by_label_desc(): numbers inside the values count as numbers. */
function sortByLabel(sign: 1 | -1): Handler {
  return (ctx, node, args) => {
    const vectors = vectorsAt(args, 0);
    if (vectors.steps !== 1) {
      ctx.annotations.sortInRange(node.span);
      return vectors;
    }
    const names = args.slice(1).map((_, i) => textAt(args, i + 1));
    const { labels } = vectors;
    return sortRows(vectors, (a, b) => {
      const [x, y] = [labels[a] as Labels, labels[b] as Labels];
      for (const name of names) {
        const order = compareNatural(x.get(name), y.get(name));
        if (order !== 0) return sign * order;
      }
      return sign * compareLabels(x, y);
    });
  };
}

/** A function of native histograms; numbers go. */
function ofHistograms(value: (histogram: FloatHistogram) => number): Handler {
  return (ctx, _node, args) => {
    const vectors = vectorsAt(args, 0);
    const { values, present } = vectors;
    for (let i = 0; i < present.length; i++) {
      if (present[i] === HISTOGRAM) {
        values[i] = value(histogramOf(vectors, i));
        present[i] = FLOAT;
      } else present[i] = 0;
    }
    return removeNames(ctx, { ...vectors, histograms: [] });
  };
}

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['time', (_ctx, { grid }) => scalars(times(grid))],
  ['scalar', (_ctx, _node, args) => scalars(toScalar(vectorsAt(args, 0)))],
  ['vector', (_ctx, _node, args) => oneSeries(scalarsAt(args, 0))],
  [
    'max_of',
    (_ctx, _node, args) => {
      const other = scalarsAt(args, 1);
      return scalars(scalarsAt(args, 0).map((a, s) => goMax(a, other[s] as number)));
    },
  ],
  [
    'min_of',
    (_ctx, _node, args) => {
      const other = scalarsAt(args, 1);
      return scalars(scalarsAt(args, 0).map((a, s) => goMin(a, other[s] as number)));
    },
  ],
  [
    'timestamp',
    (ctx, { grid }, args) => {
      const at = times(grid);
      const vectors = vectorsAt(args, 0);
      const { present } = vectors;
      for (let i = 0; i < present.length; i++) if (present[i] !== 0) present[i] = FLOAT;
      return mapValues(ctx, { ...vectors, histograms: [] }, (_value, s) => at[s] as number);
    },
  ],
  // Of an expression nobody knows when its samples began.
  ['start_timestamp', (_ctx, { grid }) => newVectors([], grid.count)],
  ['histogram_count', ofHistograms(({ count }) => count)],
  ['histogram_sum', ofHistograms(({ sum }) => sum)],
  ['histogram_avg', ofHistograms(({ count, sum }) => sum / count)],
  ['histogram_stdvar', ofHistograms(nativeVariance)],
  ['histogram_stddev', ofHistograms((histogram) => Math.sqrt(nativeVariance(histogram)))],
  [
    'clamp',
    (ctx, _node, args) => clamp(ctx, vectorsAt(args, 0), scalarsAt(args, 1), scalarsAt(args, 2)),
  ],
  [
    'clamp_min',
    (ctx, { grid }, args) => {
      const max = new Float64Array(grid.count).fill(Infinity);
      return clamp(ctx, vectorsAt(args, 0), scalarsAt(args, 1), max);
    },
  ],
  [
    'clamp_max',
    (ctx, { grid }, args) => {
      const min = new Float64Array(grid.count).fill(-Infinity);
      return clamp(ctx, vectorsAt(args, 0), min, scalarsAt(args, 1));
    },
  ],
  [
    'round',
    (ctx, _node, args) => {
      const nearest = args.length > 1 ? scalarsAt(args, 1) : undefined;
      const inverse = nearest?.map((x) => 1 / x);
      return mapValues(ctx, vectorsAt(args, 0), (value, s) => roundTo(value, inverse?.[s] ?? 1));
    },
  ],
  ['sort', sortByValue(1)],
  ['sort_desc', sortByValue(-1)],
  ['sort_by_label', sortByLabel(1)],
  ['sort_by_label_desc', sortByLabel(-1)],
  [
    'label_replace',
    (ctx, _node, args) =>
      labelReplace(ctx, vectorsAt(args, 0), {
        target: textAt(args, 1),
        replacement: textAt(args, 2),
        source: textAt(args, 3),
        pattern: textAt(args, 4),
      }),
  ],
  [
    'label_join',
    (ctx, _node, args) => {
      const sources = args.slice(3).map((_, i) => textAt(args, i + 3));
      return labelJoin(ctx, vectorsAt(args, 0), textAt(args, 1), textAt(args, 2), sources);
    },
  ],
  [
    'histogram_quantile',
    (ctx, node, args) =>
      mergeResult(ctx, node, histogramQuantile(ctx, node, scalarsAt(args, 0), vectorsAt(args, 1))),
  ],
  [
    'histogram_quantiles',
    (ctx, node, args) => {
      const qs = args.slice(2).map((_, i) => scalarsAt(args, i + 2));
      return mergeResult(
        ctx,
        node,
        histogramQuantiles(ctx, node, vectorsAt(args, 0), textAt(args, 1), qs),
      );
    },
  ],
  [
    'histogram_fraction',
    (ctx, node, args) => {
      const bounds = { lower: scalarsAt(args, 0), upper: scalarsAt(args, 1) };
      return mergeResult(ctx, node, histogramFraction(ctx, node, bounds, vectorsAt(args, 2)));
    },
  ],
]);
