/** The worker of compute-pool.test.ts: tasks that show what the pool does. */
import { threadId } from 'node:worker_threads';
import { CodedError } from '../../src/lib/errors.ts';
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
  /** Asks for tasks that never end by themselves, and fails without waiting for them. */
  abandon: async (count: number, context: TaskContext) => {
    const spinning = Array.from({ length: count }, () => context.run('spin', null));
    for (const task of spinning) task.catch(() => undefined);
    await context.run('who', null);
    throw new CodedError('execution', 'gave up');
  },
  /** Lets the pool compute a list of numbers, and adds them up. */
  spread: async (numbers: number[], context: TaskContext) => {
    const parts = await Promise.all(numbers.map((n) => context.run('double', Float64Array.of(n))));
    return (parts as Float64Array[]).reduce((sum, part) => sum + (part[0] ?? 0), 0);
  },
}));
