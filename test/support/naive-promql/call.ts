/** Calls of functions that give instant vectors. */
import { EMPTY_LABELS, type Labels } from '../../../src/model/labels.ts';
import {
  unwrapParens,
  valueType,
  type CallExpr,
  type Expr,
} from '../../../src/promql/parse/ast.ts';
import { absentLabels } from './absent.ts';
import {
  classicFraction,
  classicHistograms,
  classicQuantile,
  type ClassicHistogram,
} from './classic-histograms.ts';
import { FLOAT_FUNCTIONS } from './float-functions.ts';
import { formatOpenMetrics } from './go-math.ts';
import { histogramFraction, histogramQuantile, histogramVariance } from './histogram-functions.ts';
import type { NaiveHistogram } from './histogram.ts';
import { infoVectors } from './info.ts';
import { labelJoin, labelReplace, sortByLabels, stringOf } from './label-functions.ts';
import { everyStep, timesOf, type Evaluation, type Grid } from './query.ts';
import { rangeCall } from './range-call.ts';
import { dropMetadata, type Sample, type Value, type Vector } from './sample.ts';
import { lastPoint, lookedAt, matchingSeries } from './select.ts';

/** What a call is at each step. */
export function callVectors(evaluation: Evaluation, call: CallExpr, grid: Grid): readonly Vector[] {
  const { func, args } = call;
  const [first] = args;
  if (args.some((arg) => valueType(arg) === 'matrix')) return rangeCall(evaluation, call, grid);
  switch (func.name) {
    case 'label_replace':
      return labelReplace(evaluation, call, grid);
    case 'label_join':
      return labelJoin(evaluation, call, grid);
    case 'info':
      return infoVectors(evaluation, call, grid);
    case 'vector': {
      const values = evaluation.scalars(first as Expr, grid);
      return everyStep(evaluation, grid, (i) => [unnamed(values[i] as number)]);
    }
    case 'timestamp':
      return timestamps(evaluation, first as Expr, grid);
    default:
      return vectorCall(evaluation, call, grid);
  }
}

function unnamed(value: number, labels: Labels = EMPTY_LABELS): Sample {
  return { labels, value, dropName: false };
}

/** A sample computed from another one, whose name it cannot keep. */
export function renamed(evaluation: Evaluation, labels: Labels, value: Value): Sample {
  return { labels: evaluation.delayedNames ? labels : dropMetadata(labels), value, dropName: true };
}

/** Functions of one vector and scalars. */
function vectorCall(evaluation: Evaluation, call: CallExpr, grid: Grid): readonly Vector[] {
  const { func, args } = call;
  const vectorArg = args.find((arg) => valueType(arg) === 'vector');
  const columns: (readonly number[])[] = [];
  let vectors: readonly Vector[] | undefined;
  // In the order of the arguments: the first that fails says why.
  for (const arg of args) {
    if (arg === vectorArg) vectors = evaluation.vectors(arg, grid);
    else if (valueType(arg) === 'scalar') columns.push(evaluation.scalars(arg, grid));
  }
  const times = timesOf(grid);
  const input = vectors ?? times.map((t): Vector => [unnamed(Math.trunc(t / 1000))]);
  return everyStep(evaluation, grid, (i) => {
    const params = columns.map((column) => column[i] as number);
    return applyToVector(evaluation, { name: func.name, args, vector: input[i] ?? [], params });
  });
}

interface VectorCall {
  readonly name: string;
  readonly args: readonly Expr[];
  readonly vector: Vector;
  readonly params: readonly number[];
}

function applyToVector(evaluation: Evaluation, call: VectorCall): Vector {
  const { name, args, vector, params } = call;
  const [a = NaN, b = NaN] = params;
  const texts = args.filter((arg) => valueType(arg) === 'string').map(stringOf);
  switch (name) {
    case 'absent':
      return vector.length > 0 ? [] : [unnamed(1, absentLabels(args[0] as Expr))];
    case 'sort':
      return sortByValue(vector, 1);
    case 'sort_desc':
      return sortByValue(vector, -1);
    case 'sort_by_label':
      return sortByLabels(vector, texts, 1);
    case 'sort_by_label_desc':
      return sortByLabels(vector, texts, -1);
    case 'start_timestamp':
      return [];
    case 'histogram_quantile':
      return ofHistograms(evaluation, vector, {
        native: (h) => histogramQuantile(a, h),
        classic: (h) => classicQuantile(a, h),
      });
    case 'histogram_fraction':
      return ofHistograms(evaluation, vector, {
        native: (h) => histogramFraction(a, b, h),
        classic: (h) => classicFraction(a, b, h),
      });
    case 'histogram_quantiles':
      return quantiles(evaluation, vector, texts[0] ?? '', params);
    default:
      return floats(evaluation, call);
  }
}

