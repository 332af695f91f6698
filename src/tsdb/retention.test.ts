import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { beyondRetention } from './retention.ts';
import type { RetentionLimits } from './retention.ts';

/** Blocks [mint, maxt, bytes] named a, b, c, … in the order given. */
function f(
  blocks: [number, number, number][],
  limits: RetentionLimits,
  otherBytes: number,
  want: Record<string, string>,
): void {
  const named = blocks.map(([mint, maxt, bytes], i) => ({
    ulid: String.fromCodePoint(97 + i),
    mint,
    maxt,
    bytes,
  }));
  const got = beyondRetention(named, limits, otherBytes);
  deepEqual(Object.fromEntries(got.map(({ ulid, limit }) => [ulid, limit])), want);
}

const three: [number, number, number][] = [
  [0, 10, 100],
  [10, 20, 100],
  [20, 30, 100],
];

test('retention: by time, counted from the end of the newest block', () => {
  f(three, { timeMs: 21, bytes: 0 }, 0, {});
  f(three, { timeMs: 20, bytes: 0 }, 0, { a: 'time' });
  f(three, { timeMs: 11, bytes: 0 }, 0, { a: 'time' });
  f(three, { timeMs: 10, bytes: 0 }, 0, { a: 'time', b: 'time' });
  f(three, { timeMs: 1, bytes: 0 }, 0, { a: 'time', b: 'time' });
});

test('retention: by size, with what log and head take, oldest first', () => {
  f(three, { timeMs: 0, bytes: 300 }, 0, {});
  f(three, { timeMs: 0, bytes: 299 }, 0, { a: 'size' });
  f(three, { timeMs: 0, bytes: 300 }, 1, { a: 'size' });
  f(three, { timeMs: 0, bytes: 100 }, 0, { a: 'size', b: 'size' });
  f(three, { timeMs: 0, bytes: 10 }, 0, { a: 'size', b: 'size', c: 'size' });
});

test('retention: a block beyond both is counted for its time, and its bytes count for the others', () => {
  f(three, { timeMs: 20, bytes: 150 }, 0, { a: 'time', b: 'size' });
});

test('retention: nothing without limits or blocks, and a block that reaches over others stays as long as its end', () => {
  f(three, { timeMs: 0, bytes: 0 }, 1e9, {});
  f([], { timeMs: 1, bytes: 1 }, 1e9, {});
  f([[0, 30, 1], ...three], { timeMs: 10, bytes: 0 }, 0, { b: 'time', c: 'time' });
});
