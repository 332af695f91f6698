/** Binary operators: scalars with scalars, and vectors with scalars. */
import { CodedError } from '../../lib/errors.ts';
import { must } from '../../lib/assert.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { ARITHMETIC, COMPARISON } from '../funcs/arithmetic.ts';
import type { Operand } from '../funcs/histogram-operators.ts';
import { quote } from '../parse/quote.ts';
import type { BinaryNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { operateNoted } from './operate.ts';
import { removeNames } from './same-labels.ts';
import { FLOAT, HISTOGRAM, histogramOf } from './step-vectors.ts';
import type { StepScalars, StepVectors, Value } from './step-vectors.ts';
import { matchVectors } from './vector-matching.ts';

/** Evaluates an operator over the values of both sides. */
export function evaluateBinary(
  ctx: ExecContext,
  node: BinaryNode,
  lhs: Value,
  rhs: Value,
): StepVectors | StepScalars {
  if (lhs.kind === 'vectors' && rhs.kind === 'vectors') return matchVectors(ctx, node, lhs, rhs);
  if (lhs.kind === 'vectors' && rhs.kind === 'scalars') {
    return withScalar(ctx, node, lhs, rhs.values, false);
  }
  if (lhs.kind === 'scalars' && rhs.kind === 'vectors') {
    return withScalar(ctx, node, rhs, lhs.values, true);
  }
  if (lhs.kind === 'scalars' && rhs.kind === 'scalars') {
    return { kind: 'scalars', values: scalars(node, lhs.values, rhs.values) };
  }
  throw new CodedError('internal', `operator "${node.op}" between ${lhs.kind} and ${rhs.kind}`);
}

function scalars({ op }: BinaryNode, a: Float64Array, b: Float64Array): Float64Array {
  const compare = COMPARISON.get(op);
  const combine = ARITHMETIC.get(op);
  if (compare === undefined && combine === undefined)
    throw new CodedError('execution', `operator ${quote(op)} not allowed for Scalar operations`);
  return a.map((x, s) => {
    const y = b[s] as number;
    return compare === undefined ? must(combine, 'known operator')(x, y) : Number(compare(x, y));
  });
}

/** Works in place on the vector, which is on the right-hand side when `swapped`. */
function withScalar(
  ctx: ExecContext,
  node: BinaryNode,
  vectors: StepVectors,
  scalar: Float64Array,
  swapped: boolean,
): StepVectors {
  const { op, returnBool } = node;
  const { values, present, steps } = vectors;
  const compare = COMPARISON.get(op);
  const combine = ARITHMETIC.get(op);
  const result = withHistograms(ctx, node, vectors, scalar, swapped);
  for (let i = 0, s = 0; i < values.length; i++) {
    const [x, y] = [values[i] as number, scalar[s] as number];
    if (present[i] !== FLOAT) {
      // Nothing, or a histogram, which is done.
    } else if (combine !== undefined) values[i] = swapped ? combine(y, x) : combine(x, y);
    else if (compare === undefined) present[i] = 0;
    else {
      const keep = swapped ? compare(y, x) : compare(x, y);
      if (returnBool) values[i] = keep ? 1 : 0;
      else if (!keep) present[i] = 0;
    }
    if (++s === steps) s = 0;
  }
  return combine !== undefined || returnBool ? removeNames(ctx, result) : result;
}

/** Replaces the histograms of a vector by what the operator gives; operators that trim know nothing else. */
function withHistograms(
  ctx: ExecContext,
  node: BinaryNode,
  vectors: StepVectors,
  scalar: Float64Array,
  swapped: boolean,
): StepVectors {
  const { present, steps, values } = vectors;
  const trims = node.op === '</' || node.op === '>/';
  if (vectors.histograms.length === 0 && !trims) return vectors;
  const histograms: FloatHistogram[] = [];
  for (let i = 0; i < present.length; i++) {
    const isHistogram = present[i] === HISTOGRAM;
    if (present[i] === 0 || (!isHistogram && !trims)) continue;
    const own = isHistogram ? histogramOf(vectors, i) : (values[i] as number);
    const other = scalar[i % steps] as number;
    const sides: [Operand, Operand] = swapped ? [other, own] : [own, other];
    const { value } = operateNoted(ctx, node, ...sides);
    if (value === undefined || typeof value === 'number') present[i] = 0;
    else values[i] = histograms.push(value) - 1;
  }
  return { ...vectors, histograms };
}
