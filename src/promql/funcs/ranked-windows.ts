/**
 * quantile_over_time() and mad_over_time(): windows in order of size. A window that overlaps the one before is not sorted
 * anew: what left it is taken out of its values, and what came is put in.
 */
import { quantileOf, quantileOfSorted, sortNanFirst } from './quantile.ts';
import { paramAt, type SeriesWindows, type WindowFunction } from './series-windows.ts';

/** perf: taking out or putting in a value costs about what sorting so many does. */
const SORTED_PER_CHANGE = 16;

/** The values of one window of a series after the other, as sortNanFirst sorts them. */
export class SortedWindow {
  readonly #v: Float64Array;
  readonly #room: Float64Array;
  #from = 0;
  #to = 0;

  /** `room` holds as many values as the longest window has. */
  constructor(v: Float64Array, room: Float64Array) {
    this.#v = v;
    this.#room = room;
  }

  /** Moves on to the values from … to (exclusive), neither of which goes back. A view, valid until the next move. */
  moveTo(from: number, to: number): Float64Array {
    const changes = from - this.#from + (to - this.#to);
    if (from >= this.#to || changes * SORTED_PER_CHANGE > to - from) this.#sort(from, to);
    else this.#change(from, to);
    this.#from = from;
    this.#to = to;
    return this.#room.subarray(0, to - from);
  }

  #sort(from: number, to: number): void {
    const values = this.#room.subarray(0, to - from);
    values.set(this.#v.subarray(from, to));
    sortNanFirst(values);
  }

  #change(from: number, to: number): void {
    const v = this.#v;
    const room = this.#room;
    let length = this.#to - this.#from;
    for (let i = this.#from; i < from; i++) {
      const at = placeOf(v[i] as number, room, length);
      room.copyWithin(at, at + 1, length--);
    }
    for (let i = this.#to; i < to; i++) {
      const value = v[i] as number;
      const at = placeOf(value, room, length);
      room.copyWithin(at + 1, at, length++);
      room[at] = value;
    }
  }
}

/** The first place among sorted values that is not before a value. */
function placeOf(value: number, sorted: Float64Array, length: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] as number, value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isBefore(a: number, b: number): boolean {
  if (a < b) return true;
  if (a > b) return false;
  if (a === b) return a === 0 && Object.is(a, -0) && !Object.is(b, -0);
  return Number.isNaN(a) && !Number.isNaN(b);
}

/** Calls back with the sorted values of every window that has any. */
function ofSorted(
  value: (sorted: Float64Array, w: SeriesWindows, s: number) => number,
): WindowFunction {
  return (w, out, present) => {
    const { steps, lo, hi } = w;
    const window = new SortedWindow(w.v, w.scratch.floats(w.length));
    for (let s = 0; s < steps; s++) {
      const l = lo[s] as number;
      const h = hi[s] as number;
      present[s] = h > l ? 1 : 0;
      if (h > l) out[s] = value(window.moveTo(l, h), w, s);
    }
  };
}

/** quantile_over_time(). */
export const quantileOverTime = ofSorted((sorted, w, s) =>
  quantileOfSorted(paramAt(w.params[0] as Float64Array, s), sorted),
);

/** mad_over_time(): the median of the distances from the median. */
export const madOverTime = ofSorted((sorted, w) => {
  if (Number.isNaN(sorted[0])) return NaN;
  const median = quantileOfSorted(0.5, sorted);
  const distances = w.scratch.moreFloats(sorted.length).subarray(0, sorted.length);
  if (!Number.isFinite(median)) {
    for (const [i, value] of sorted.entries()) distances[i] = Math.abs(value - median);
    return quantileOf(0.5, distances);
  }
  writeDistances(sorted, median, distances);
  return quantileOfSorted(0.5, distances);
});

/** The distances of sorted values from one among them, the least first: below it and above it, they grow outwards. */
function writeDistances(sorted: Float64Array, median: number, distances: Float64Array): void {
  let above = placeOf(median, sorted, sorted.length);
  let below = above - 1;
  for (let i = 0; i < distances.length; i++) {
    const down = below < 0 ? Infinity : median - (sorted[below] as number);
    const up = above >= sorted.length ? Infinity : (sorted[above] as number) - median;
    const takesUp = below < 0 || (above < sorted.length && up <= down);
    distances[i] = Math.abs(takesUp ? up : down);
    if (takesUp) above++;
    else below--;
  }
}
