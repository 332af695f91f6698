import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { Deadline, withDeadline } from './deadline.ts';

test('fires when time is up, and says what took how long', async () => {
  const signal = withDeadline(new AbortController().signal, 1, 'reading');
  if (!signal.aborted) await once(signal, 'abort');
  assert.ok(signal.reason instanceof CodedError);
  assert.equal(signal.reason.code, 'timeout');
  assert.equal(signal.reason.message, 'reading took longer than 1ms');
  assert.equal(withDeadline(new AbortController().signal, 0, 'x').aborted, true);
});

test('fires with the signal that it has', () => {
  const controller = new AbortController();
  const signal = withDeadline(controller.signal, 3_600_000, 'reading');
  assert.equal(signal.aborted, false);
  controller.abort(new CodedError('canceled', 'stopped'));
  assert.equal(signal.aborted, true);
  assert.equal((signal.reason as Error).message, 'stopped');
});

test('a deadline with an owner: expires, fires with its signal, and leaves no timer', async () => {
  using short = new Deadline(new AbortController().signal, 1);
  if (!short.signal.aborted) await once(short.signal, 'abort');
  assert.equal(short.expired, true);
  const controller = new AbortController();
  // A timer that is left would keep the test's process alive.
  using long = new Deadline(controller.signal, 1e300);
  controller.abort();
  assert.deepEqual([long.signal.aborted, long.expired], [true, false]);
});
