/** The worker of compute-pool.test.ts: tasks that show what the pool does. */
import { threadId } from 'node:worker_threads';
import { CodedError } from '../../src/lib/errors.ts';
import { shielded } from '../../src/lib/shield.ts';
import { Transfer } from '../../src/ops/worker-protocol.ts';
import { serveTasks } from '../../src/ops/worker-runtime.ts';
import type { TaskContext } from '../../src/ops/worker-runtime.ts';

serveTasks((init, log) => ({
  who: () => ({ thread: threadId, name: init.name, data: init.data }),
  double: (values: Float64Array) => {
    const out = values.map((x) => x * 2);
    return new Transfer(out, [out.buffer]);
  },
  fail: () => {
    throw new CodedError('too_large', '12 of 10 bytes');
  },
  bug: () => {
    throw new TypeError('own fault');
  },
  say: (text: string) => log.warn(text, { from: 'task' }),
  die: () => process.exit(3),
  /** Computes without a pause until it is told to stop. */
  spin: (_: null, { signal }: TaskContext) => {
    let turns = 0;
    while (!signal.aborted) turns++;
    signal.throwIfAborted();
    return turns;
  },
  /** Computes without a pause and looks at nothing, once it has said that it has begun. */
  deaf: (begun: Int32Array) => {
    Atomics.store(begun, 0, 1);
    Atomics.notify(begun, 0);
    for (let turns = 0; ; turns++) begun[1] = turns;
  },
  /** The same, after a stretch that is not to be cut: until word 0 is 2. Word 2 says that the stretch came to its end. */
  'deaf at last': (words: Int32Array) => {
    shielded(() => {
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
      Atomics.wait(words, 0, 1);
      Atomics.store(words, 2, 1);
    });
    for (let turns = 0; ; turns++) words[1] = turns;
  },
  /** Dies while another task waits on the same thread. */
  'die later': async (_: null, context: TaskContext) => {
    await context.run('who', null);
    return context.signal.aborted || process.exit(3);
  },
  /** Waits until another thread sets word 0, without keeping this one busy. */
  wait: async (words: Int32Array, { signal }: TaskContext) => {
    while (Atomics.load(words, 0) === 0 && !signal.aborted) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return threadId;
  },
  /** Asks for tasks that never end by themselves, and fails without waiting for them. */
  abandon: async (count: number, context: TaskContext) => {
    const spinning = Array.from({ length: count }, () => context.run('spin', null));
    for (const task of spinning) task.catch(() => undefined);
    await context.run('who', null);
    throw new CodedError('execution', 'gave up');
  },
  /** Asks who runs so many tasks that are not to run here. */
  neighbours: async (count: number, context: TaskContext) => {
    const asked = Array.from({ length: count }, () => context.runElsewhere('who', null));
    return { own: threadId, others: await Promise.all(asked) };
  },
  /** Lets the pool compute a list of numbers, and adds them up. */
  spread: async (numbers: number[], context: TaskContext) => {
    const parts = await Promise.all(numbers.map((n) => context.run('double', Float64Array.of(n))));
    return (parts as Float64Array[]).reduce((sum, part) => sum + (part[0] ?? 0), 0);
  },
}));
