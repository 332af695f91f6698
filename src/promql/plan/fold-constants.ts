/** `x + 2 * 3` becomes `x + 6`: scalar operators over constants, which have no annotations and cannot fail. */
import { ARITHMETIC, COMPARISON } from '../funcs/arithmetic.ts';
import type { PlanNode } from './node.ts';

/** The node, or the constant that it always is. Children are folded already. */
export function foldConstants(node: PlanNode): PlanNode {
  if (node.kind === 'negate' && node.expr.kind === 'number') {
    return { ...node.expr, value: -node.expr.value, span: node.span };
  }
  if (node.kind === 'invariant' && node.expr.kind === 'number') {
    return { ...node.expr, grid: node.grid };
  }
  if (node.kind !== 'binary' || node.lhs.kind !== 'number' || node.rhs.kind !== 'number') {
    return node;
  }
  const { op, grid, span } = node;
  const [a, b] = [node.lhs.value, node.rhs.value];
  const compare = COMPARISON.get(op);
  const value = compare === undefined ? ARITHMETIC.get(op)?.(a, b) : Number(compare(a, b));
  return value === undefined ? node : { kind: 'number', value, grid, span };
}
