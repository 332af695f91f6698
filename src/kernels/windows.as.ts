// kernel: memory=local
// Windows over the samples of one series (src/promql/funcs/series-windows.ts): their bounds, rate() and its kin, the
// newest samples of instant selectors, and sums over series. Twins: boundWindows there, src/promql/funcs/rate.ts,
// src/promql/funcs/last-samples.ts and src/promql/funcs/group-states.ts; both give the same bits, so arithmetic is in
// their order, two steps at a time.

// @ts-ignore: decorator
@inline function at(base: usize, i: i32): f64 { return load<f64>(base + (<usize>i << 3)); }

/** Whether t[i - 1] <= x < t[i]. */
// @ts-ignore: decorator
@inline function splits(t: usize, i: i32, x: f64): bool {
  return i32x4.bitmask(f64x2.le(v128.load(t + (<usize>(i - 1) << 3)), f64x2.splat(x))) == 3;
}

/**
 * The first index from `from` on, below n, whose time is after x. Samples come at a steady pace: most steps move as far, `by`, as the
 * last one did.
 */
// @ts-ignore: decorator
@inline function moveOn(t: usize, n: i32, from: i32, by: i32, x: f64): i32 {
  let next: i32 = from + by;
  if (next >= n || next == 0 || !splits(t, next, x)) {
    next = from;
    while (next < n && at(t, next) <= x) next++;
  }
  return next;
}

/**
 * Sets the bounds of all windows (i32 at `lo` and `hi`): those samples of t[0..n] with end - rangeMs < t <= end, where
 * end = refStart + s * refStep. Answers how many samples they hold in all.
 */
export function bound(
  t: usize, n: i32, steps: i32, refStart: f64, refStep: f64, rangeMs: f64, lo: usize, hi: usize,
): f64 {
  let l: i32 = 0, h: i32 = 0, lastL: i32 = 0, lastH: i32 = 0;
  // Where windows are as wide as so many steps, one begins where an earlier one has ended.
  const apart: f64 = refStep > 0 ? rangeMs / refStep : 0.5;
  const back: i32 = apart == floor(apart) && apart < <f64>steps ? <i32>apart : steps;
  let total: i64 = 0;
  for (let s: i32 = 0; s < steps; s++) {
    const end: f64 = refStart + <f64>s * refStep;
    const start: f64 = end - rangeMs;
    let next = moveOn(t, n, h, lastH, end);
    lastH = next - h;
    h = next;
    if (s >= back) l = load<i32>(hi + (<usize>(s - back) << 2));
    else {
      next = moveOn(t, h, l, lastL, start);
      lastL = next - l;
      l = next;
    }
    store<i32>(lo + (<usize>s << 2), l);
    store<i32>(hi + (<usize>s << 2), h);
    total += <i64>(h - l);
  }
  return <f64>total;
}

/** The bits of a stale marker. */
const STALE: u64 = 0x7ff0000000000002;

/**
 * Instant selectors: the newest sample of each step refStart + s * refStep that is not older than `lookback` and no stale
 * marker, to f64 at `out` with a byte a step at `present`. Answers how many steps have one.
 */
export function last(
  t: usize, v: usize, n: i32, steps: i32, refStart: f64, refStep: f64, lookback: f64, out: usize, present: usize,
): i32 {
  let h: i32 = 0, lastH: i32 = 0, found: i32 = 0;
  for (let s: i32 = 0; s < steps; s++) {
    const end: f64 = refStart + <f64>s * refStep;
    const next = moveOn(t, n, h, lastH, end);
    lastH = next - h;
    h = next;
    let isThere = false;
    if (h > 0) {
      const value = load<u64>(v + (<usize>(h - 1) << 3));
      isThere = value != STALE && at(t, h - 1) > end - lookback;
      store<u64>(out + (<usize>s << 3), value);
    }
    store<u8>(present + s, <u8>isThere);
    found += i32(isThere);
  }
  return found;
}

