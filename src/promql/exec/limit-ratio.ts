/**
 * limit_ratio: a share of the series, the same ones whenever it is asked. A hash of the labels gives each series a place
 * between 0 and 1; a ratio r takes those below r, and -r those that 1 - r leaves.
 */
import { CodedError } from '../../lib/errors.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import type { Labels } from '../../model/labels.ts';
import type { AggregateNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { newVectors, type StepVectors } from './step-vectors.ts';

/** Keeps the share of the series at each step that the ratio says. */
export function limitRatio(
  ctx: ExecContext,
  node: AggregateNode,
  input: StepVectors,
  ratios: Float64Array,
): StepVectors {
  const { labels, present, steps } = input;
  if (ratios.every((ratio) => ratio === 0)) return newVectors([], steps);
  if (ratios.some(Number.isNaN)) throw new CodedError('execution', 'Ratio value is NaN');
  noteRatios(ctx, node, ratios);
  for (const [row, label] of labels.entries()) {
    const place = placeOf(label);
    for (let s = 0; s < steps; s++) {
      const ratio = Math.min(1, Math.max(-1, ratios[s] as number));
      const isTaken = ratio >= 0 ? place < ratio : place >= 1 + ratio;
      if (!isTaken) present[row * steps + s] = 0;
    }
  }
  return input;
}

function noteRatios(ctx: ExecContext, node: AggregateNode, ratios: Float64Array): void {
  const span = node.param?.span ?? node.span;
  let max = -Infinity;
  let min = Infinity;
  for (const ratio of ratios) {
    max = Math.max(max, ratio);
    min = Math.min(min, ratio);
  }
  if (max > 1) ctx.annotations.invalidRatio(max, 1, span);
  if (min < -1) ctx.annotations.invalidRatio(min, -1, span);
}

/**
 * The place of a series between 0 and 1.
 * compat: the hash of Prometheus' default build, over names and values with their lengths (model/labels/labels_stringlabels.go);
 * builds with the tag slicelabels, as Thanos is, hash other bytes and take other series.
 */
function placeOf(labels: Labels): number {
  const parts = labels.pairs.flatMap((text) => {
    const bytes = Buffer.from(text);
    return [lengthBytes(bytes.length), bytes];
  });
  return Number(xxhash64(Buffer.concat(parts))) / 2 ** 64;
}

function lengthBytes(length: number): Buffer {
  if (length < 255) return Buffer.of(length);
  return Buffer.of(255, length & 0xff, (length >>> 8) & 0xff, (length >>> 16) & 0xff);
}
