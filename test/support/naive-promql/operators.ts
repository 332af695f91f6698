/** Arithmetic and comparison of two values. */
import { unreachable } from '../../../src/lib/assert.ts';
import { isComparison, type BinaryOp } from '../../../src/promql/parse/ast.ts';
import { goPow } from './go-math.ts';
import {
  add,
  asGauge,
  divide,
  equalHistograms,
  multiply,
  subtract,
  whenCompatible,
} from './histogram-arithmetic.ts';
import { compact } from './histogram-buckets.ts';
import { trimHistogram } from './histogram-trim.ts';
import type { NaiveHistogram } from './histogram.ts';
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
  if (typeof a === 'number') {
    if (typeof b === 'number') return operateOnFloats(op, a, b);
    return op === '*' ? { value: compact(multiply(b, a)), keep: true } : undefined;
  }
  return typeof b === 'number' ? operateWithFloat(op, a, b) : operateOnHistograms(op, a, b);
}

function operateOnFloats(op: BinaryOp, a: number, b: number): Outcome | undefined {
  if (op === '</' || op === '>/') return undefined;
  const result = operateOnNumbers(op, a, b);
  return isComparison(op) ? { value: a, keep: result === 1 } : { value: result, keep: true };
}

function operateWithFloat(op: BinaryOp, h: NaiveHistogram, by: number): Outcome | undefined {
  if (op === '*') return { value: compact(multiply(h, by)), keep: true };
  if (op === '/') return { value: compact(divide(h, by)), keep: true };
  if (op === '</') return { value: trimHistogram(h, by, 'below'), keep: true };
  if (op === '>/') return { value: trimHistogram(h, by, 'above'), keep: true };
  return undefined;
}

function operateOnHistograms(
  op: BinaryOp,
  a: NaiveHistogram,
  b: NaiveHistogram,
): Outcome | undefined {
  if (op === '==') return { value: a, keep: equalHistograms(a, b) };
  if (op === '!=') return { value: a, keep: !equalHistograms(a, b) };
  if (op !== '+' && op !== '-') return undefined;
  const value = whenCompatible(() => (op === '+' ? compact(add(a, b)) : asGauge(subtract(a, b))));
  return value === undefined ? undefined : { value, keep: true };
}

/** Whether an operation makes another metric of its samples: arithmetic does, comparing and trimming do not. */
export function makesAnotherMetric(op: BinaryOp): boolean {
  return !isComparison(op) && op !== '</' && op !== '>/';
}
