/**
 * The mean of native histograms, as Prometheus makes it (promql/engine.go and functions.go, avg and avg_over_time): the sum
 * divided by the number, or, once the sum would overflow, a running mean.
 */
import { addCompensated, finishSum, hasOverflow } from './compensated-sum.ts';
import type { CompensatedSum } from './compensated-sum.ts';
import { divide, scale } from './float-histogram.ts';
import type { FloatHistogram } from './float-histogram.ts';

/** A mean that histograms are added to. */
export class HistogramMean {
  #sum: CompensatedSum;
  #isMean = false;

  constructor(first: FloatHistogram) {
    this.#sum = { value: first, lost: undefined };
  }

  /**
   * Adds the histogram that makes them `count`. Undefined when it has custom buckets and the mean has not, or the other way
   * round; else whether custom bounds differed.
   */
  add(other: FloatHistogram, count: number): { readonly reconciled: boolean } | undefined {
    if (!this.#isMean) {
      const added = addCompensated(this.#sum, other);
      if (added === undefined) return undefined;
      if (!hasOverflow(added.sum.value)) {
        this.#sum = added.sum;
        return added;
      }
      this.#isMean = true;
      this.#change((part) => divide(part, count - 1));
    }
    this.#change((part) => scale(part, (count - 1) / count));
    const added = addCompensated(this.#sum, divide(other, count));
    if (added !== undefined) this.#sum = added.sum;
    return added;
  }

  /** The mean of `count` histograms. */
  finish(count: number): FloatHistogram {
    if (!this.#isMean) this.#change((part) => divide(part, count));
    return finishSum(this.#sum);
  }

  #change(by: (part: FloatHistogram) => FloatHistogram): void {
    const { value, lost } = this.#sum;
    this.#sum = { value: by(value), lost: lost === undefined ? undefined : by(lost) };
  }
}
