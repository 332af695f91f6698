/** Aggregations. */
import { EMPTY_LABELS, METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import type { AggregateExpr } from '../../../src/promql/parse/ast.ts';
import { quote } from '../../../src/promql/parse/quote.ts';
import { aggregateGroup } from './aggregate-group.ts';
import { formatFixed, goMax, goMin, formatShortest } from './go-math.ts';
import { describeHistogram } from './histogram-text.ts';
import { everyStep, isInstant, withOneDropName, type Evaluation, type Grid } from './query.ts';
import { NaiveError, type Sample, type Vector } from './sample.ts';
import { SELECTIONS, type Selection } from './select-k.ts';
import { stringOf } from './label-functions.ts';

/** What an aggregation is at each step. */
export function aggregateVectors(
  evaluation: Evaluation,
  expr: AggregateExpr,
  grid: Grid,
): readonly Vector[] {
  const { op, param } = expr;
  if (op === 'count_values') return countValues(evaluation, expr, grid);
  const params = param === undefined ? [] : evaluation.scalars(param, grid);
  const vectors = evaluation.vectors(expr.expr, grid);
  const select = SELECTIONS.get(op);
  if (select !== undefined) return selectVectors(expr, { vectors, params, select });
  const steps = vectors.map((vector, i) =>
    groupsOf(expr, vector).flatMap(({ labels, members }): Sample[] => {
      const value = aggregateGroup(op, members, params[i] ?? NaN);
      const dropName = members.some((sample) => sample.dropName);
      return value === undefined ? [] : [{ labels, value, dropName }];
    }),
  );
  return isInstant(grid) ? steps : withOneDropName(steps, 'last');
}

interface Group {
  readonly labels: Labels;
  readonly members: Sample[];
}

/** Samples by their grouping labels, in the order in which groups occur. */
function groupsOf({ grouping, without }: AggregateExpr, vector: Vector): Group[] {
  const groups = new Map<string, Group>();
  for (const sample of vector) {
    const labels = groupLabels(sample.labels, grouping, without);
    const group = groups.get(labels.key) ?? { labels, members: [] };
    groups.set(labels.key, group);
    group.members.push(sample);
  }
  return [...groups.values()];
}

function groupLabels(labels: Labels, grouping: readonly string[], without: boolean): Labels {
  if (without) return labels.drop(new Set([...grouping, METRIC_NAME]));
  return grouping.length === 0 ? EMPTY_LABELS : labels.keep(new Set(grouping));
}

interface SelectionInput {
  readonly vectors: readonly Vector[];
  readonly params: readonly number[];
  readonly select: Selection;
}

/** topk and its kin: some samples of each group, as they are. */
function selectVectors(expr: AggregateExpr, { vectors, params, select }: SelectionInput): Vector[] {
  if (nothingSelected(expr, params)) return vectors.map(() => []);
  return vectors.map((vector, i) =>
    groupsOf(expr, vector).flatMap(({ members }) => select(members, params[i] ?? NaN)),
  );
}

/** Whether no step selects anything; otherwise the parameters of all steps are checked. */
function nothingSelected({ op }: AggregateExpr, params: readonly number[]): boolean {
  const isRatio = op === 'limit_ratio';
  const max = params.reduce(goMax, -Number.MAX_VALUE);
  const min = params.reduce(goMin, Number.MAX_VALUE);
  if (isRatio ? max === 0 && min === 0 : max < 1) return true;
  if (params.some(Number.isNaN)) {
    throw new NaiveError(isRatio ? 'Ratio value is NaN' : 'Parameter value is NaN');
  }
  if (isRatio) return false;
  if (min <= -(2 ** 63))
    throw new NaiveError(`Scalar value ${formatShortest(min)} underflows int64`);
  if (max >= 2 ** 63) throw new NaiveError(`Scalar value ${formatShortest(max)} overflows int64`);
  return false;
}

/** count_values("label", v): how often each value occurs. */
function countValues(evaluation: Evaluation, expr: AggregateExpr, grid: Grid): readonly Vector[] {
  const name = stringOf(expr.param);
  if (name === '') throw new NaiveError(`invalid label name ${quote(name)}`);
  const vectors = evaluation.vectors(expr.expr, grid);
  const grouping = expr.without ? expr.grouping : [...expr.grouping, name];
  return everyStep(evaluation, grid, (i) => {
    const labelled = (vectors[i] ?? []).map((sample): Sample => {
      const { value } = sample;
      const text = typeof value === 'number' ? formatFixed(value) : describeHistogram(value);
      return { ...sample, labels: sample.labels.with(name, text) };
    });
    return groupsOf({ ...expr, grouping }, labelled).map(({ labels, members }) => ({
      labels,
      value: members.length,
      dropName: false,
    }));
  });
}
