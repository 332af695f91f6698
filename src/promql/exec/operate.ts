/** Operators over native histograms, and what is said of them. */
import { unreachable } from '../../lib/assert.ts';
import { operateOnHistograms } from '../funcs/histogram-operators.ts';
import type { Operand, OperatorResult } from '../funcs/histogram-operators.ts';
import type { BinaryNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';

/** Applies an operator that has a histogram on a side, and says what there is to say. */
export function operateNoted(
  ctx: ExecContext,
  node: BinaryNode,
  a: Operand,
  b: Operand,
): OperatorResult {
  const { op: operator, span } = node;
  const result = operateOnHistograms(operator, a, b);
  const operation = operator === '+' ? 'addition' : 'subtraction';
  switch (result.note) {
    case 'incompatible types':
      ctx.annotations.incompatibleTypes({ left: typeName(a), operator, right: typeName(b) }, span);
      break;
    case 'incompatible buckets':
      ctx.annotations.incompatibleBuckets(operator, span);
      break;
    case 'colliding resets':
      ctx.annotations.collidingResets(operation, span);
      break;
    case 'bounds reconciled':
      ctx.annotations.boundsReconciled(operation, span);
      break;
    case undefined:
      break;
    default:
      return unreachable(result.note);
  }
  return result;
}

function typeName(side: Operand): string {
  return typeof side === 'number' ? 'float' : 'histogram';
}
