/** Sums and differences of native histograms, resets, equality. */
import {
  ascending,
  compact,
  copyHistogram,
  exponentialBound,
  isCustom,
  reduceBuckets,
  reduceTo,
  widenZeroBucket,
  widerZeroBucket,
  type Buckets,
} from './histogram-buckets.ts';
import { CUSTOM_SCHEMA, type Hint, type NaiveHistogram } from './histogram.ts';
import { kahanAdd } from './kahan.ts';

/** Exponential and custom buckets do not go together. */
export class IncompatibleBuckets extends Error {}

/** Calls a function; undefined when buckets are not compatible. */
export function whenCompatible<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (thrown) {
    if (thrown instanceof IncompatibleBuckets) return undefined;
    throw thrown;
  }
}

function mapBuckets(buckets: Buckets, f: (count: number) => number): Map<number, number> {
  return new Map([...buckets].map(([index, count]) => [index, f(count)]));
}

function mapCounts(h: NaiveHistogram, f: (count: number) => number): NaiveHistogram {
  return {
    ...h,
    zeroCount: f(h.zeroCount),
    count: f(h.count),
    sum: f(h.sum),
    positive: mapBuckets(h.positive, f),
    negative: mapBuckets(h.negative, f),
  };
}

/** All counts and the sum times a factor; a negative one makes a gauge. */
export function multiply(h: NaiveHistogram, factor: number): NaiveHistogram {
  const product = mapCounts(h, (count) => count * factor);
  return factor < 0 ? { ...product, hint: 'gauge' } : product;
}

/** The same divided; 0 leaves no buckets. */
export function divide(h: NaiveHistogram, by: number): NaiveHistogram {
  const quotient = mapCounts(h, (count) => count / by);
  if (by === 0) return { ...quotient, positive: new Map(), negative: new Map() };
  return by < 0 ? { ...quotient, hint: 'gauge' } : quotient;
}

/** What is known of resets when two histograms are added. */
function jointHint(a: Hint, b: Hint): Hint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

function sameBounds(a: NaiveHistogram, b: NaiveHistogram): boolean {
  return a.bounds.length === b.bounds.length && a.bounds.every((bound, i) => bound === b.bounds[i]);
}

/**
 * A sum in the making: the histogram and, bucket by bucket, what rounding took from it.
 * The compensation has the buckets of the sum.
 */
export interface HistogramSum {
  readonly sum: NaiveHistogram;
  readonly lost: NaiveHistogram | undefined;
}

/** Adds a histogram to a sum, or takes it from it. Compensation is lost unless the sum keeps count of it. */
function combine(
  { sum, lost }: HistogramSum,
  other: NaiveHistogram,
  { sign, compensated }: { sign: 1 | -1; compensated: boolean },
): HistogramSum {
  if (isCustom(sum) !== isCustom(other)) throw new IncompatibleBuckets();
  const blank = mapCounts(copyHistogram(sum), () => 0);
  let to = { h: copyHistogram(sum), c: lost === undefined ? blank : copyHistogram(lost) };
  to.h.hint = jointHint(sum.hint, other.hint);
  const accumulate = (value: number, [total, rest]: readonly [number, number]): [number, number] =>
    compensated ? kahanAdd(value, [total, rest]) : [total + sign * value, 0];
  [to.h.count, to.c.count] = accumulate(other.count, [to.h.count, to.c.count]);
  [to.h.sum, to.c.sum] = accumulate(other.sum, [to.h.sum, to.c.sum]);
  if (isCustom(sum)) {
    to = sameBounds(sum, other)
      ? addSide(to, other, 'positive', accumulate)
      : addToCommonBounds(to, other, { sign, compensated });
    return { sum: to.h, lost: compensated ? to.c : undefined };
  }
  const zero = commonZeroBucket(to, other);
  to = zero.to;
  [to.h.zeroCount, to.c.zeroCount] = accumulate(zero.count, [to.h.zeroCount, to.c.zeroCount]);
  if (compensated) {
    [to.h.zeroCount, to.c.zeroCount] = kahanAdd(zero.rest, [to.h.zeroCount, to.c.zeroCount]);
  }
  const schema = Math.min(to.h.schema, other.schema);
  to = reduceSum(to, schema);
  const reduced = reduceTo(other, schema);
  to = addSide(to, reduced, 'positive', accumulate);
  to = addSide(to, reduced, 'negative', accumulate);
  return { sum: to.h, lost: compensated ? to.c : undefined };
}

interface Pair {
  readonly h: NaiveHistogram;
  readonly c: NaiveHistogram;
}