/** Several quantiles, told apart by a label. */
function quantiles(
  evaluation: Evaluation,
  vector: Vector,
  label: string,
  shares: readonly number[],
): Vector {
  return shares.flatMap((q) => {
    const of = {
      native: (h: NaiveHistogram) => histogramQuantile(q, h),
      classic: (h: ClassicHistogram) => classicQuantile(q, h),
    };
    return ofHistograms(evaluation, vector, of).map((sample) => ({
      ...sample,
      labels: sample.labels.with(label, formatOpenMetrics(q)),
    }));
  });
}

interface HistogramFunctions {
  readonly native: (h: NaiveHistogram) => number;
  readonly classic: (h: ClassicHistogram) => number;
}

/** Of native and classic histograms; where both have the same labels there is no answer. */
function ofHistograms(
  evaluation: Evaluation,
  vector: Vector,
  { native, classic }: HistogramFunctions,
): Vector {
  const all = classicHistograms(vector);
  const classics = new Set(all.map(({ labels }) => labels.key));
  const natives = vector.filter(({ value }) => typeof value !== 'number');
  const keys = new Set(natives.map(({ labels }) => labels.key));
  return [
    ...natives
      .filter(({ labels }) => !classics.has(labels.key))
      .map(({ labels, value }) => renamed(evaluation, labels, native(value as NaiveHistogram))),
    ...all
      .filter(({ labels }) => !keys.has(labels.key))
      .map((histogram) => renamed(evaluation, histogram.labels, classic(histogram))),
  ];
}

const HISTOGRAM_FUNCTIONS: ReadonlyMap<string, (h: NaiveHistogram) => number> = new Map<
  string,
  (h: NaiveHistogram) => number
>([
  ['histogram_count', ({ count }) => count],
  ['histogram_sum', ({ sum }) => sum],
  ['histogram_avg', ({ sum, count }) => sum / count],
  ['histogram_stdvar', histogramVariance],
  ['histogram_stddev', (h) => Math.sqrt(histogramVariance(h))],
]);

/** Functions of native histograms; only the name goes. */
function ofNatives(
  { delayedNames }: Evaluation,
  vector: Vector,
  compute: (h: NaiveHistogram) => number,
): Vector {
  return vector.flatMap(({ labels, value }): Sample[] => {
    if (typeof value === 'number') return [];
    const kept = delayedNames ? labels : labels.dropMetricName();
    return [{ labels: kept, value: compute(value), dropName: true }];
  });
}

function floats(evaluation: Evaluation, { name, vector, params }: VectorCall): Vector {
  const ofHistogram = HISTOGRAM_FUNCTIONS.get(name);
  if (ofHistogram !== undefined) return ofNatives(evaluation, vector, ofHistogram);
  const compute = FLOAT_FUNCTIONS.get(name);
  if (compute === undefined) throw new Error(`the naive evaluator does not know ${name}()`);
  return vector.flatMap(({ labels, value }): Sample[] => {
    if (typeof value !== 'number') return [];
    const result = compute(value, params);
    return result === undefined ? [] : [renamed(evaluation, labels, result)];
  });
}

/** NaN comes last in both directions. */
function sortByValue(vector: Vector, sign: 1 | -1): Vector {
  const ofFloats = vector.filter(({ value }) => typeof value === 'number');
  return ofFloats.toSorted((p, q) => {
    const [x, y] = [p.value as number, q.value as number];
    if (Number.isNaN(x) || Number.isNaN(y))
      return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
}

/** Of a selector the times of its samples, of anything else those of the steps. */
function timestamps(evaluation: Evaluation, arg: Expr, grid: Grid): readonly Vector[] {
  const expr = unwrapParens(arg);
  if (expr.kind !== 'selector') {
    const vectors = evaluation.vectors(expr, grid);
    return everyStep(evaluation, grid, (i, t) =>
      (vectors[i] ?? []).map(({ labels }) => renamed(evaluation, labels, t / 1000)),
    );
  }
  const matching = matchingSeries(evaluation, expr.matchers);
  return everyStep(evaluation, grid, (_, t) =>
    matching.flatMap((series) => {
      const point = lastPoint(evaluation, series, lookedAt(evaluation, expr, t));
      return point === undefined ? [] : [renamed(evaluation, series.labels, point.t / 1000)];
    }),
  );
}
