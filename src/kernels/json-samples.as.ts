// kernel: memory=local
// Samples of a range query's answer as JSON: [seconds,"value"],… Twin: src/http/json-pieces.ts.
//
//   memory   powers of ten | pairs of digits | steps | t | v | out, see src/http/samples-kernel.ts

import { exponentOf, shortest } from './parts/shortest-float.as.ts';

const QUOTE: u8 = 0x22;
const PLUS: u8 = 0x2b;
const COMMA: u8 = 0x2c;
const MINUS: u8 = 0x2d;
const POINT: u8 = 0x2e;
const ZERO: u8 = 0x30;
const OPEN: u8 = 0x5b;
const CLOSE: u8 = 0x5d;
const EXPONENT: u8 = 0x65;

/** Two digits. */
// @ts-ignore: decorator
@inline function pair(p: usize, x: u32, pairs: usize): void { store<u16>(p, load<u16>(pairs + (x << 1))); }

/** Eight digits. */
function eight(p: usize, x: u32, pairs: usize): void {
  const high: u32 = x / 10000, low: u32 = x % 10000;
  pair(p, high / 100, pairs);
  pair(p + 2, high % 100, pairs);
  pair(p + 4, low / 100, pairs);
  pair(p + 6, low % 100, pairs);
}

/** The digits of a number below 10^8. Answers where they end. */
function few(p: usize, x: u32, pairs: usize): usize {
  if (x < 10) { store<u8>(p, ZERO + <u8>x); return p + 1; }
  if (x < 100) { pair(p, x, pairs); return p + 2; }
  const size: u32 = x < 1000 ? 3 : x < 10000 ? 4 : x < 100000 ? 5 : x < 1000000 ? 6 : x < 10000000 ? 7 : 8;
  let rest: u32 = x;
  let at: usize = p + size;
  while (rest >= 100) { at -= 2; pair(at, rest % 100, pairs); rest /= 100; }
  if (rest >= 10) pair(at - 2, rest, pairs);
  else store<u8>(at - 1, ZERO + <u8>rest);
  return p + size;
}

/** The digits of a number below 10^24. Answers where they end. */
function digits(p: usize, x: u64, pairs: usize): usize {
  if (x < 100000000) return few(p, <u32>x, pairs);
  const high: u64 = x / 100000000;
  const low: u32 = <u32>(x - high * 100000000);
  let at: usize;
  if (high < 100000000) at = few(p, <u32>high, pairs);
  else {
    const top: u64 = high / 100000000;
    at = few(p, <u32>top, pairs);
    eight(at, <u32>(high - top * 100000000), pairs);
    at += 8;
  }
  eight(at, low, pairs);
  return at + 8;
}

/** A time in ms as seconds, with three decimals unless it is whole. Answers where it ends, 0 for one that is no whole ms. */
function timestamp(p: usize, ms: f64, pairs: usize): usize {
  if (floor<f64>(ms) != ms) return 0;
  let at = p;
  if (ms < 0) store<u8>(at++, MINUS);
  const size: u64 = <u64>abs<f64>(ms);
  const seconds: u64 = size / 1000;
  const rest: u32 = <u32>(size - seconds * 1000);
  at = digits(at, seconds, pairs);
  if (rest == 0) return at;
  store<u8>(at, POINT);
  store<u8>(at + 1, ZERO + <u8>(rest / 100));
  pair(at + 2, rest % 100, pairs);
  return at + 4;
}

