/** Calls of functions with a range vector. */
import {
  unwrapParens,
  valueType,
  type CallExpr,
  type Expr,
} from '../../../src/promql/parse/ast.ts';
import { absentLabels } from './absent.ts';
import { timesOf, type Evaluation, type Grid } from './query.ts';
import { applyRangeFunction, type Extension } from './range-functions.ts';
import { dropMetadata, NaiveError, refuseSameLabels, type Sample, type Vector } from './sample.ts';
import { selectWindows } from './select.ts';
import { subqueryWindows } from './subquery.ts';
import type { RangeRow } from './window.ts';

const KEEP_NAMES: ReadonlySet<string> = new Set(['first_over_time', 'last_over_time']);
const ANCHORED = 'changes, delta, increase, rate, resets';
const SMOOTHED = 'delta, increase, rate';

/** What such a call is at each step, series by series. */
export function rangeCall(evaluation: Evaluation, call: CallExpr, grid: Grid): readonly Vector[] {
  const { func, args } = call;
  const matrix = unwrapParens(args.find((arg) => valueType(arg) === 'matrix') as Expr);
  const subquery =
    matrix.kind === 'subquery' ? subqueryWindows(evaluation, matrix, grid) : undefined;
  const columns = args
    .filter((arg) => valueType(arg) === 'scalar')
    .map((arg) => evaluation.scalars(arg, grid));
  const extension = extensionOf(matrix, func.name);
  const rows =
    subquery ?? (matrix.kind === 'matrix' ? selectWindows(evaluation, matrix, grid) : []);
  const steps = timesOf(grid).map((): Sample[] => []);
  const withValues: { labels: Sample['labels'] }[] = [];
  for (const row of rows) {
    const renamed = rowSample(evaluation, row, func.name);
    let count = 0;
    for (const [i, window] of row.windows.entries()) {
      if (window.points.length === 0) continue;
      const params = columns.map((column) => column[i] as number);
      const value = applyRangeFunction({ name: func.name, window, params, extension });
      if (value === undefined) continue;
      count++;
      steps[i]?.push({ ...renamed, value });
    }
    if (count > 0) withValues.push(renamed);
  }
  if (func.name === 'absent_over_time') return absentSteps(steps, matrix);
  // Even series that never have a value at the same step are refused.
  if (!evaluation.delayedNames) refuseSameLabels(withValues);
  return steps;
}

function rowSample(
  { delayedNames }: Evaluation,
  { labels, dropName }: RangeRow,
  name: string,
): Omit<Sample, 'value'> {
  const drops = dropName || !KEEP_NAMES.has(name);
  return { labels: drops && !delayedNames ? dropMetadata(labels) : labels, dropName: drops };
}

function absentSteps(steps: readonly Vector[], matrix: Expr): Vector[] {
  const labels = absentLabels(matrix);
  return steps.map((vector) => (vector.length > 0 ? [] : [{ labels, value: 1, dropName: true }]));
}

function extensionOf(matrix: Expr, name: string): Extension {
  if (matrix.kind !== 'matrix') return 'none';
  const { anchored, smoothed } = matrix.selector;
  if (anchored && !ANCHORED.split(', ').includes(name)) {
    throw new NaiveError(`anchored modifier can only be used with: ${ANCHORED} - not with ${name}`);
  }
  if (smoothed && !SMOOTHED.split(', ').includes(name)) {
    throw new NaiveError(`smoothed modifier can only be used with: ${SMOOTHED} - not with ${name}`);
  }
  if (anchored) return 'anchored';
  return smoothed ? 'smoothed' : 'none';
}