/** Writes the indices (i32) of samples below their predecessor; answers how many there are, or -1 for more than `max`. */
function findResets(v: usize, n: i32, into: usize, max: i32): i32 {
  let count: i32 = 0;
  let i: i32 = 1;
  for (; i + 3 < n; i += 4) {
    const p = v + (<usize>i << 3);
    const falls = v128.or(
      f64x2.lt(v128.load(p), v128.load(p - 8)), f64x2.lt(v128.load(p + 16), v128.load(p + 8)),
    );
    if (!v128.any_true(falls)) continue;
    if (count + 4 > max) return -1;
    for (let k = i; k < i + 4; k++) {
      if (at(v, k) < at(v, k - 1)) { store<i32>(into + (<usize>count << 2), k); count++; }
    }
  }
  for (; i < n; i++) {
    if (!(at(v, i) < at(v, i - 1))) continue;
    if (count == max) return -1;
    store<i32>(into + (<usize>count << 2), i);
    count++;
  }
  return count;
}

/**
 * rate(), increase() and delta() of the windows that `bound` has set, to f64 at `out` with a byte a step at `present`.
 * `resets` has room for `resetsMax` i32. Answers how many steps have a value, or -1 when there are more resets.
 */
export function extrapolate(
  t: usize, v: usize, n: i32, steps: i32, refStart: f64, refStep: f64, rangeMs: f64, perSecond: f64, isCounter: bool,
  lo: usize, hi: usize, resets: usize, resetsMax: i32, out: usize, present: usize,
): i32 {
  const resetCount: i32 = isCounter ? findResets(v, n, resets, resetsMax) : 0;
  if (resetCount < 0) return -1;
  let reset: i32 = 0;
  let found: i32 = 0;
  const thousand = f64x2.splat(1000);
  const range = f64x2.splat(rangeMs);
  const per = f64x2.splat(perSecond);
  const zero = f64x2.splat(0);
  let end = f64x2.replace_lane(f64x2.splat(refStart), 1, refStart + refStep);
  const twoSteps = f64x2.splat(2 * refStep);
  for (let s: i32 = 0; s < steps; s += 2) {
    // The last of an odd number of steps is computed twice.
    const other: i32 = s + 1 < steps ? s + 1 : s;
    let f0 = load<i32>(lo + (<usize>s << 2)), f1 = load<i32>(lo + (<usize>other << 2));
    let e0 = load<i32>(hi + (<usize>s << 2)) - 1, e1 = load<i32>(hi + (<usize>other << 2)) - 1;
    if (f0 < e0 && f1 < e1) {
      store<u8>(present + s, 1);
      store<u8>(present + other, 1);
      found += 1 + other - s;
    } else {
      const has0: i32 = i32(f0 < e0), has1: i32 = i32(f1 < e1);
      store<u8>(present + s, <u8>has0);
      store<u8>(present + other, <u8>has1);
      found += other == s ? has0 : has0 + has1;
      if (!(has0 | has1)) {
        end = f64x2.add(end, twoSteps);
        continue;
      }
      // Beside a window that is too small the other one is computed twice.
      if (!has0) { f0 = f1; e0 = e1; }
      if (!has1) { f1 = f0; e1 = e0; }
    }
    const first = f64x2.replace_lane(f64x2.splat(at(v, f0)), 1, at(v, f1));
    const last = f64x2.replace_lane(f64x2.splat(at(v, e0)), 1, at(v, e1));
    const firstT = f64x2.replace_lane(f64x2.splat(at(t, f0)), 1, at(t, f1));
    const lastT = f64x2.replace_lane(f64x2.splat(at(t, e0)), 1, at(t, e1));
    const gaps = f64x2.replace_lane(f64x2.splat(<f64>(e0 - f0)), 1, <f64>(e1 - f1));
    let result = f64x2.sub(last, first);
    if (reset < resetCount) {
      while (reset < resetCount && load<i32>(resets + (<usize>reset << 2)) <= f0) reset++;
      let r0 = f64x2.extract_lane(result, 0), r1 = f64x2.extract_lane(result, 1);
      for (let r = reset; r < resetCount; r++) {
        const i = load<i32>(resets + (<usize>r << 2));
        if (i > e1) break;
        const before = at(v, i - 1);
        if (i > f0 && i <= e0) r0 += before;
        if (i > f1) r1 += before;
      }
      result = f64x2.replace_lane(f64x2.splat(r0), 1, r1);
    }
    const start = f64x2.sub(end, range);
    let toStart = f64x2.div(f64x2.sub(firstT, start), thousand);
    let toEnd = f64x2.div(f64x2.sub(end, lastT), thousand);
    const sampled = f64x2.div(f64x2.sub(lastT, firstT), thousand);
    // Divisions take longest, and mostly it is plain without them that a window is covered to its ends.
    const reach = f64x2.mul(f64x2.max(toStart, toEnd), gaps);
    if (i64x2.bitmask(f64x2.lt(reach, f64x2.mul(sampled, f64x2.splat(1.0999)))) != 3) {
      const average = f64x2.div(sampled, gaps);
      const threshold = f64x2.mul(average, f64x2.splat(1.1));
      const half = f64x2.mul(average, f64x2.splat(0.5));
      toStart = v128.bitselect(half, toStart, f64x2.ge(toStart, threshold));
      toEnd = v128.bitselect(half, toEnd, f64x2.ge(toEnd, threshold));
    }
    if (isCounter) {
      // The same for a counter that has grown for longer than since the window's start: toZero > toStart.
      const near = f64x2.mul(f64x2.mul(toStart, result), f64x2.splat(1.0001));
      const isFar = v128.and(f64x2.gt(f64x2.mul(sampled, first), near), f64x2.gt(near, f64x2.splat(1e-300)));
      if (i64x2.bitmask(isFar) != 3) {
        const toZero = f64x2.mul(sampled, f64x2.div(first, result));
        const grows = v128.and(f64x2.gt(result, zero), f64x2.ge(first, zero));
        toStart = v128.bitselect(toZero, toStart, v128.and(grows, f64x2.lt(toZero, toStart)));
      }
    }
    const covered = f64x2.add(f64x2.add(sampled, toStart), toEnd);
    const factor = f64x2.div(f64x2.div(covered, sampled), per);
    const value = f64x2.mul(result, factor);
    if (other != s) v128.store(out + (<usize>s << 3), value);
    else store<f64>(out + (<usize>s << 3), f64x2.extract_lane(value, 0));
    end = f64x2.add(end, twoSteps);
  }
  return found;
}

