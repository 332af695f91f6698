/**
 * Compensated summation as Prometheus 3.14 does it (util/kahansum): Neumaier's variant, and a sum that overflows loses its
 * compensation. Hot loops keep sum and compensation in locals and take the step from here.
 */

/** What the addition `sum + value = total` lost to rounding. */
export function sumError(sum: number, value: number, total: number): number {
  return Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
}
