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

/** No rank: a slot that held no series when ranks were made. */
const NO_RANK = 0xffffffff;

/** Sorts series numbers by their labels. One per arena and thread. */
export class LabelOrder {
  readonly #labelsOf: (series: number) => Labels;
  /** The rank of each series that was ranked, and the series of each rank. */
  #rankOf: Uint32Array = new Uint32Array(0);
  #seriesOf: Uint32Array = new Uint32Array(0);

  constructor(labelsOf: (series: number) => Labels) {
    this.#labelsOf = labelsOf;
  }

  /** Forgets the order: numbers may be of other series. */
  forget(): void {
    this.#rankOf = new Uint32Array(0);
    this.#seriesOf = new Uint32Array(0);
  }

  /** The numbers, which ascend, in label order; `total` is how many slots there are. The argument is not changed. */
  sort(series: Uint32Array, total: number): Uint32Array {
    if (series.length < RANKED_MIN || series.length * 8 < total || total > SERIES_MAX) {
      return this.#sortByLabels(series);
    }
    // New series are few as a rule; when they are not, the ranks are made anew.
    let { ranks, others } = this.#split(series);
    if (others.length > series.length >>> 3) {
      this.#rank(total);
      ({ ranks, others } = this.#split(series));
    }
    // tidy: bare-sort: a typed array sorts its numbers
    ranks.sort();
    for (let i = 0; i < ranks.length; i++) ranks[i] = this.#seriesOf[ranks[i] as number] as number;
    return others.length === 0 ? ranks : this.#merge(ranks, this.#sortByLabels(others));
  }

  /** The ranks of series that have one, and the other series. */
  #split(series: Uint32Array): { ranks: Uint32Array; others: Uint32Array } {
    const ranks = new Uint32Array(series.length);
    const others = new Uint32Array(series.length);
    let ranked = 0;
    let rest = 0;
    for (let i = 0; i < series.length; i++) {
      const rank = this.#rankOf[series[i] as number] ?? NO_RANK;
      if (rank === NO_RANK) others[rest++] = series[i] as number;
      else ranks[ranked++] = rank;
    }
    return { ranks: ranks.subarray(0, ranked), others: others.subarray(0, rest) };
  }

  #rank(total: number): void {
    const all = new Uint32Array(total);
    let count = 0;
    // Slots that hold no series have no labels, and will have some.
    for (let i = 0; i < total; i++) if (this.#labelsOf(i).size > 0) all[count++] = i;
    this.#seriesOf = this.#sortByLabels(all.subarray(0, count));
    this.#rankOf = new Uint32Array(total).fill(NO_RANK);
    for (let rank = 0; rank < count; rank++) this.#rankOf[this.#seriesOf[rank] as number] = rank;
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
