/** Series that came to have the same labels: one series, unless they have values at the same step. */
import { isInstant, type PlanNode } from '../plan/node.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { ExecContext } from './context.ts';
import { dropMetadata } from './metric-labels.ts';
import { VectorBuilder, type StepVectors } from './step-vectors.ts';

/** Says that two series of a step have the same labels. */
export function refuseTwice(): never {
  throw new CodedError('execution', 'vector cannot contain metrics with the same labelset');
}

/** Whether any two label sets are equal. */
export function hasSameLabels(labels: readonly Labels[]): boolean {
  if (labels.length < 2) return false;
  return new Set(labels.map((l) => l.key)).size < labels.length;
}

/**
 * Merges series of equal labels.
 * @throws CodedError execution when two of them have a value at the same step.
 */
export function mergeSameLabels(vectors: StepVectors): StepVectors {
  if (!hasSameLabels(vectors.labels)) return vectors;
  const { steps, labels, present, dropName } = vectors;
  const builder = new VectorBuilder(steps, labels.length);
  const rows = new Map<string, number>();
  // Whether a name goes is decided by the first value: rows in the order of theirs, as they are at each step.
  const first = labels.map((_, i) => firstStep(vectors, i));
  const order = labels.map((_, i) => i).filter((i) => (first[i] as number) < steps);
  order.sort((a, b) => (first[a] as number) - (first[b] as number));
  for (const i of order) {
    const label = labels[i] as Labels;
    let row = rows.get(label.key);
    if (row === undefined) {
      row = builder.add(label, dropName[i] as number);
      rows.set(label.key, row);
    }
    for (let s = 0; s < steps; s++) {
      if (present[i * steps + s] === 0) continue;
      if (builder.has(row, s)) refuseTwice();
      builder.copy(row, s, vectors, i * steps + s);
    }
  }
  return builder.finish();
}

/** The first step at which a row has a value; the number of steps when it has none. */
function firstStep({ present, steps }: StepVectors, row: number): number {
  for (let s = 0; s < steps; s++) if (present[row * steps + s] !== 0) return s;
  return steps;
}

/** @throws CodedError execution when two label sets are equal. */
export function refuseSameLabels(labels: readonly Labels[]): void {
  if (hasSameLabels(labels)) refuseTwice();
}

/**
 * Takes the names off after an operation that makes other metrics of its input: now, or, with delayed removal, by
 * marking the rows.
 */
export function removeNames(ctx: ExecContext, vectors: StepVectors): StepVectors {
  if (ctx.options.delayedNames) {
    vectors.dropName.fill(1);
    return vectors;
  }
  return mergeSameLabels({ ...vectors, labels: vectors.labels.map(dropMetadata) });
}

/** Merges what an operation made, at the moment when Prometheus would notice equal labels. */
export function mergeResult(
  ctx: ExecContext,
  { grid }: Pick<PlanNode, 'grid'>,
  vectors: StepVectors,
): StepVectors {
  // compat: with delayed removal an instant query tells equal labels apart only at its end.
  if (ctx.options.delayedNames && isInstant(grid)) return vectors;
  return mergeSameLabels(vectors);
}

/** Removes the names that were only marked so far. */
export function removeDelayedNames(vectors: StepVectors): StepVectors {
  const { labels, dropName } = vectors;
  return mergeSameLabels({
    ...vectors,
    labels: labels.map((l, i) => (dropName[i] === 1 ? dropMetadata(l) : l)),
  });
}
