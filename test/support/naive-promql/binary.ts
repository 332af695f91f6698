/** Binary operations with a vector on at least one side. */
import { METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import {
  isComparison,
  isSetOperator,
  valueType,
  type BinaryExpr,
  type VectorMatching,
} from '../../../src/promql/parse/ast.ts';
import { compareUtf8 } from '../../../src/lib/utf8.ts';
import { quoteLabels } from './label-text.ts';
import { makesAnotherMetric, operate } from './operators.ts';
import { everyStep, type Evaluation, type Grid } from './query.ts';
import { dropMetadata, NaiveError, type Sample, type Value, type Vector } from './sample.ts';

/** What a binary expression is at each step. */
export function binaryVectors(
  evaluation: Evaluation,
  expr: BinaryExpr,
  grid: Grid,
): readonly Vector[] {
  const { lhs, rhs, matching } = expr;
  if (valueType(lhs) === 'scalar') {
    const numbers = evaluation.scalars(lhs, grid);
    const vectors = evaluation.vectors(rhs, grid);
    return everyStep(evaluation, grid, (i) =>
      withScalar(evaluation, expr, {
        vector: vectors[i] ?? [],
        scalar: numbers[i] as number,
        swapped: true,
      }),
    );
  }
  const left = evaluation.vectors(lhs, grid);
  if (valueType(rhs) === 'scalar') {
    const numbers = evaluation.scalars(rhs, grid);
    return everyStep(evaluation, grid, (i) =>
      withScalar(evaluation, expr, {
        vector: left[i] ?? [],
        scalar: numbers[i] as number,
        swapped: false,
      }),
    );
  }
  const right = evaluation.vectors(rhs, grid);
  if (matching === undefined) throw new Error('vectors are matched somehow');
  return everyStep(evaluation, grid, (i) => {
    const [a, b] = [left[i] ?? [], right[i] ?? []];
    if (isSetOperator(expr.op)) return combineSets(expr.op, a, b, matching);
    return matchVectors(evaluation, expr, matching, a, b);
  });
}

interface ScalarOperation {
  readonly vector: Vector;
  readonly scalar: number;
  /** Whether the scalar stands on the left. */
  readonly swapped: boolean;
}

function withScalar(
  { delayedNames }: Evaluation,
  { op, returnBool }: BinaryExpr,
  { vector, scalar, swapped }: ScalarOperation,
): Vector {
  const isChanged = makesAnotherMetric(op) || returnBool;
  return vector.flatMap((sample): Sample[] => {
    const outcome = swapped ? operate(op, scalar, sample.value) : operate(op, sample.value, scalar);
    if (outcome === undefined || (!outcome.keep && !returnBool)) return [];
    let { value } = outcome;
    if (returnBool) value = Number(outcome.keep);
    else if (isComparison(op)) ({ value } = sample);
    if (!isChanged) return [{ ...sample, value }];
    const labels = delayedNames ? sample.labels : dropMetadata(sample.labels);
    return [{ labels, value, dropName: true }];
  });
}

/** The labels that samples are matched by. */
function matchLabels(labels: Labels, { on, labels: names }: VectorMatching): Labels {
  return on ? labels.keep(new Set(names)) : labels.drop(new Set([...names, METRIC_NAME]));
}

function combineSets(
  op: 'and' | 'or' | 'unless',
  left: Vector,
  right: Vector,
  matching: VectorMatching,
): Vector {
  const keysOf = (vector: Vector) =>
    new Set(vector.map(({ labels }) => matchLabels(labels, matching).key));
  const isIn = (keys: ReadonlySet<string>, { labels }: Sample) =>
    keys.has(matchLabels(labels, matching).key);
  const inRight = keysOf(right);
  if (op === 'and') return left.filter((sample) => isIn(inRight, sample));
  if (op === 'unless') return left.filter((sample) => !isIn(inRight, sample));
  const inLeft = keysOf(left);
  return [...left, ...right.filter((sample) => !isIn(inLeft, sample))];
}

/** One-to-one, many-to-one and one-to-many: `many` and `one` are the same side in turn for the first. */
function matchVectors(
  evaluation: Evaluation,
  expr: BinaryExpr,
  matching: VectorMatching,
  left: Vector,
  right: Vector,
): Vector {
  const { fillLeft, fillRight, card } = matching;
  const filled = fillLeft !== undefined || fillRight !== undefined;
  if (left.length === 0 && right.length === 0) return [];
  if ((left.length === 0 || right.length === 0) && !filled) return [];
  const swapped = card === 'one-to-many';
  const [many, one] = swapped ? [right, left] : [left, right];
  const ones = uniqueByKey(one, matching);
  const results = new Map<string, Set<string>>();
  const out: Sample[] = [];
  const join = (key: string, a: Sample, b: Sample): void => {
    const sample = joined(evaluation, expr, matching, swapped ? { a: b, b: a } : { a, b });
    if (sample === undefined) return;
    const seen = results.get(key) ?? new Set();
    results.set(key, seen);
    refuseSecond(seen, sample.labels, card);
    seen.add(sample.labels.key);
    if (sample.keep) out.push(sample);
  };
  for (const sample of many) {
    const labels = matchLabels(sample.labels, matching);
    const match = ones.get(labels.key) ?? filler(labels, fillRight);
    if (match !== undefined) join(labels.key, sample, match);
  }
  for (const sample of one) {
    const labels = matchLabels(sample.labels, matching);
    const match = filler(labels, fillLeft);
    if (match !== undefined && !results.has(labels.key)) join(labels.key, match, sample);
  }
  return out.map(({ labels, value, dropName }) => ({ labels, value, dropName }));
}

function filler(labels: Labels, value: number | undefined): Sample | undefined {
  return value === undefined ? undefined : { labels, value, dropName: false };
}

function refuseSecond(
  seen: ReadonlySet<string>,
  labels: Labels,
  card: VectorMatching['card'],
): void {
  if (card === 'one-to-one' && seen.size > 0) {
    throw new NaiveError(
      'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    );
  }
  if (seen.has(labels.key)) {
    throw new NaiveError('multiple matches for labels: grouping labels must ensure unique matches');
  }
}

/** The samples of the "one" side by what they are matched by. */
function uniqueByKey(one: Vector, matching: VectorMatching): Map<string, Sample> {
  const side = matching.card === 'one-to-many' ? 'left' : 'right';
  const found = new Map<string, Sample>();
  for (const sample of one) {
    const labels = matchLabels(sample.labels, matching);
    const other = found.get(labels.key);
    if (other !== undefined) {
      const pair = [sample, other].map((s) => quoteLabels(s.labels)).sort(compareUtf8);
      throw new NaiveError(
        `found duplicate series for the match group ${quoteLabels(labels)} on the ${side} hand-side of the ` +
          `operation: [${pair.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    }
    found.set(labels.key, sample);
  }
  return found;
}

/** The result for one pair: `a` and `b` as they stand in the expression. */
function joined(
  { delayedNames }: Evaluation,
  { op, returnBool }: BinaryExpr,
  matching: VectorMatching,
  { a, b }: { a: Sample; b: Sample },
): (Sample & { keep: boolean }) | undefined {
  const outcome = operate(op, a.value, b.value);
  if (outcome === undefined) return undefined;
  const swapped = matching.card === 'one-to-many';
  const [many, one] = swapped ? [b, a] : [a, b];
  const dropsName = makesAnotherMetric(op) || (returnBool && !delayedNames);
  const value: Value = returnBool ? Number(outcome.keep) : outcome.value;
  const labels = resultLabels(many.labels, one.labels, matching, dropsName);
  return { labels, value, dropName: returnBool, keep: outcome.keep || returnBool };
}

function resultLabels(
  many: Labels,
  one: Labels,
  { card, on, labels: names, include }: VectorMatching,
  dropsName: boolean,
): Labels {
  let labels = dropsName ? dropMetadata(many) : many;
  if (card === 'one-to-one') {
    labels = on ? labels.keep(new Set(names)) : labels.drop(new Set(names));
  }
  for (const name of include) labels = labels.with(name, one.get(name));
  return labels;
}
