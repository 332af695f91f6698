/**
 * Label order of an arena's series, kept between selects: series never change their labels, so the order of those
 * that exist stays, and only new ones have to find their place.
 */
import { compareLabels } from '../../model/labels.ts';
import type { Labels } from '../../model/labels.ts';

/** Selections below this are sorted by their labels: ranking all series would cost more than it saves. */
const RANKED_MIN = 1024;
/** limit: ranks of so many series (8 bytes each); a larger arena's selections are sorted by their labels. */
const SERIES_MAX = 1 << 22;

/** Sorts series numbers by their labels. One per arena and thread. */
export class LabelOrder {
  readonly #labelsOf: (series: number) => Labels;
  /** The rank of each series below `#ranked`, and the series of each rank. */
  #rankOf: Uint32Array = new Uint32Array(0);
  #seriesOf: Uint32Array = new Uint32Array(0);

  constructor(labelsOf: (series: number) => Labels) {
    this.#labelsOf = labelsOf;
  }

  /** The numbers in label order; `total` is how many series there are. The argument is not changed. */
  sort(series: Uint32Array, total: number): Uint32Array {
    if (series.length < RANKED_MIN || series.length * 8 < total || total > SERIES_MAX) {
      return this.#sortByLabels(series);
    }
    // New series are few as a rule; when they are not, the ranks are made anew.
    if (total - this.#rankOf.length > total >>> 3) this.#rank(total);
    const ranked = this.#rankOf.length;
    let known = series.length;
    while (known > 0 && (series[known - 1] as number) >= ranked) known--;
    const ranks = series.slice(0, known);
    for (let i = 0; i < known; i++) ranks[i] = this.#rankOf[ranks[i] as number] as number;
    // tidy: bare-sort: a typed array sorts its numbers
    ranks.sort();
    for (let i = 0; i < known; i++) ranks[i] = this.#seriesOf[ranks[i] as number] as number;
    return known === series.length
      ? ranks
      : this.#merge(ranks, this.#sortByLabels(series.slice(known)));
  }

  #rank(total: number): void {
    const all = new Uint32Array(total);
    for (let i = 0; i < total; i++) all[i] = i;
    this.#seriesOf = this.#sortByLabels(all);
    this.#rankOf = new Uint32Array(total);
    for (let rank = 0; rank < total; rank++) this.#rankOf[this.#seriesOf[rank] as number] = rank;
  }

  #sortByLabels(series: Uint32Array): Uint32Array {
    const entries = Array.from(series, (number) => ({ number, labels: this.#labelsOf(number) }));
    entries.sort((a, b) => compareLabels(a.labels, b.labels));
    return Uint32Array.from(entries, ({ number }) => number);
  }

  #merge(a: Uint32Array, b: Uint32Array): Uint32Array {
    const out = new Uint32Array(a.length + b.length);
    let j = 0;
    let n = 0;
    for (const number of a) {
      const labels = this.#labelsOf(number);
      while (j < b.length && compareLabels(this.#labelsOf(b[j] as number), labels) < 0) {
        out[n++] = b[j++] as number;
      }
      out[n++] = number;
    }
    out.set(b.subarray(j), n);
    return out;
  }
}
