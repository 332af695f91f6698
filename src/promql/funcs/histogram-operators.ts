/** Binary operators when a side is a native histogram (Prometheus 3.14, promql/engine.go, vectorElemBinop). */
import { addHistograms, subtractHistograms } from '../../model/float-histogram/add-histograms.ts';
import {
  compact,
  divide,
  sameHistograms,
  scale,
  withHint,
} from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { trimHistogram } from '../../model/float-histogram/trim-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';

/** A side of an operator. */
export type Operand = number | FloatHistogram;

/** What there is to say of an operation. */
export type OperatorNote =
  | 'incompatible types'
  | 'incompatible buckets'
  | 'colliding resets'
  | 'bounds reconciled';

/** What an operation gives. */
export interface OperatorResult {
  /** Absent when the sides do not go together: then not even `bool` makes a value of it. */
  readonly value?: Operand;
  /** Whether a comparison holds; true for what does not compare. */
  readonly keep: boolean;
  readonly note?: OperatorNote;
}

const INCOMPATIBLE: OperatorResult = { keep: false, note: 'incompatible types' };

/** Applies an operator to sides of which at least one is a histogram, or that trims. */
export function operateOnHistograms(op: string, a: Operand, b: Operand): OperatorResult {
  if (typeof a === 'number' && typeof b === 'number') return INCOMPATIBLE;
  if (typeof a === 'number') {
    return op === '*' && typeof b !== 'number' ? kept(compact(scale(b, a))) : INCOMPATIBLE;
  }
  return typeof b === 'number' ? withNumber(op, a, b) : ofTwo(op, a, b);
}

function kept(value: Operand, note?: OperatorNote): OperatorResult {
  return note === undefined ? { value, keep: true } : { value, keep: true, note };
}

function withNumber(op: string, a: FloatHistogram, b: number): OperatorResult {
  switch (op) {
    case '*':
      return kept(compact(scale(a, b)));
    case '/':
      return kept(compact(divide(a, b)));
    case '</':
      return kept(trimHistogram(a, b, 'below'));
    case '>/':
      return kept(trimHistogram(a, b, 'above'));
    default:
      return INCOMPATIBLE;
  }
}

function ofTwo(op: string, a: FloatHistogram, b: FloatHistogram): OperatorResult {
  if (op === '==') return { value: a, keep: sameHistograms(a, b) };
  if (op === '!=') return { value: a, keep: !sameHistograms(a, b) };
  if (op !== '+' && op !== '-') return INCOMPATIBLE;
  const combined = op === '+' ? addHistograms(a, b) : subtractHistograms(a, b);
  if (combined === undefined) return { keep: false, note: 'incompatible buckets' };
  // compat: what comes of a collision is said, and not given.
  if (combined.collision) return { keep: false, note: 'colliding resets' };
  const sum = compact(combined.histogram);
  const value = op === '-' ? withHint(sum, RESET_HINT.gauge) : sum;
  return kept(value, combined.reconciled ? 'bounds reconciled' : undefined);
}
