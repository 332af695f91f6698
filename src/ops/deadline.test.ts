import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { withDeadline } from './deadline.ts';

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
