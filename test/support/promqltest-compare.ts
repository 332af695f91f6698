/** Compares a query's result with what a test script expects. */
import { unreachable } from '../../src/lib/assert.ts';
import { compareLabels, type Labels } from '../../src/model/labels.ts';
import type { QueryResult } from '../../src/promql/result.ts';
import type { EvalCommand } from './promqltest-script.ts';
import type { SequenceValue } from './promqltest-series.ts';

/** Relative error that is allowed of values. */
const EPSILON = 1e-6;
const MIN_NORMAL = 2.2250738585072014e-308;

/** Whether two values are equal but for rounding; NaN equals NaN. */
export function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < EPSILON * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON;
}

/** The values of one series at one time each. */
export interface Instant {
  readonly labels: readonly Labels[];
  readonly v: ArrayLike<number>;
}

/** What is wrong with a result, or undefined. */
export function compareResult(command: EvalCommand, result: QueryResult): string | undefined {
  switch (result.type) {
    case 'string':
      return result.v === command.text ? undefined : `got the string ${JSON.stringify(result.v)}`;
    case 'scalar':
      return compareScalar(command, result.v);
    case 'vector':
      return compareInstant(command, result);
    case 'matrix':
      return compareMatrix(command, result);
    default:
      return unreachable(result);
  }
}

/** The same for a scalar. */
export function compareScalar({ scalar }: EvalCommand, got: number): string | undefined {
  if (scalar === undefined) return `got the scalar ${got}, want series`;
  return almostEqual(scalar, got) ? undefined : `got the scalar ${got}, want ${scalar}`;
}

/** The same for an instant vector. */
export function compareInstant(command: EvalCommand, { labels, v }: Instant): string | undefined {
  if (command.scalar !== undefined) return 'got a vector, want a scalar';
  const wanted = new Map(command.series.map((series, i) => [series.labels.key, { series, i }]));
  const ordered = command.texts.some(({ what }) => what === 'ordered');
  for (const [i, label] of labels.entries()) {
    const want = wanted.get(label.key);
    const got = v[i] as number;
    if (want === undefined) return `unexpected ${label.toString()} with ${got}`;
    if (ordered && want.i !== i) return `${label.toString()} is at ${i}, want ${want.i}`;
    const value = floatOf(want.series.values[0]);
    if (value === undefined || !almostEqual(value, got)) {
      return `${label.toString()} is ${got}, want ${value}`;
    }
    wanted.delete(label.key);
  }
  for (const { series } of wanted.values()) return `${series.labels.toString()} is missing`;
  return undefined;
}

function floatOf(value: SequenceValue | undefined): number | undefined {
  return value?.kind === 'float' ? value.value : undefined;
}

function compareMatrix(
  command: EvalCommand,
  { labels, offsets, t, v }: Extract<QueryResult, { type: 'matrix' }>,
): string | undefined {
  if (command.scalar !== undefined) return 'got a matrix, want a scalar';
  const { startMs, stepMs } = command.rangeVector ?? command;
  const wanted = new Map(command.series.map((series) => [series.labels.key, series]));
  for (const [i, label] of labels.entries()) {
    if (i > 0 && compareLabels(labels[i - 1] as Labels, label) > 0) return 'series are not sorted';
    const want = wanted.get(label.key);
    const from = offsets[i] as number;
    const to = offsets[i + 1] as number;
    const got = Array.from(t.subarray(from, to), (at, k) => `${v[from + k]}@${at}`).join(' ');
    if (want === undefined) return `unexpected ${label.toString()} with ${got}`;
    const points = want.values.flatMap((value, k) =>
      value.kind === 'float' ? [{ t: startMs + k * stepMs, v: value.value }] : [],
    );
    const equal =
      points.length === to - from &&
      points.every((p, k) => p.t === t[from + k] && almostEqual(p.v, v[from + k] as number));
    if (!equal) {
      const text = points.map((p) => `${p.v}@${p.t}`).join(' ');
      return `${label.toString()} is ${got}, want ${text}`;
    }
    wanted.delete(label.key);
  }
  for (const { labels: label } of wanted.values()) return `${label.toString()} is missing`;
  return undefined;
}