/** Makes the zero bucket so wide that neither histogram has a bucket that counts something across its bound. */
function commonZeroBucket(
  start: Pair,
  other: NaiveHistogram,
): { to: Pair; count: number; rest: number } {
  let to = start;
  let zero = { count: other.zeroCount, threshold: other.zeroThreshold, compensation: 0 };
  while (zero.threshold !== to.h.zeroThreshold) {
    if (to.h.zeroThreshold > zero.threshold) zero = widerZeroBucket(other, to.h.zeroThreshold);
    if (zero.threshold > to.h.zeroThreshold) {
      const { compensation } = widerZeroBucket(to.h, zero.threshold);
      const h = widenZeroBucket(to.h, zero.threshold);
      const inside = (index: number) => exponentialBound(index - 1, to.h.schema) < h.zeroThreshold;
      let rest = to.c.zeroCount + compensation;
      for (const side of ['positive', 'negative'] as const) {
        for (const [index, count] of to.c[side]) if (inside(index)) rest += count;
      }
      const kept = (side: 'positive' | 'negative') =>
        new Map([...to.c[side]].filter(([index]) => h[side].has(index)));
      const c = {
        ...to.c,
        zeroCount: rest,
        positive: kept('positive'),
        negative: kept('negative'),
      };
      to = { h, c };
    }
  }
  return { to, count: zero.count, rest: zero.compensation };
}

function reduceSum({ h, c }: Pair, schema: number): Pair {
  if (h.schema === schema) return { h, c };
  const reduced = (from: NaiveHistogram, side: 'positive' | 'negative') =>
    reduceBuckets(from[side], h.schema, schema);
  const sides = (from: NaiveHistogram) => ({
    positive: reduced(from, 'positive'),
    negative: reduced(from, 'negative'),
  });
  return { h: { ...h, schema, ...sides(h) }, c: { ...c, schema, ...sides(c) } };
}

type Accumulate = (value: number, state: readonly [number, number]) => [number, number];

/** Adds the buckets of one side that are not in the zero bucket. */
function addSide(
  { h, c }: Pair,
  other: NaiveHistogram,
  side: 'positive' | 'negative',
  accumulate: Accumulate,
): Pair {
  const [sums, rests] = [new Map(h[side]), new Map(c[side])];
  for (const index of ascending(other[side])) {
    const isOutside =
      h.schema === CUSTOM_SCHEMA || exponentialBound(index, h.schema) > h.zeroThreshold;
    if (!isOutside) continue;
    const count = other[side].get(index) ?? 0;
    const state = sums.has(index)
      ? accumulate(count, [sums.get(index) ?? 0, rests.get(index) ?? 0])
      : ([accumulate(count, [0, 0])[0], 0] as const);
    sums.set(index, state[0]);
    rests.set(index, state[1]);
  }
  return { h: { ...h, [side]: sums }, c: { ...c, [side]: rests } };
}

/** Adds histograms of other custom bounds: both in the bounds that they share. */
function addToCommonBounds(
  { h, c }: Pair,
  other: NaiveHistogram,
  { sign, compensated }: { sign: 1 | -1; compensated: boolean },
): Pair {
  const bounds = h.bounds.filter((bound) => other.bounds.includes(bound));
  const states = new Map<number, [number, number]>();
  const put = (from: NaiveHistogram, index: number, count: number): void => {
    const upper = from.bounds[index] ?? Infinity;
    const found = bounds.findIndex((bound) => bound >= upper);
    const at = found < 0 ? bounds.length : found;
    states.set(at, kahanAdd(count, states.get(at) ?? [0, 0]));
  };
  for (const index of ascending(h.positive)) {
    put(h, index, h.positive.get(index) ?? 0);
    if (compensated) put(h, index, c.positive.get(index) ?? 0);
  }
  for (const index of ascending(other.positive)) {
    put(other, index, sign * (other.positive.get(index) ?? 0));
  }
  const filled = [...states].filter(([, [sum, rest]]) => sum !== 0 || rest !== 0);
  const positive = new Map(filled.map(([index, [sum]]) => [index, sum]));
  const rests = new Map(filled.map(([index, [, rest]]) => [index, rest]));
  return { h: { ...h, bounds, positive }, c: { ...c, bounds, positive: rests } };
}

/** a + b. @throws IncompatibleBuckets */
export function add(a: NaiveHistogram, b: NaiveHistogram): NaiveHistogram {
  return combine({ sum: a, lost: undefined }, b, { sign: 1, compensated: false }).sum;
}

/** a - b, with the hint of a sum. @throws IncompatibleBuckets */
export function subtract(a: NaiveHistogram, b: NaiveHistogram): NaiveHistogram {
  return combine({ sum: a, lost: undefined }, b, { sign: -1, compensated: false }).sum;
}

