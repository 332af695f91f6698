import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { type Subrange, requestsFor, subrangesOf } from './subranges.ts';

const pairs = (ranges: readonly Subrange[]): number[][] =>
  ranges.map(({ start, end }) => [start, end]);

test('subranges: the parts that hold a range', () => {
  const f = (offset: number, length: number, size: number, want: number[][]): void => {
    deepEqual(
      pairs(subrangesOf({ offset, length }, size, 10)),
      want,
      `${offset}, ${length} of ${size}`,
    );
  };
  f(0, 1, 100, [[0, 10]]);
  f(0, 10, 100, [[0, 10]]);
  f(9, 2, 100, [
    [0, 10],
    [10, 20],
  ]);
  f(10, 10, 100, [[10, 20]]);
  f(25, 20, 100, [
    [20, 30],
    [30, 40],
    [40, 50],
  ]);
  f(95, 1000, 97, [[90, 97]]);
  f(0, 1000, 25, [
    [0, 10],
    [10, 20],
    [20, 25],
  ]);
  f(97, 1, 97, []);
  f(500, 1, 97, []);
  f(0, 5, 0, []);
});

test('subranges: requests for what is missing', () => {
  const f = (missing: readonly number[], requestsMax: number, want: number[][]): void => {
    const parts = missing.map((i) => ({ start: i * 10, end: i * 10 + 10 }));
    deepEqual(
      pairs(requestsFor(parts, 10, requestsMax)),
      want,
      `${missing.join(' ')} in ${requestsMax}`,
    );
  };
  f([], 3, []);
  f([0, 1, 2], 3, [[0, 30]]);
  f([0, 2, 4], 3, [
    [0, 10],
    [20, 30],
    [40, 50],
  ]);
  // Gaps of one part first, then of two, then of four.
  f([0, 2, 4, 10], 3, [
    [0, 50],
    [100, 110],
  ]);
  f([0, 3, 9], 2, [
    [0, 40],
    [90, 100],
  ]);
  f([0, 3, 9], 1, [[0, 100]]);
  f([0, 2, 4, 6], 0, [
    [0, 10],
    [20, 30],
    [40, 50],
    [60, 70],
  ]);
  f([0, 2, 4, 6], -1, [
    [0, 10],
    [20, 30],
    [40, 50],
    [60, 70],
  ]);
});
