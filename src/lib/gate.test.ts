import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.ts';

test('gate: never more inside than fit, in the order of arrival', async () => {
  const gate = new Gate(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const work = Array.from({ length: 20 }, (_, i) =>
    gate.run(undefined, async () => {
      order.push(i);
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    }),
  );
  await Promise.all(work);
  equal(most, 2);
  deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  deepEqual([gate.held, gate.waiting], [0, 0]);
});

test('gate: who gives up while waiting leaves no hole', async () => {
  const gate = new Gate(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const holder = gate.run(undefined, () => promise);
  const controller = new AbortController();
  const quitter = gate.run(controller.signal, () => Promise.resolve('never'));
  const patient = gate.run(undefined, () => Promise.resolve('in'));
  controller.abort();
  await rejects(quitter, /canceled while waiting/);
  resolve();
  await holder;
  equal(await patient, 'in');
  await rejects(
    gate.run(undefined, () => Promise.reject(new Error('own'))),
    /own/,
  );
  deepEqual([gate.held, gate.waiting], [0, 0]);
});
