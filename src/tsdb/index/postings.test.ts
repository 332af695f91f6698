import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { intersect, sortDistinct, subtract, union } from './postings.ts';

/** Numbers close together, which go through a bitmap, and far apart, which are sorted. */
const number = fc.oneof(
  fc.nat(300),
  fc.nat(0xffffffff),
  fc.integer({ min: 1 << 30, max: (1 << 30) + 99 }),
);
const numbers = fc.array(number, { maxLength: 60 });

function ascending(list: Iterable<number>): number[] {
  return [...new Set(list)].sort((a, b) => a - b);
}

test('postings: set operations are those of sets', () => {
  fc.assert(
    fc.property(numbers, numbers, numbers, (a, b, c) => {
      deepEqual([...sortDistinct(Uint32Array.from(a))], ascending(a));
      const [x, y, z] = [a, b, c].map((list) => Uint32Array.from(ascending(list))) as [
        Uint32Array,
        Uint32Array,
        Uint32Array,
      ];
      deepEqual([...union([x, y, z])], ascending([...a, ...b, ...c]));
      deepEqual([...intersect(x, y)], ascending(a.filter((n) => b.includes(n))));
      deepEqual([...subtract(x, y)], ascending(a.filter((n) => !b.includes(n))));
      deepEqual([...z], ascending(c));
    }),
    { numRuns: 500 },
  );
});
