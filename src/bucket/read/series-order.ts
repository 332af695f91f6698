/**
 * The order of series after external labels have been added: in the order of the labels that the StoreAPI sends.
 *
 * Where labels are only added, a series can come to stand behind others just when all of its labels begin theirs: `m{}` sorts before
 * `m{a="1"}`, and with cluster="x" added behind it. What has to wait is at any time a chain of label sets, each of which begins the
 * next: a handful. Where labels are left out or replaced, everything may change its place, and all is sorted.
 */
import { CorruptionError } from '../../lib/errors.ts';
import type { ComposedLabels } from './compose-labels.ts';
import { compareLabelBytes } from './label-bytes.ts';
import type { ParsedSeries } from './series-batch.ts';

/** Series of one batch, with their labels. */
export interface LabeledBatch {
  readonly series: ParsedSeries;
  readonly labels: ComposedLabels;
}

/** One series: its batch, and its place there. */
export interface SeriesPlace {
  readonly batch: LabeledBatch;
  readonly at: number;
}

/** Compares the labels of series. */
export function comparePlaces(a: SeriesPlace, b: SeriesPlace): number {
  const x = a.batch.labels;
  const y = b.batch.labels;
  return compareLabelBytes(
    x.bytes,
    x.starts[a.at] as number,
    x.starts[a.at + 1] as number,
    y.bytes,
    y.starts[b.at] as number,
    y.starts[b.at + 1] as number,
  );
}

/** Puts series into order that lose it only as far as the head of this file says. */
export class OrderKeeper {
  readonly #path: string;
  /** Series that wait, the largest first: the next one to go is the last. */
  readonly #waiting: SeriesPlace[] = [];
  #last: SeriesPlace | undefined;
  /** perf: a series that is known to come behind the last one, and behind whatever goes before it. */
  #isBehind: SeriesPlace | undefined;

  /** `path` is for messages. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the next series of the block; those that can go now go to `out`, in order. */
  push(next: SeriesPlace, out: SeriesPlace[]): void {
    const waiting = this.#waiting;
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      // Whatever follows has the labels of `top` in front, or is larger: once one is larger, all are.
      if (comparePlaces(top, next) > 0) break;
      waiting.pop();
      this.#emit(top, out);
      this.#isBehind = next;
    }
    waiting.push(next);
  }

  /** There are no more: the rest goes to `out`. */
  finish(out: SeriesPlace[]): void {
    for (let top = this.#waiting.pop(); top !== undefined; top = this.#waiting.pop()) {
      this.#emit(top, out);
    }
  }

  #emit(place: SeriesPlace, out: SeriesPlace[]): void {
    const last = place === this.#isBehind ? undefined : this.#last;
    if (last !== undefined && comparePlaces(last, place) > 0) {
      throw new CorruptionError('series are not in the order of their labels', this.#path, 0);
    }
    this.#last = place;
    out.push(place);
  }
}
