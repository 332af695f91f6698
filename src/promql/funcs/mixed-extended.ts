/**
 * rate, increase and delta of anchored and smoothed ranges over native histograms, and smoothed instant selectors of them
 * (Prometheus 3.14, promql/functions.go, extendedHistogramRate; experimental).
 */
import { addHistograms, subtractHistograms } from '../../model/float-histogram/add-histograms.ts';
import { detectReset } from '../../model/float-histogram/detect-reset.ts';
import {
  compact,
  divide,
  isCustom,
  scale,
  withHint,
} from '../../model/float-histogram/float-histogram.ts';
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { firstAfter } from './extended.ts';
import { combineNoted } from './mixed-rate.ts';
import { countOf } from './mixed-window.ts';
import type { MixedFunction, MixedWindow } from './mixed-window.ts';

type Note = Pick<MixedWindow, 'note'>;

/** The sample of a number in a window's list. */
interface Point {
  readonly t: number;
  readonly value: FloatHistogram;
}

/** The straight line between two histograms at a time; a counter that was reset starts from zero. Undefined if they do not mix. */
function between(
  window: Note,
  a: Point,
  b: Point,
  at: number,
  isCounter: boolean,
): FloatHistogram | undefined {
  if (at === a.t) return a.value;
  if (at === b.t) return b.value;
  const share = (at - a.t) / (b.t - a.t);
  if (isCounter && detectReset(b.value, a.value)) return scale(b.value, share);
  const difference = combineNoted(window, subtractHistograms, b.value, a.value);
  if (difference === undefined) return undefined;
  return combineNoted(window, addHistograms, scale(difference, share), a.value);
}

/** What of a window the result is made of. */
interface Ends {
  readonly first: number;
  readonly last: number;
  readonly left: FloatHistogram;
  readonly right: FloatHistogram;
}

class ExtendedRate {
  readonly #window: MixedWindow;
  readonly #smoothed: boolean;
  readonly #isCounter: boolean;
  readonly #start: number;

  constructor(window: MixedWindow, smoothed: boolean, isCounter: boolean) {
    this.#window = window;
    this.#smoothed = smoothed;
    this.#isCounter = isCounter;
    this.#start = window.end - window.rangeMs;
  }

  run(): FloatHistogram | undefined {
    const window = this.#window;
    const ends = this.#ends();
    if (ends === undefined) return undefined;
    const { left, right } = ends;
    const gauge = RESET_HINT.gauge;
    if (!this.#isCounter && (left.hint !== gauge || right.hint !== gauge))
      window.note('not a gauge');
    let result = combineNoted(window, subtractHistograms, right, left);
    if (this.#isCounter && result !== undefined) result = this.#corrected(result, ends);
    return result === undefined ? undefined : withHint(compact(result), gauge);
  }

  #point(i: number): Point {
    const { t, v } = this.#window.histograms;
    return { t: t[i] as number, value: v[i] as FloatHistogram };
  }

  #ends(): Ends | undefined {
    const window = this.#window;
    const { t, from, to } = window.histograms;
    const first = Math.max(from, firstAfter(t, from, to, this.#start, false) - 1);
    const last = this.#smoothed ? firstAfter(t, from, to, window.end, true) : to - 1;
    if ((t[last] as number) <= this.#start) return undefined;
    if (this.#smoothed && (t[first] as number) > window.end) return undefined;
    if (!this.#isSound(first, last)) return undefined;
    const fromLeft = this.#smoothed && (t[first] as number) < this.#start;
    const left = fromLeft
      ? between(window, this.#point(first), this.#point(first + 1), this.#start, this.#isCounter)
      : this.#point(first).value;
    if (left === undefined) return undefined;
    const fromRight = this.#smoothed && last > from && (t[last] as number) > window.end;
    const right = fromRight
      ? between(window, this.#point(last - 1), this.#point(last), window.end, this.#isCounter)
      : this.#point(last).value;
    return right === undefined ? undefined : { first, last, left, right };
  }

  /** Whether all samples are of one kind of buckets; says so when one is no counter. */
  #isSound(first: number, last: number): boolean {
    const custom = isCustom(this.#point(first).value);
    for (let i = first; i <= last; i++) {
      const { value } = this.#point(i);
      if (isCustom(value) !== custom) {
        this.#window.note('mixed bucket schemas');
        return false;
      }
      if (this.#isCounter && value.hint === RESET_HINT.gauge) this.#window.note('not a counter');
    }
    return true;
  }

  /** Adds what was there before each reset between the ends. A reset that the left end was drawn through is in it already. */
  #corrected(
    result: FloatHistogram,
    { first, last, left, right }: Ends,
  ): FloatHistogram | undefined {
    let before = left;
    let next = first + 1;
    const one = this.#point(first);
    if (this.#smoothed && one.t < this.#start) {
      const two = this.#point(first + 1).value;
      if (detectReset(two, one.value)) {
        before = two;
        next++;
      }
    }
    if (next > last) return result;
    let sum: FloatHistogram | undefined = result;
    for (let i = next; i <= last && sum !== undefined; i++) {
      const current = i === last ? right : this.#point(i).value;
      if (detectReset(current, before))
        sum = combineNoted(this.#window, addHistograms, sum, before);
      before = current;
    }
    return sum;
  }
}

function extendedRate(smoothed: boolean, isCounter: boolean, isRate: boolean): MixedFunction {
  return (window) => {
    if (countOf(window.histograms) === 0) return window.ofFloats;
    if (countOf(window.floats) > 0) {
      window.note('mixed floats and histograms');
      return undefined;
    }
    const result = new ExtendedRate(window, smoothed, isCounter).run();
    return result === undefined || !isRate ? result : divide(result, window.rangeMs / 1000);
  };
}

/** A smoothed instant selector. What is carried on for want of a next sample says nothing of resets. */
const smoothedValue: MixedFunction = (window) => {
  const { histograms, floats, end: at } = window;
  if (countOf(histograms) === 0) return window.ofFloats;
  if (countOf(floats) > 0) {
    window.note('mixed floats and histograms');
    return undefined;
  }
  const { t, v, from, to } = histograms;
  let i = from;
  while (i < to && (t[i] as number) < at) i++;
  if (i < to && t[i] === at) return v[i];
  if (i === from) return undefined;
  const before = { t: t[i - 1] as number, value: v[i - 1] as FloatHistogram };
  if (i === to) return withHint(before.value, RESET_HINT.unknown);
  const after = { t: t[i] as number, value: v[i] as FloatHistogram };
  if (isCustom(before.value) !== isCustom(after.value)) {
    window.note('mixed bucket schemas');
    return undefined;
  }
  const gauge = RESET_HINT.gauge;
  const isCounter = before.value.hint !== gauge || after.value.hint !== gauge;
  return between(window, before, after, at, isCounter);
};

/** Functions of extended ranges by name and modifier. */
export const MIXED_EXTENDED_FUNCTIONS: ReadonlyMap<string, MixedFunction> = new Map([
  ['value smoothed', smoothedValue],
  ['rate anchored', extendedRate(false, true, true)],
  ['increase anchored', extendedRate(false, true, false)],
  ['delta anchored', extendedRate(false, false, false)],
  ['rate smoothed', extendedRate(true, true, true)],
  ['increase smoothed', extendedRate(true, true, false)],
  ['delta smoothed', extendedRate(true, false, false)],
]);