/** The digits of a number below 10^16, as text in order. Eight, four and two of them are split at once. */
// @ts-ignore: decorator
@inline function sixteen(x: u64): v128 {
  const top: u64 = x / 100000000;
  // Each part becomes its rest with its quotient above it: in the end the digits of both halves lie backwards.
  const eights = i64x2.replace_lane(i64x2.splat(<i64>top), 1, <i64>(x - top * 100000000));
  const packed = i8x16.shuffle(eights, eights, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  const q4 = i64x2.shr_u(i64x2.extmul_low_i32x4_u(packed, i32x4.splat(0xd1b71759)), 45);
  const r4 = i64x2.sub(eights, i32x4.mul(q4, i32x4.splat(10000)));
  const fours = v128.or(r4, i64x2.shl(q4, 32));
  const q2 = i32x4.shr_u(i32x4.dot_i16x8_s(fours, i16x8.splat(5243)), 19);
  const r2 = i32x4.sub(fours, i32x4.dot_i16x8_s(q2, i16x8.splat(100)));
  const twos = v128.or(r2, i32x4.shl(q2, 16));
  const q1 = i16x8.shr_u(i16x8.mul(twos, i16x8.splat(103)), 10);
  const r1 = i16x8.sub(twos, i16x8.mul(q1, i16x8.splat(10)));
  const ones = v128.or(r1, i16x8.shl(q1, 8));
  const ordered = i8x16.shuffle(ones, ones, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
  return i8x16.add(ordered, i8x16.splat(ZERO));
}

/** Sixteen digits with a point behind the one at `first`, which pushes the last one out. */
// @ts-ignore: decorator
@inline function withPoint(text: v128, first: i32): v128 {
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const moved = i8x16.swizzle(text, i8x16.add(places, i8x16.gt_s(places, i8x16.splat(<i8>first))));
  return v128.bitselect(i8x16.splat(POINT), moved, i8x16.eq(places, i8x16.splat(<i8>first + 1)));
}

/** A double in Go's notation: with an exponent below 1e-6 and from 1e21 on. */
function float(p: usize, v: f64, powers: usize, pairs: usize): usize {
  const bits: u64 = reinterpret<u64>(v);
  let at = p;
  if ((bits & 0x7ff0000000000000) == 0x7ff0000000000000) {
    const isInfinite = (bits & 0xfffffffffffff) == 0;
    // NaN, +Inf, -Inf
    store<u32>(at, isInfinite ? (<i64>bits < 0 ? 0x666e492d : 0x666e492b) : 0x004e614e);
    return at + (isInfinite ? 4 : 3);
  }
  if (<i64>bits < 0) store<u8>(at++, MINUS);
  const size: f64 = abs<f64>(v);
  if (size < 9007199254740992.0 && size == floor<f64>(size)) return digits(at, <u64>size, pairs);
  // Seventeen digits with a point behind the first, times 10^first.
  const k = exponentOf(bits & 0x7fffffffffffffff);
  let all: u64 = shortest(bits & 0x7fffffffffffffff, k, powers);
  let first: i32 = k + 16;
  while (all < 1000000000000000) { all *= 10; first--; } // subnormal
  const isSixteen = u64(all < 10000000000000000);
  all += 9 * all & (0 - isSixteen);
  first -= <i32>isSixteen;
  const start: u64 = all / 10;
  const last: u32 = ZERO + <u32>(all - start * 10);
  const text = sixteen(start);
  const nonZero: u32 = i8x16.bitmask(i8x16.ne(text, i8x16.splat(ZERO))) | (u32(last != ZERO) << 16);
  const n: i32 = 32 - clz<i32>(nonZero);
  if (first < 0 && first > -7) {
    store<u64>(at, 0x3030303030302e30); // 0.000000
    at += 1 - first;
    v128.store(at, text);
    store<u8>(at + 16, last);
    return at + n;
  }
  if (first >= 15 && first < 21) {
    v128.store(at, text);
    if (n > first + 1) {
      store<u16>(at + 16, <u16>(last << 8 | POINT));
      return at + 18;
    }
    store<u8>(at + 16, last);
    store<u32>(at + 17, 0x30303030);
    return at + first + 1;
  }
  const isPlain = first >= 0 && first < 15;
  v128.store(at, withPoint(text, isPlain ? first : 0));
  store<u16>(at + 16, <u16>(last << 8 | i8x16.extract_lane_u(text, 15)));
  // What is smaller than 2^53 and not whole has digits behind the point.
  return isPlain ? at + n + 1 : exponentPart(n > 1 ? at + n + 1 : at + 1, first, pairs);
}

/** An exponent of two digits at least. */
function exponentPart(p: usize, first: i32, pairs: usize): usize {
  store<u8>(p, EXPONENT);
  store<u8>(p + 1, first < 0 ? MINUS : PLUS);
  const size: u32 = first < 0 ? -first : first;
  if (size >= 100) return few(p + 2, size, pairs);
  pair(p + 2, size, pairs);
  return p + 4;
}

/** Bytes of the text of a step's timestamp: ms as f64, length, text. */
const STEP_BYTES: usize = 40;
const STEP_LENGTH: usize = 8;
const STEP_TEXT: usize = 16;

/** A timestamp that is kept for the next series, which mostly has the same one at that place. */
function step(p: usize, ms: f64, kept: usize, pairs: usize): usize {
  if (load<f64>(kept) != ms) {
    const end = timestamp(kept + STEP_TEXT, ms, pairs);
    if (end == 0) return 0;
    store<f64>(kept, ms);
    store<i32>(kept + STEP_LENGTH, <i32>(end - kept - STEP_TEXT));
  }
  v128.store(p, v128.load(kept + STEP_TEXT));
  store<u64>(p + 16, load<u64>(kept + STEP_TEXT + 16));
  return p + load<i32>(kept + STEP_LENGTH);
}

/**
 * Writes n samples (f64 at `t`, whole ms, and at `v`) to `out`, with commas between. At `steps` are
 * timestamps of `stepCount` places, 40 bytes each and NaN at first. Answers where the text ends, 0 for times that are no whole ms; up to 80 bytes a sample, and 32
 * behind the last one, may be written to.
 */
export function samples(
  t: usize, v: usize, n: u32, out: usize, powers: usize, pairs: usize, steps: usize, stepCount: u32,
): usize {
  let at = out;
  for (let i: u32 = 0; i < n; i++) {
    if (i > 0) store<u8>(at++, COMMA);
    store<u8>(at++, OPEN);
    const ms = load<f64>(t + (<usize>i << 3));
    at = i < stepCount ? step(at, ms, steps + <usize>i * STEP_BYTES, pairs) : timestamp(at, ms, pairs);
    if (at == 0) return 0;
    store<u8>(at, COMMA);
    store<u8>(at + 1, QUOTE);
    at = float(at + 2, load<f64>(v + (<usize>i << 3)), powers, pairs);
    store<u8>(at, QUOTE);
    store<u8>(at + 1, CLOSE);
    at += 2;
  }
  return at;
}
