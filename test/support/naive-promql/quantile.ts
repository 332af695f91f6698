/** Quantiles of floats. */
import { Unspecified } from './sample.ts';

/** The value below which a share q of the values lies, between the two nearest. */
export function quantileOf(q: number, values: readonly number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = values.toSorted((a, b) => {
    if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1;
    if (Number.isNaN(b)) return 1;
    return a - b || (a < b ? -1 : a > b ? 1 : 0);
  });
  const rank = q * (sorted.length - 1);
  const low = Math.max(0, Math.floor(rank));
  const high = Math.min(sorted.length - 1, low + 1);
  const weight = rank - Math.floor(rank);
  const result = (sorted[low] as number) * (1 - weight) + (sorted[high] as number) * weight;
  // Go's sort does not keep the order of 0 and -0.
  const zeros = new Set(values.filter((v) => v === 0).map((v) => 1 / v));
  if (result === 0 && zeros.size > 1) throw new Unspecified('which zero');
  return result;
}