/**
 * Adds a row (f64 at `values`, a byte a step at `present`: 1 is a number) to the sums of its group: sum and compensation
 * (f64 at `a` and `b`) and count (u32 at `n`).
 */
export function addSum(a: usize, b: usize, n: usize, values: usize, present: usize, steps: i32): void {
  const infinite = f64x2.splat(Infinity);
  let s: i32 = 0;
  for (; s + 1 < steps; s += 2) {
    const at8 = <usize>s << 3;
    if (load<u16>(present + s) != 0x0101) {
      addOne(a + at8, b + at8, n + (<usize>s << 2), values + at8, present + s);
      addOne(a + at8 + 8, b + at8 + 8, n + (<usize>s << 2) + 4, values + at8 + 8, present + s + 1);
      continue;
    }
    const value = v128.load(values + at8);
    const sum = v128.load(a + at8);
    const total = f64x2.add(sum, value);
    v128.store(a + at8, total);
    const bySum = f64x2.add(f64x2.sub(sum, total), value);
    const byValue = f64x2.add(f64x2.sub(value, total), sum);
    const error = v128.bitselect(bySum, byValue, f64x2.ge(f64x2.abs(sum), f64x2.abs(value)));
    const comp = f64x2.add(v128.load(b + at8), error);
    v128.store(b + at8, v128.andnot(comp, f64x2.eq(f64x2.abs(total), infinite)));
    store<u64>(n + (<usize>s << 2), load<u64>(n + (<usize>s << 2)) + 0x0000000100000001);
  }
  const at8 = <usize>s << 3;
  if (s < steps) addOne(a + at8, b + at8, n + (<usize>s << 2), values + at8, present + s);
}

/**
 * Makes values of the sums of so many cells: f64 over the ones at `a`, with a byte a cell at `present`: whether there is one. That
 * may be where the counts are.
 */
export function finishSums(a: usize, b: usize, n: usize, cells: i32, present: usize): void {
  for (let i: i32 = 0; i < cells; i++) {
    const at8 = <usize>i << 3;
    store<f64>(a + at8, load<f64>(a + at8) + load<f64>(b + at8));
    store<u8>(present + i, u8(load<u32>(n + (<usize>i << 2)) != 0));
  }
}

function addOne(a: usize, b: usize, n: usize, value: usize, present: usize): void {
  if (load<u8>(present) != 1) return;
  const x = load<f64>(value);
  const sum = load<f64>(a);
  const total = sum + x;
  store<f64>(a, total);
  store<u32>(n, load<u32>(n) + 1);
  if (abs<f64>(total) == Infinity) store<f64>(b, 0);
  else store<f64>(b, load<f64>(b) + (abs<f64>(sum) >= abs<f64>(x) ? sum - total + x : x - total + sum));
}
