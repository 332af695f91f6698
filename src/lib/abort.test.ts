import { equal, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { abortError, orAbort, throwIfAborted } from './abort.ts';
import { CodedError } from './errors.ts';

test('abort: what a reason becomes', () => {
  equal(abortError(AbortSignal.abort()).code, 'canceled');
  equal(abortError(AbortSignal.abort('text')).code, 'canceled');
  equal(abortError(AbortSignal.abort(new DOMException('late', 'TimeoutError'))).code, 'timeout');
  const own = new CodedError('too_large', '3 of 2');
  equal(abortError(AbortSignal.abort(own)), own);
  throwIfAborted(undefined);
  throwIfAborted(new AbortController().signal);
  throws(() => throwIfAborted(AbortSignal.abort()), { code: 'canceled' });
});

test('abort: a wait that nobody ends', async () => {
  const controller = new AbortController();
  const never = new Promise<never>(() => undefined);
  const waiting = orAbort(never, controller.signal);
  controller.abort();
  await rejects(waiting, { code: 'canceled' });
  await rejects(orAbort(never, controller.signal), { code: 'canceled' });
});

test('abort: what ends by itself keeps its outcome', async () => {
  const { signal } = new AbortController();
  equal(await orAbort(Promise.resolve(1), signal), 1);
  equal(await orAbort(Promise.resolve(2), undefined), 2);
  await rejects(orAbort(Promise.reject(new Error('own')), signal), /own/);
  // Lost the race: nobody hears of it, and it is no unhandled rejection.
  await rejects(orAbort(Promise.reject(new Error('own')), AbortSignal.abort()));
});
