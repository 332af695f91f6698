/** Evaluates expressions, node by node, on grids of steps. */
import { unreachable } from '../../../src/lib/assert.ts';
import { unwrapParens, type CallExpr, type Expr } from '../../../src/promql/parse/ast.ts';
import { aggregateVectors } from './aggregate.ts';
import { binaryVectors } from './binary.ts';
import { callVectors } from './call.ts';
import { goMax, goMin } from './go-math.ts';
import { multiply } from './histogram-arithmetic.ts';
import { operateOnNumbers } from './operators.ts';
import { isEvaluatedOnce } from './pinned.ts';
import { timesOf, type Evaluation, type Grid, type NaiveQuery } from './query.ts';
import { dropMetadata, refuseSameLabels, type Value, type Vector } from './sample.ts';
import { selectVectors } from './select.ts';

/** An evaluator for one query. */
export function newEvaluation(query: NaiveQuery): Evaluation {
  const evaluation: Evaluation = {
    ...query,
    vectors: (expr, grid) => vectorsOf(evaluation, expr, grid),
    scalars: (expr, grid) => scalarsOf(evaluation, expr, grid),
  };
  return evaluation;
}

/** The first step of a grid, for what is the same at all steps. */
function firstStep(grid: Grid): Grid {
  return { ...grid, endMs: grid.startMs };
}

function vectorsOf(evaluation: Evaluation, expr: Expr, grid: Grid): readonly Vector[] {
  if (grid.endMs < grid.startMs) return [];
  if (isEvaluatedOnce(expr)) {
    const [vector = []] = vectorsOfNode(evaluation, expr, firstStep(grid));
    return timesOf(grid).map(() => vector);
  }
  return vectorsOfNode(evaluation, expr, grid);
}

function vectorsOfNode(evaluation: Evaluation, expr: Expr, grid: Grid): readonly Vector[] {
  switch (expr.kind) {
    case 'selector':
      return selectVectors(evaluation, expr, grid);
    case 'paren':
      return vectorsOfNode(evaluation, expr.expr, grid);
    case 'unary': {
      const vectors = vectorsOfNode(evaluation, expr.expr, grid);
      return expr.op === '+' ? vectors : vectors.map((vector) => negated(evaluation, vector));
    }
    case 'binary':
      return binaryVectors(evaluation, expr, grid);
    case 'aggregate':
      return aggregateVectors(evaluation, { ...expr, expr: unwrapParens(expr.expr) }, grid);
    case 'call':
      return callVectors(evaluation, expr, grid);
    case 'number':
    case 'string':
    case 'matrix':
    case 'subquery':
      throw new Error(`a ${expr.kind} is not an instant vector`);
    default:
      return unreachable(expr);
  }
}

function negated({ delayedNames }: Evaluation, vector: Vector): Vector {
  const samples = vector.map(({ labels, value }) => ({
    labels: delayedNames ? labels : dropMetadata(labels),
    value: negate(value),
    dropName: true,
  }));
  if (!delayedNames) refuseSameLabels(samples);
  return samples;
}

function negate(value: Value): Value {
  return typeof value === 'number' ? -value : multiply(value, -1);
}

function scalarsOf(evaluation: Evaluation, expr: Expr, grid: Grid): readonly number[] {
  if (grid.endMs < grid.startMs) return [];
  const times = timesOf(grid);
  switch (expr.kind) {
    case 'number':
      return times.map(() => expr.value);
    case 'paren':
      return scalarsOf(evaluation, expr.expr, grid);
    case 'unary': {
      const values = scalarsOf(evaluation, expr.expr, grid);
      return expr.op === '+' ? values : values.map((value) => -value);
    }
    case 'binary': {
      const left = scalarsOf(evaluation, expr.lhs, grid);
      const right = scalarsOf(evaluation, expr.rhs, grid);
      return left.map((value, i) => operateOnNumbers(expr.op, value, right[i] as number));
    }
    case 'call':
      return scalarCall(evaluation, expr, grid);
    case 'string':
    case 'selector':
    case 'matrix':
    case 'subquery':
    case 'aggregate':
      throw new Error(`a ${expr.kind} is not a scalar`);
    default:
      return unreachable(expr);
  }
}

function scalarCall(evaluation: Evaluation, call: CallExpr, grid: Grid): readonly number[] {
  const { startMs, endMs, stepMs } = evaluation.query;
  const times = timesOf(grid);
  const { func, args } = call;
  const constant = (value: number) => times.map(() => value);
  switch (func.name) {
    case 'pi':
      return constant(Math.PI);
    case 'time':
      return times.map((t) => t / 1000);
    case 'start':
      return constant(startMs / 1000);
    case 'end':
      return constant(endMs / 1000);
    case 'range':
      return constant((endMs - startMs) / 1000);
    case 'step':
      return constant(startMs === endMs ? 0 : stepMs / 1000);
    case 'max_of':
    case 'min_of': {
      const [a = [], b = []] = args.map((arg) => evaluation.scalars(arg, grid));
      const pick = func.name === 'max_of' ? goMax : goMin;
      return times.map((_, i) => pick(a[i] as number, b[i] as number));
    }
    case 'scalar': {
      if (isEvaluatedOnce(call) && grid.endMs > grid.startMs) {
        return constant(scalarCall(evaluation, call, firstStep(grid))[0] as number);
      }
      return evaluation.vectors(args[0] as Expr, grid).map(onlyFloat);
    }
    default:
      throw new Error(`the naive evaluator does not know ${func.name}()`);
  }
}

/** The only float of a vector, or NaN. */
function onlyFloat(vector: Vector): number {
  const floats = vector.map(({ value }) => value).filter((value) => typeof value === 'number');
  return floats.length === 1 ? (floats[0] as number) : NaN;
}
