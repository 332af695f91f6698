/**
 * 64-bit integers of messages as doubles. Times that mean "without limit" are Go's int64 limits on the wire and MIN_TIME and
 * MAX_TIME here; so is everything beyond 2^53 ms, which no sample has.
 */
import { MAX_TIME, MIN_TIME } from '../model/value.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** A time in ms of a message. */
export function timeOf(int64: bigint): number {
  if (int64 >= MAX_TIME) return MAX_TIME;
  return int64 <= MIN_TIME ? MIN_TIME : Number(int64);
}

/** A time in ms (a whole number, or beyond the limits) for a message. */
export function int64Time(t: number): bigint {
  if (t >= MAX_TIME) return INT64_MAX;
  return t <= MIN_TIME ? INT64_MIN : BigInt(t);
}

/** A count, limit or length of time of a message; beyond 2^53 as close as doubles get. */
export function numberOf(int64: bigint): number {
  return Number(int64);
}

/** A count, limit or length of time (a whole number) for a message; one that int64 cannot hold becomes its limit. */
export function int64Of(value: number): bigint {
  const whole = BigInt(Number.isFinite(value) ? value : value > 0 ? INT64_MAX : INT64_MIN);
  return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : whole;
}
