import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncQueue } from './async-queue.ts';

/** Work that ends when it is told to. */
class Work {
  readonly begun: number[] = [];
  readonly #ends: (() => void)[] = [];

  make(i: number): () => Promise<void> {
    return () => {
      this.begun.push(i);
      return new Promise((resolve) => this.#ends.push(resolve));
    };
  }

  async end(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#ends.shift()?.();
    await new Promise(setImmediate);
  }
}

test('async queue: so much at once, so much in line, in order', async () => {
  const queue = new AsyncQueue({ itemsMax: 3, concurrency: 2 });
  const work = new Work();
  const taken = [0, 1, 2, 3, 4, 5, 6].map((i) => queue.add(1, work.make(i)));
  deepEqual(taken, [true, true, true, true, true, false, false]);
  deepEqual(work.begun, [0, 1]);
  equal(queue.length, 3);
  await work.end(1);
  deepEqual(work.begun, [0, 1, 2]);
  equal(queue.add(1, work.make(7)), true);
  const idle = queue.idle();
  for (let i = 0; i < 6; i++) await work.end(2);
  await idle;
  deepEqual(work.begun, [0, 1, 2, 3, 4, 7]);
  await queue.idle();
});

test('async queue: bytes in line are bounded', async () => {
  const queue = new AsyncQueue({ itemsMax: 100, concurrency: 1, bytesMax: 10 });
  const work = new Work();
  deepEqual(
    [1000, 6, 5, 4, 1].map((bytes, i) => queue.add(bytes, work.make(i))),
    [true, true, false, true, false],
  );
  await work.end(1);
  equal(queue.add(5, work.make(5)), true);
  for (let i = 0; i < 4; i++) await work.end(1);
  deepEqual(work.begun, [0, 1, 3, 5]);
  await queue.close();
});

test('async queue: a long line, and the end', async () => {
  const queue = new AsyncQueue({ itemsMax: 5000, concurrency: 3 });
  let done = 0;
  for (let i = 0; i < 5000; i++) queue.add(1, async () => void done++);
  await queue.idle();
  equal(done, 5000);
  const work = new Work();
  for (let i = 0; i < 10; i++) queue.add(1, work.make(i));
  const closing = queue.close();
  equal(queue.add(1, work.make(10)), false);
  await work.end(3);
  await closing;
  deepEqual(work.begun, [0, 1, 2]);
});
