/**
 * Sums and means of native histograms by group and step. States (group-states.ts) hold numbers only: histograms are added up
 * here, in the order of the series, by whoever puts the groups together.
 */
import { addCompensated, finishSum } from '../../model/float-histogram/compensated-sum.ts';
import type { CompensatedSum } from '../../model/float-histogram/compensated-sum.ts';
import { compact } from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { HistogramMean } from '../../model/float-histogram/histogram-mean.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import type { Span } from '../parse/ast.ts';
import type { Annotations } from './annotations.ts';
import { HISTOGRAM } from './step-vectors.ts';

/** The histograms of one group at one step. */
interface Cell {
  sum: CompensatedSum | undefined;
  readonly mean: HistogramMean | undefined;
  count: number;
  /** Some had custom buckets and some had not. */
  isMixed: boolean;
  hints: number;
}

/** Adds up histograms by group. */
export class HistogramGroups {
  readonly #op: 'sum' | 'avg';
  readonly #steps: number;
  readonly #annotations: Annotations;
  readonly #span: Span;
  /** By group * steps + step. */
  readonly #cells = new Map<number, Cell>();

  /** `span` is that of the expression that is aggregated. */
  constructor(op: 'sum' | 'avg', steps: number, annotations: Annotations, span: Span) {
    this.#op = op;
    this.#steps = steps;
    this.#annotations = annotations;
    this.#span = span;
  }

  /** Adds a histogram of a series; `metric` is its name, '' if it has none. */
  add(group: number, step: number, histogram: FloatHistogram, metric: string): void {
    const at = group * this.#steps + step;
    const cell = this.#cells.get(at);
    if (cell === undefined) {
      const isMean = this.#op === 'avg';
      this.#cells.set(at, {
        sum: isMean ? undefined : { value: histogram, lost: undefined },
        mean: isMean ? new HistogramMean(histogram) : undefined,
        count: 1,
        isMixed: false,
        hints: 1 << histogram.hint,
      });
      return;
    }
    if (cell.isMixed) return;
    cell.count++;
    cell.hints |= 1 << histogram.hint;
    const added = this.#addTo(cell, histogram);
    if (added === undefined) {
      cell.isMixed = true;
      this.#annotations.mixedSchemas(metric, this.#span);
    } else if (added.reconciled) this.#annotations.boundsReconciled('aggregation', this.#span);
  }

  #addTo(cell: Cell, histogram: FloatHistogram): { readonly reconciled: boolean } | undefined {
    if (cell.mean !== undefined) return cell.mean.add(histogram, cell.count);
    if (cell.sum === undefined) return undefined;
    const added = addCompensated(cell.sum, histogram);
    if (added !== undefined) cell.sum = added.sum;
    return added;
  }

  /** Writes the results over those of the floats; where there were both, there is no value. Answers the histograms by number. */
  finish(values: Float64Array, present: Uint8Array): FloatHistogram[] {
    const histograms: FloatHistogram[] = [];
    for (const [at, cell] of this.#cells) {
      const hasFloats = present[at] !== 0;
      present[at] = 0;
      if (hasFloats) {
        this.#annotations.mixedAggregation(this.#span);
        continue;
      }
      if (cell.isMixed) continue;
      const both = (1 << RESET_HINT.reset) | (1 << RESET_HINT.notReset);
      if ((cell.hints & both) === both)
        this.#annotations.collidingResets('aggregation', this.#span);
      const result = cell.mean?.finish(cell.count) ?? finishSum(cell.sum as CompensatedSum);
      values[at] = histograms.push(compact(result)) - 1;
      present[at] = HISTOGRAM;
    }
    return histograms;
  }
}
