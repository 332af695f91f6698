/** Arithmetic and comparison of two values. */
import { unreachable } from '../../../src/lib/assert.ts';
import { isComparison, type BinaryOp } from '../../../src/promql/parse/ast.ts';
import { goPow } from './go-math.ts';
import type { Value } from './sample.ts';

/** The result of an operation on two samples. */
export interface Outcome {
  readonly value: Value;
  /** Whether a comparison holds; true of arithmetic. */
  readonly keep: boolean;
}

/** An operation on numbers; a comparison is 1 or 0. */
export function operateOnNumbers(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      return goPow(a, b);
    case 'atan2':
      return Math.atan2(a, b);
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case '<':
      return Number(a < b);
    case '<=':
      return Number(a <= b);
    case '>':
      return Number(a > b);
    case '>=':
      return Number(a >= b);
    case '</':
    case '>/':
    case 'and':
    case 'or':
    case 'unless':
      throw new Error(`${op} is not an operation on numbers`);
    default:
      return unreachable(op);
  }
}

/** An operation on two samples; undefined when there is no result for their types. */
export function operate(op: BinaryOp, a: Value, b: Value): Outcome | undefined {
  if (op === '</' || op === '>/') return undefined;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  const result = operateOnNumbers(op, a, b);
  return isComparison(op) ? { value: a, keep: result === 1 } : { value: result, keep: true };
}
