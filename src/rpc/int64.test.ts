import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { int64Of, int64Time, numberOf, timeOf } from './int64.ts';

const [MIN, MAX] = [-(2n ** 63n), 2n ** 63n - 1n];

test('times of messages: exact to 2^53, and limits stay limits', () => {
  const f = (int64: bigint, t: number, back = int64): void => {
    equal(timeOf(int64), t);
    equal(int64Time(t), back);
  };
  f(0n, 0);
  f(1_700_000_000_000n, 1_700_000_000_000);
  f(-62135596800000n, -62135596800000);
  f(2n ** 53n - 2n, 2 ** 53 - 2);
  f(MAX, MAX_TIME);
  f(MIN, MIN_TIME);
  // Go's time.Unix limits in ms, which Prometheus uses for "no limit".
  f(9223309901257974n * 1000n, MAX_TIME, MAX);
  f(-9223309901257974n * 1000n, MIN_TIME, MIN);
  equal(int64Time(Infinity), MAX);
  equal(int64Time(-Infinity), MIN);
});

test('counts of messages', () => {
  equal(numberOf(5n), 5);
  equal(int64Of(5), 5n);
  equal(int64Of(Infinity), MAX);
  equal(int64Of(-Infinity), MIN);
  equal(int64Of(2 ** 70), MAX);
  equal(int64Of(-(2 ** 70)), MIN);
  equal(numberOf(MAX), 2 ** 63);
});
