/** topk, bottomk, limitk and limit_ratio on the samples of one group. */
import { xxhash64 } from '../../../src/lib/xxhash64.ts';
import type { Labels } from '../../../src/model/labels.ts';
import { Unspecified, type Sample } from './sample.ts';

/** Which samples of a group are kept, for a parameter. */
export type Selection = (members: readonly Sample[], param: number) => readonly Sample[];

/** By operator. */
export const SELECTIONS: ReadonlyMap<string, Selection> = new Map<string, Selection>([
  ['topk', (members, k) => extremes(members, k, -1)],
  ['bottomk', (members, k) => extremes(members, k, 1)],
  ['limitk', (members, k) => (k < 1 ? [] : members.slice(0, Math.trunc(k)))],
  ['limit_ratio', (members, ratio) => members.filter(({ labels }) => isSampled(labels, ratio))],
]);

/** The k first samples by value, from the largest (-1) or the smallest (1); NaN comes last. */
function extremes(members: readonly Sample[], k: number, sign: 1 | -1): readonly Sample[] {
  const count = Math.trunc(k);
  if (count < 1) return [];
  const floats = members.filter(({ value }) => typeof value === 'number');
  const order = (x: number, y: number): number => {
    if (Number.isNaN(x) || Number.isNaN(y))
      return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  };
  const sorted = floats.toSorted((a, b) => order(a.value as number, b.value as number));
  const [last, next] = [sorted[count - 1], sorted[count]];
  if (last !== undefined && next !== undefined) {
    const tie = order(last.value as number, next.value as number) === 0;
    if (tie) throw new Unspecified('which of equal values');
  }
  return sorted.slice(0, count);
}

/** Whether a series is in the sample: its hash says where it lies between 0 and 1. */
function isSampled(labels: Labels, ratio: number): boolean {
  const offset = Number(hashOf(labels)) / 2 ** 64;
  return ratio >= 0 ? offset < Math.min(1, ratio) : offset >= 1 + Math.max(-1, ratio);
}

/** XXH64 of all names and values, each behind its length in a byte, or 255 and three bytes. */
function hashOf(labels: Labels): bigint {
  const parts = labels.pairs.flatMap((text) => {
    const bytes = Buffer.from(text);
    const { length } = bytes;
    const size = length < 255 ? [length] : [255, length & 255, (length >> 8) & 255, length >> 16];
    return [Buffer.from(size), bytes];
  });
  return xxhash64(Buffer.concat(parts));
}
