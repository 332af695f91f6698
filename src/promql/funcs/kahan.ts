/**
 * Compensated summation as Prometheus 3.14 does it (util/kahansum): Neumaier's variant, and a sum that overflows
 * loses its compensation. Hot loops spell the step out on locals; this class serves everything else.
 */

/** A running sum with its compensation. The value is `sum + comp`. */
export class KahanSum {
  sum = 0;
  comp = 0;

  /** Starts anew. */
  reset(sum: number, comp = 0): void {
    this.sum = sum;
    this.comp = comp;
  }

  /** Adds one value. */
  add(value: number): void {
    const { sum } = this;
    const total = sum + value;
    this.comp += sumError(sum, value, total);
    if (total === Infinity || total === -Infinity) this.comp = 0;
    this.sum = total;
  }

  /** The compensated sum. */
  get value(): number {
    const { sum } = this;
    return sum === Infinity || sum === -Infinity ? sum : sum + this.comp;
  }
}

/** What the addition `sum + value = total` lost to rounding. */
export function sumError(sum: number, value: number, total: number): number {
  return Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
}
