/**
 * One series and the window of each step: what a range function sees.
 *
 *   samples   t[0] t[1] … t[length-1]
 *   step s    looks at t[lo[s]] … t[hi[s]-1], those with  end - before < t <= end + after,
 *             where end = refStart + s * refStep
 *
 * Windows are left-open. They only ever move to the right, so both bounds are found in one pass over the samples.
 */

/** Buffers that one run reuses for every series. Whoever asks for one gives up what it held before. */
export class Scratch {
  #floats = new Float64Array(0);
  #more = new Float64Array(0);
  #ints = new Int32Array(0);

  /** At least `size` doubles, with undefined contents. */
  floats(size: number): Float64Array {
    if (this.#floats.length < size) this.#floats = new Float64Array(size * 2);
    return this.#floats;
  }

  /** A second buffer of doubles. */
  moreFloats(size: number): Float64Array {
    if (this.#more.length < size) this.#more = new Float64Array(size * 2);
    return this.#more;
  }

  /** At least `size` integers, with undefined contents. */
  ints(size: number): Int32Array {
    if (this.#ints.length < size) this.#ints = new Int32Array(size * 2);
    return this.#ints;
  }
}

/** The input of a {@link WindowFunction}. Owned by the run; valid during the call. */
export interface SeriesWindows {
  t: Float64Array;
  v: Float64Array;
  /** How many samples there are. */
  length: number;
  /** How many steps there are. */
  readonly steps: number;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  /** The end of the first window, ms. */
  readonly refStart: number;
  /** From one window's end to the next; 0 when all steps look at the same window. */
  readonly refStep: number;
  /** The width of the range selector, ms (extended windows may reach further). */
  readonly rangeMs: number;
  /** Evaluation time of the first step, and from one to the next, ms. */
  readonly start: number;
  readonly step: number;
  /** Scalar arguments: one value for all steps, or one a step. */
  readonly params: readonly Float64Array[];
  readonly scratch: Scratch;
}

/** Computes one value a step, writing `out` where it writes 1 to `present`; it writes `present` for every step. */
export type WindowFunction = (w: SeriesWindows, out: Float64Array, present: Uint8Array) => void;

/** Sets the bounds of all windows and returns how many samples they hold in all. */
export function boundWindows(w: SeriesWindows, before: number, after: number): number {
  const { t, length, steps, lo, hi, refStart, refStep } = w;
  let l = 0;
  let h = 0;
  let total = 0;
  // perf: samples come at a steady pace, so a window mostly moves as far as it did before. Checking that guess costs
  // two comparisons, finding the bound from nothing one a sample and a branch that nobody can predict.
  let lastL = 0;
  let lastH = 0;
  for (let s = 0; s < steps; s++) {
    const end = refStart + s * refStep + after;
    const start = refStart + s * refStep - before;
    let next = h + lastH;
    if (
      next >= length ||
      next === 0 ||
      (t[next - 1] as number) > end ||
      (t[next] as number) <= end
    ) {
      next = h;
      while (next < length && (t[next] as number) <= end) next++;
      lastH = next - h;
    }
    h = next;
    next = l + lastL;
    if (
      next >= h ||
      next === 0 ||
      (t[next - 1] as number) > start ||
      (t[next] as number) <= start
    ) {
      next = l;
      while (next < h && (t[next] as number) <= start) next++;
      lastL = next - l;
    }
    l = next;
    lo[s] = l;
    hi[s] = h;
    total += h - l;
  }
  return total;
}

/** The argument of a step. */
export function paramAt(param: Float64Array, step: number): number {
  return param[param.length === 1 ? 0 : step] as number;
}
