import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { LogValue, Logger } from '../lib/log.ts';
import { nopLogger } from '../lib/log.ts';
import { ComputePool } from './compute-pool.ts';

const workerUrl = new URL('../../test/support/pool-worker.ts', import.meta.url);

function makePool(options: { size?: number; log?: Logger } = {}): ComputePool & AsyncDisposable {
  const pool = new ComputePool({
    workerUrl,
    data: () => 'shared',
    log: nopLogger,
    size: 2,
    ...options,
  });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() });
}

interface Who {
  readonly thread: number;
  readonly name: string;
  readonly data: unknown;
}

test('pool: workers start at first need and share the work', async () => {
  await using pool = makePool();
  equal(pool.stats.workers, 0);
  const one = (await pool.run('who', null)) as Who;
  equal(one.data, 'shared');
  equal(pool.stats.workers, 1);
  const both = (await Promise.all([pool.run('who', null), pool.run('who', null)])) as Who[];
  equal(new Set(both.map(({ thread }) => thread)).size, 2);
  equal(pool.stats.workers, 2);
  await Promise.all(Array.from({ length: 10 }, () => pool.run('who', null)));
  deepEqual([pool.stats.workers, pool.stats.running], [2, 0]);
});

test('pool: values come back, buffers move, errors keep their code', async () => {
  await using pool = makePool();
  const payload = Float64Array.of(1, 2, 3);
  const doubled = (await pool.run('double', payload, {
    transfer: [payload.buffer],
  })) as Float64Array;
  deepEqual([...doubled], [2, 4, 6]);
  equal(payload.length, 0);
  await rejects(pool.run('fail', null), { code: 'too_large', message: '12 of 10 bytes' });
  await rejects(pool.run('bug', null), { code: 'internal', message: 'own fault' });
  await rejects(pool.run('nothing', null), /no task nothing/);
});

test('pool: a task that never pauses stops when it is cancelled', async () => {
  await using pool = makePool();
  const controller = new AbortController();
  const spinning = pool.run('spin', null, { signal: controller.signal });
  await pool.run('who', null);
  controller.abort();
  await rejects(spinning, { code: 'canceled' });
  await rejects(pool.run('spin', null, { signal: AbortSignal.abort() }), { code: 'canceled' });
  ok(await pool.run('who', null));
});

test('pool: what a task asked for stops when the task has failed', async () => {
  await using pool = makePool({ size: 3 });
  await rejects(pool.run('abandon', 2), { code: 'execution', message: 'gave up' });
  // Two of three workers spin; as many tasks as there are workers can only run when they have stopped.
  await Promise.all(Array.from({ length: 9 }, () => pool.run('who', null)));
  equal(pool.stats.running, 0);
});

test('pool: what is to run elsewhere runs on other workers, and where there is no other on the same', async () => {
  interface Neighbours {
    readonly own: number;
    readonly others: readonly Who[];
  }
  await using pool = makePool({ size: 3 });
  const { own, others } = (await pool.run('neighbours', 8)) as Neighbours;
  const threads = new Set(others.map(({ thread }) => thread));
  deepEqual([others.length, threads.size, threads.has(own)], [8, 2, false]);
  await using alone = makePool({ size: 1 });
  const only = (await alone.run('neighbours', 2)) as Neighbours;
  deepEqual(
    only.others.map(({ thread }) => thread),
    [only.own, only.own],
  );
});

/** Words that a worker sees, too. */
const sharedWords = () => new Int32Array(new SharedArrayBuffer(12));

/** Resolves when another thread has changed word 0 from a value. */
async function changed(words: Int32Array, from: number): Promise<void> {
  const waiting = Atomics.waitAsync(words, 0, from);
  if (waiting.async) await waiting.value;
}

