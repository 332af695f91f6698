// The shortest digits of a double that lead back to it, the closest of those: Raffaello Giulietti, "The Schubfach way to
// render doubles". Numbers of 128 bits stand for powers of ten; who loads the kernel computes them.

/** The least decimal exponent in the table of powers; an entry is two u64, the low one first. */
const POWER_MIN: i32 = -292;

/** Ten, with 60 bits behind the point. */
const TEN: u64 = 0xa000000000000000;
/** A half, with 64 bits behind the point. */
const HALF: u64 = 0x8000000000000000;
/** Twice what a number with 60 bits behind the point may be too small by. */
const CLOSE: u64 = 0x80000000;

/** The upper 64 bits of a product. */
// @ts-ignore: decorator
@inline function mulHigh(a: u64, b: u64): u64 {
  const a0: u64 = a & 0xffffffff, a1: u64 = a >> 32, b0: u64 = b & 0xffffffff, b1: u64 = b >> 32;
  const middle: u64 = a1 * b0 + (a0 * b0 >> 32);
  return a1 * b1 + (middle >> 32) + (a0 * b1 + (middle & 0xffffffff) >> 32);
}

/** The upper 64 bits of a number of 192; the last one is set when any below it is ("round to odd"). Powers are not exact. */
// @ts-ignore: decorator
@inline function toOdd(high: u64, middle: u64): u64 { return high | u64(middle > 1); }

/** The exponent of the digits of a finite double above 0, given by its bits. */
export function exponentOf(bits: u64): i32 {
  const biased: i32 = <i32>(bits >> 52);
  const q: i32 = biased != 0 ? biased - 1075 : -1074;
  return (q * 1262611 - (isUneven(bits) ? 524031 : 0)) >> 22;
}

/** Below a power of two doubles lie twice as close as above it. */
// @ts-ignore: decorator
@inline function isUneven(bits: u64): bool { return (bits & 0xfffffffffffff) == 0 && bits > 0x10000000000000; }

/** All bits where a condition holds: which of two numbers is taken cannot be predicted, so there is no branch. */
// @ts-ignore: decorator
@inline function maskOf(is: bool): u64 { return 0 - u64(is); }

/**
 * Digits d of a finite double above 0, given by its bits: d * 10^k, with k as exponentOf has it. They may end with zeros; below
 * 10^17, and from 10^15 on unless the double is subnormal.
 */
// @ts-ignore: decorator
@inline export function shortest(bits: u64, k: i32, powers: usize): u64 {
  const fraction: u64 = bits & 0xfffffffffffff;
  const biased: i32 = <i32>(bits >> 52);
  const c: u64 = biased != 0 ? fraction | 0x10000000000000 : fraction;
  const q: i32 = biased != 0 ? biased - 1075 : -1074;
  const h: i32 = q + ((-k * 1741647) >> 19) + 1;
  const at = powers + (<usize>(-k - POWER_MIN) << 4);
  const high = load<u64>(at, 8);
  // The double, scaled: s and 64 bits behind the point, too small by less than 2^34. x is below 2^57.
  const x: u64 = c << h;
  const x0: u64 = x & 0xffffffff, x1: u64 = x >> 32, high0: u64 = high & 0xffffffff, high1: u64 = high >> 32;
  const upper: u64 = high0 * x1 + (high0 * x0 >> 32);
  const lower: u64 = high1 * x0 + (upper & 0xffffffff);
  const add: u64 = <u64>load<u32>(at, 4) * x1;
  const behind: u64 = (lower << 32) + add;
  const s: u64 = high1 * x1 + (upper >> 32) + (lower >> 32) + u64(behind < add);
  // With 60 bits behind the point: what the double has beyond the last ten, and half the way to the doubles beside it.
  const tens: u64 = s / 10 * 10;
  const beyond: u64 = (s - tens << 60) + (behind >> 4);
  const half: u64 = high >> (5 - h);
  const isTens = beyond < half, isNextTens = beyond + half > TEN;
  // What is too close to a bound for those bits, or has bounds that are not alike, is computed in full.
  const isClose = u64(beyond - half + CLOSE < 2 * CLOSE) | u64(beyond + half - TEN + CLOSE < 2 * CLOSE)
    | u64(behind - HALF + (CLOSE << 4) < CLOSE << 5) | u64(fraction == 0);
  if (isClose) return exact(bits, k, powers);
  const ones: u64 = s + (behind >> 63);
  return ones ^ ((ones ^ (tens + (10 & maskOf(isNextTens)))) & maskOf(isTens | isNextTens));
}

/** As `shortest`, with all bits that it takes. */
function exact(bits: u64, k: i32, powers: usize): u64 {
  const fraction: u64 = bits & 0xfffffffffffff;
  const biased: i32 = <i32>(bits >> 52);
  const c: u64 = biased != 0 ? fraction | 0x10000000000000 : fraction;
  const q: i32 = biased != 0 ? biased - 1075 : -1074;
  const odd: u64 = c & 1;
  const h: u64 = <u64>(q + ((-k * 1741647) >> 19) + 1);
  const at = powers + (<usize>(-k - POWER_MIN) << 4);
  const low = load<u64>(at), high = load<u64>(at, 8);
  // Four times the double, scaled: a product of 192 bits.
  const x: u64 = (c << 2) << h;
  const p0: u64 = low * x;
  const below: u64 = high * x;
  const p1: u64 = below + mulHigh(low, x);
  const p2: u64 = mulHigh(high, x) + u64(p1 < below);
  // What lies between the bounds rounds to the double, the bounds themselves only when it is even. In these units the next
  // double is four away, so a bound two, and one to the closer double below a power of two.
  const up: u64 = h + 1, down: u64 = isUneven(bits) ? h : up;
  const t0: u64 = p0 + (low << up);
  const t1: u64 = p1 + ((high << up) | (low >> (64 - up)));
  const t2: u64 = t1 + u64(t0 < p0);
  const to: u64 = toOdd(p2 + (high >> (64 - up)) + u64(t1 < p1) + u64(t2 < t1), t2) - odd;
  const f1: u64 = p1 - ((high << down) | (low >> (64 - down)));
  const f2: u64 = f1 - u64(p0 < low << down);
  const from: u64 = toOdd(p2 - (high >> (64 - down)) - u64(f1 > p1) - u64(f2 > f1), f2) + odd;
  const middle: u64 = toOdd(p2, p1);
  // One digit less when a single such number lies between the bounds. Else the one that lies there, or the closest.
  const s: u64 = middle >> 2;
  const tens: u64 = s / 10 * 10;
  const isTens = from <= tens << 2, isNextTens = (tens << 2) + 40 <= to;
  const isDown = from <= s << 2, isUp = (s << 2) + 4 <= to;
  const half: u64 = (s << 2) + 2;
  const isCloser = u64(middle > half) | (u64(middle == half) & s);
  const one: u64 = u64(isUp) ^ ((u64(isUp) ^ isCloser) & maskOf(isDown == isUp));
  const ones: u64 = s + one;
  return ones ^ ((ones ^ (tens + (10 & maskOf(isNextTens)))) & maskOf(isTens != isNextTens));
}