/** A compensated sum and one more. @throws IncompatibleBuckets */
export function addCompensated(sum: HistogramSum, other: NaiveHistogram): HistogramSum {
  return combine(sum, other, { sign: 1, compensated: true });
}

function whole({ sum, lost }: HistogramSum): NaiveHistogram {
  return lost === undefined ? sum : add(sum, lost);
}

/** The sum of at least one histogram. @throws IncompatibleBuckets */
export function sumHistograms([first, ...rest]: readonly NaiveHistogram[]): NaiveHistogram {
  if (first === undefined) throw new Error('a sum of nothing');
  let state: HistogramSum = { sum: first, lost: undefined };
  for (const h of rest) state = addCompensated(state, h);
  return whole(state);
}

/** The mean of at least one histogram. @throws IncompatibleBuckets */
export function meanHistogram([first, ...rest]: readonly NaiveHistogram[]): NaiveHistogram {
  if (first === undefined) throw new Error('a mean of nothing');
  let state: HistogramSum = { sum: first, lost: undefined };
  let incremental = false;
  const scaled = (f: (h: NaiveHistogram) => NaiveHistogram): HistogramSum => ({
    sum: f(state.sum),
    lost: state.lost === undefined ? undefined : f(state.lost),
  });
  for (const [i, h] of rest.entries()) {
    const count = i + 2;
    if (!incremental) {
      const next = addCompensated(state, h);
      if (!hasOverflow(next.sum)) {
        state = next;
        continue;
      }
      incremental = true;
      state = scaled((part) => divide(part, count - 1));
    }
    state = addCompensated(
      scaled((part) => multiply(part, (count - 1) / count)),
      divide(h, count),
    );
  }
  if (!incremental) state = scaled((part) => divide(part, rest.length + 1));
  return whole(state);
}

function hasOverflow(h: NaiveHistogram): boolean {
  const counts = [h.zeroCount, h.count, h.sum, ...h.positive.values(), ...h.negative.values()];
  return counts.some((count) => Math.abs(count) === Infinity);
}

/** Whether all that a histogram says is equal, empty buckets included; hints are not looked at. */
export function equalHistograms(a: NaiveHistogram, b: NaiveHistogram): boolean {
  const sameBuckets = (x: Buckets, y: Buckets) =>
    x.size === y.size && [...x].every(([index, count]) => Object.is(y.get(index), count));
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    sameBounds(a, b) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    sameBuckets(a.positive, b.positive) &&
    sameBuckets(a.negative, b.negative)
  );
}

/** Whether the counter began anew between two histograms. */
export function isReset(h: NaiveHistogram, before: NaiveHistogram): boolean {
  if (h.hint === 'reset') return true;
  if (h.hint === 'not-reset') return false;
  if (h.count < before.count) return true;
  if (isCustom(h) && !isCustom(before)) return true;
  if (isCustom(h) && !sameBounds(h, before)) return fellBetweenCommonBounds(h, before);
  if (h.schema > before.schema || h.zeroThreshold < before.zeroThreshold) return true;
  if (!isCustom(h)) {
    const zero = widerZeroBucket(before, h.zeroThreshold);
    if (zero.threshold !== h.zeroThreshold || h.zeroCount < zero.count) return true;
  }
  const reduced = reduceTo(before, h.schema);
  return (['positive', 'negative'] as const).some((side) =>
    [...reduced[side]].some(([index, count]) => {
      const isInZero = !isCustom(h) && exponentialBound(index, h.schema) <= h.zeroThreshold;
      if (isInZero) return false;
      const now = h[side].get(index);
      return now === undefined ? count !== 0 : now < count;
    }),
  );
}

function fellBetweenCommonBounds(h: NaiveHistogram, before: NaiveHistogram): boolean {
  const common = [...h.bounds.filter((bound) => before.bounds.includes(bound)), Infinity];
  const between = (of: NaiveHistogram, from: number, to: number) =>
    ascending(of.positive)
      .filter((index) => {
        const upper = of.bounds[index] ?? Infinity;
        return upper > from && upper <= to;
      })
      .reduce((sum, index) => sum + (of.positive.get(index) ?? 0), 0);
  return common.some((to, i) => {
    const from = common[i - 1] ?? -Infinity;
    return between(h, from, to) < between(before, from, to);
  });
}

/** A histogram that counts nothing, in the buckets of another. */
export function emptyLike({ schema, bounds }: NaiveHistogram): NaiveHistogram {
  return {
    schema,
    bounds,
    hint: 'unknown',
    count: 0,
    sum: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    positive: new Map(),
    negative: new Map(),
  };
}

/** As a gauge without empty buckets: what differences are. */
export function asGauge(h: NaiveHistogram): NaiveHistogram {
  return { ...compact(h), hint: 'gauge' };
}
