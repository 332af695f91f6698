/** Binary operators: scalars with scalars, and vectors with scalars. */
import { CodedError } from '../../lib/errors.ts';
import { must } from '../../lib/assert.ts';
import { ARITHMETIC, COMPARISON } from '../funcs/arithmetic.ts';
import type { BinaryNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { removeNames } from './same-labels.ts';
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
  return a.map((x, s) => {
    const y = b[s] as number;
    return compare === undefined ? must(combine, 'known operator')(x, y) : Number(compare(x, y));
  });
}

/** Works in place on the vector, which is on the right-hand side when `swapped`. */
function withScalar(
  ctx: ExecContext,
  { op, returnBool }: BinaryNode,
  vectors: StepVectors,
  scalar: Float64Array,
  swapped: boolean,
): StepVectors {
  const { values, present, steps } = vectors;
  const compare = COMPARISON.get(op);
  if (compare === undefined) {
    const combine = must(ARITHMETIC.get(op), 'known operator');
    for (let i = 0, s = 0; i < values.length; i++) {
      const [x, y] = [values[i] as number, scalar[s] as number];
      if (present[i] === 1) values[i] = swapped ? combine(y, x) : combine(x, y);
      if (++s === steps) s = 0;
    }
    return removeNames(ctx, vectors);
  }
  for (let i = 0, s = 0; i < values.length; i++) {
    const [x, y] = [values[i] as number, scalar[s] as number];
    const keep = swapped ? compare(y, x) : compare(x, y);
    if (returnBool) values[i] = keep ? 1 : 0;
    else if (!keep) present[i] = 0;
    if (++s === steps) s = 0;
  }
  return returnBool ? removeNames(ctx, vectors) : vectors;
}