test('pool: a cancelled task that looks at nothing is ended, and what waited behind it runs elsewhere', async () => {
  await using pool = makePool({ size: 1 });
  const words = sharedWords();
  const controller = new AbortController();
  const deaf = pool.run('deaf', words, { signal: controller.signal });
  await changed(words, 0);
  const behind = pool.run('who', null);
  controller.abort();
  await rejects(deaf, { code: 'canceled' });
  equal(((await behind) as Who).name, 'compute-1');
  deepEqual([pool.stats.ended, pool.stats.died, pool.stats.running], [1, 0, 0]);
});

test('pool: a task whose waiting neighbour was cancelled goes on', async () => {
  await using pool = makePool({ size: 1 });
  const [busy, idle] = [sharedWords(), sharedWords()];
  const controller = new AbortController();
  const cancelled = pool.run('wait', idle, { signal: controller.signal });
  const going = pool.run('wait', busy);
  controller.abort();
  await cancelled;
  Atomics.store(busy, 0, 1);
  // On a machine so busy that the thread did not get to look at the flag, another one may have done it.
  ok(await going);
});

test('pool: nothing is ended inside a stretch that others wait for', async () => {
  await using pool = makePool({ size: 1 });
  const words = sharedWords();
  const controller = new AbortController();
  const task = pool.run('deaf at last', words, { signal: controller.signal });
  await changed(words, 0);
  controller.abort();
  // By now the pool would have ended a worker that may be ended: it answers to a fresh one.
  await using other = makePool({ size: 1 });
  const reference = sharedWords();
  const ended = new AbortController();
  const deaf = other.run('deaf', reference, { signal: ended.signal });
  await changed(reference, 0);
  ended.abort();
  await rejects(deaf, { code: 'canceled' });
  equal(pool.stats.ended, 0);
  Atomics.store(words, 0, 2);
  Atomics.notify(words, 0);
  await rejects(task, { code: 'canceled' });
  deepEqual([words[2], pool.stats.ended], [1, 1]);
});

test('pool: a worker that dies of one task runs its others again elsewhere', async () => {
  await using pool = makePool({ size: 1 });
  const words = sharedWords();
  const waiting = pool.run('wait', words);
  await rejects(pool.run('die later', null), {
    code: 'internal',
    message: 'worker compute-0 died: worker compute-0 exited with code 3',
  });
  Atomics.store(words, 0, 1);
  ok(await waiting);
  equal(pool.stats.died, 1);
});

test('pool: a dead worker fails its tasks only, and the next task has a new one', async () => {
  await using pool = makePool();
  await rejects(pool.run('die', null), { code: 'internal', message: /worker compute-0 died/ });
  equal((await pool.run('spread', [1, 2, 3])) as number, 12);
  equal(pool.stats.died, 1);
});

test('pool: tasks spread over workers, also when there is one', async () => {
  for (const size of [1, 2]) {
    await using pool = makePool({ size });
    const numbers = Array.from({ length: 40 }, (_, i) => i);
    equal(await pool.run('spread', numbers), 40 * 39);
  }
});

test('pool: a dedicated worker keeps its name, and its owner hears of its death', async () => {
  await using pool = makePool();
  const death = Promise.withResolvers<string>();
  pool.dedicate('keeper', death.resolve);
  equal(((await pool.run('who', null, { worker: 'keeper' })) as Who).name, 'keeper');
  await rejects(pool.run('who', null, { worker: 'nobody' }), /worker nobody is not running/);
  await rejects(pool.run('die', null, { worker: 'keeper' }), /worker keeper died/);
  equal(await death.promise, 'worker keeper exited with code 3');
  await rejects(pool.run('who', null, { worker: 'keeper' }), /worker keeper is not running/);
});

test('pool: log lines of tasks reach the log, and a closed pool refuses', async () => {
  const lines: [string, Record<string, LogValue> | undefined][] = [];
  const log: Logger = { ...nopLogger, warn: (msg, fields) => lines.push([msg, fields]) };
  const pool = makePool({ log });
  await pool.run('say', 'hello');
  deepEqual(lines, [['hello', { worker: 'compute-0', from: 'task' }]]);
  await pool.close();
  await rejects(pool.run('who', null), { code: 'canceled', message: 'the process is stopping' });
});
