import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TieHeap } from './tie-heap.ts';

/** Items are a key and a name: `1a`, `1b`, `2c`. */
function heap(): TieHeap<string> {
  return new TieHeap((a, b) => a.charCodeAt(0) < b.charCodeAt(0));
}

test('tie heap: ascending', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.array(fc.nat(20)), (first, second) => {
      const numbers = new TieHeap<number>((a, b) => a < b);
      for (const n of first) numbers.push(n);
      const half = Array.from({ length: first.length >> 1 }, () => numbers.pop());
      for (const n of second) numbers.push(n);
      const rest = Array.from({ length: numbers.size }, () => numbers.pop());
      const sorted = [...first].sort((a, b) => a - b);
      deepEqual(half, sorted.slice(0, half.length));
      deepEqual(
        rest,
        [...sorted.slice(half.length), ...second].sort((a, b) => a - b),
      );
      deepEqual([numbers.size, numbers.top, numbers.pop()], [0, undefined, undefined]);
    }),
  );
});

test('tie heap: of equals, as container/heap decides', () => {
  const order = (pushed: string, want: string): void => {
    const items = heap();
    for (const item of pushed.split(' ')) items.push(item);
    deepEqual(Array.from({ length: items.size }, () => items.pop()).join(' '), want);
  };
  order('1a 1b', '1a 1b');
  // The last of three takes the root's place, and goes down only below what is less: it comes second.
  order('1a 1b 1c', '1a 1c 1b');
  order('1a 1b 1c 1d', '1a 1d 1c 1b');
  // A newcomer passes only what it is really less than.
  order('2a 1b 1c', '1b 1c 2a');
  order('1a 2b 1c', '1a 1c 2b');
});

test('tie heap: one that comes back stands behind its equal', () => {
  const items = heap();
  items.push('1a');
  items.push('2b');
  items.pop();
  items.push('2a');
  deepEqual([items.top, items.size], ['2b', 2]);
  items.clear();
  deepEqual(items.size, 0);
});
