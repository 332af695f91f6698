import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import test from 'node:test';
import { nopLogger } from '../lib/log.ts';
import { Probe } from './probe.ts';
import { ProcessMetrics } from './metrics.ts';
import { type Actor, runGroup } from './run-group.ts';

/** Actors that write down what happens to them; `events` is the protocol. */
function recorder() {
  const events: string[] = [];
  const fails = new Map<string, (error: unknown) => void>();
  const actor = (name: string, over: Partial<Actor> = {}): Actor => ({
    name,
    start: (fail) => {
      fails.set(name, fail);
      events.push(`+${name}`);
    },
    stop: () => void events.push(`-${name}`),
    ...over,
  });
  return { events, fails, actor };
}

test('a signal stops in reverse order', async () => {
  const { events, actor } = recorder();
  const signals = new EventEmitter();
  const last = actor('c', {
    start: () => {
      events.push('+c');
      setImmediate(() => signals.emit('SIGTERM', 'SIGTERM'));
    },
  });
  const outcome = await runGroup([actor('a'), actor('b'), last], nopLogger, signals);
  assert.deepEqual(events, ['+a', '+b', '+c', '-c', '-b', '-a']);
  assert.deepEqual(outcome, { signal: 'SIGTERM', forced: false });
  assert.equal(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT'), 0);
});

test('a failed start stops what has started', async () => {
  const { events, actor } = recorder();
  const error = new Error('no');
  const bad = actor('b', { start: () => Promise.reject(error) });
  const outcome = await runGroup([actor('a'), bad, actor('c')], nopLogger, new EventEmitter());
  assert.deepEqual(events, ['+a', '-a']);
  assert.equal(outcome.error, error);
});

test('a failure while running ends the group, and a failing stop does not keep the rest', async () => {
  const { events, fails, actor } = recorder();
  const error = new Error('lost');
  const stubborn = actor('b', { stop: () => Promise.reject(new Error('stuck')) });
  const last = actor('c', { start: () => setImmediate(() => fails.get('a')?.(error)) as never });
  const outcome = await runGroup([actor('a'), stubborn, last], nopLogger, new EventEmitter());
  assert.deepEqual(events, ['+a', '+b', '-c', '-a']);
  assert.equal(outcome.error, error);
});

test('a signal during start-up starts nothing more', async () => {
  const { events, actor } = recorder();
  const signals = new EventEmitter();
  const first = actor('a', {
    start: () => {
      events.push('+a');
      signals.emit('SIGINT', 'SIGINT');
    },
  });
  const outcome = await runGroup([first, actor('b')], nopLogger, signals);
  assert.deepEqual(events, ['+a', '-a']);
  assert.equal(outcome.signal, 'SIGINT');
});

test('a second signal forces', async () => {
  const { actor } = recorder();
  const signals = new EventEmitter();
  const hangs = actor('a', {
    start: () => void setImmediate(() => signals.emit('SIGTERM', 'SIGTERM')),
    stop: () => {
      setImmediate(() => signals.emit('SIGINT', 'SIGINT'));
      return new Promise<void>(() => undefined);
    },
  });
  const outcome = await runGroup([hangs], nopLogger, signals);
  assert.deepEqual(outcome, { signal: 'SIGTERM', forced: true });
});

test('probe states reach thanos_status', async () => {
  const metrics = new ProcessMetrics();
  const probe = new Probe('all', nopLogger, metrics);
  const state = async () =>
    Object.fromEntries(
      (await metrics.snapshot()).map((s) => [s.labels.map(([, v]) => v).join(), s.value]),
    );
  assert.deepEqual(await state(), { 'healthy,all': 0, 'ready,all': 0 });
  probe.healthy();
  probe.ready();
  assert.ok(probe.isReady && probe.isHealthy);
  assert.deepEqual(await state(), { 'healthy,all': 1, 'ready,all': 1 });
  probe.notReady('replaying');
  probe.notHealthy('broken');
  assert.ok(!probe.isReady && !probe.isHealthy);
  assert.deepEqual(await state(), { 'healthy,all': 0, 'ready,all': 0 });
});
