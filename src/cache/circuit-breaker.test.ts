import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { CircuitBreaker, type CircuitBreakerConfig } from './circuit-breaker.ts';

const CONFIG: CircuitBreakerConfig = {
  enabled: true,
  halfOpenMaxRequests: 2,
  openDurationMs: 5000,
  minRequests: 4,
  consecutiveFailures: 3,
  failurePercent: 0.5,
};

function make(config: Partial<CircuitBreakerConfig> = {}) {
  const clock = new FakeClock(0);
  const breaker = new CircuitBreaker({ ...CONFIG, ...config }, clock);
  const good = (): Promise<string> => breaker.run(async () => 'good');
  const bad = (): Promise<string> =>
    breaker.run(async () => {
      throw new Error('bad');
    });
  /** `+` succeeds, `-` fails, `o` is refused. */
  const f = async (pattern: string): Promise<void> => {
    for (const [i, want] of pattern.split('').entries()) {
      const what = want === '-' ? bad : good;
      const got = await what().catch((error: Error) => error.message);
      const expected: Record<string, string> = {
        '+': 'good',
        '-': 'bad',
        o: 'circuit breaker is open',
      };
      equal(got, expected[want], `${pattern}, ${i}`);
    }
  };
  return { clock, breaker, f };
}

test('circuit breaker: failures in a row open it, not before there were enough requests', async () => {
  const { f, clock } = make({ failurePercent: 1 });
  await f('---');
  await f('-oo');
  clock.advance(5000);
  await f('o');
  clock.advance(1);
  await f('++++');
});

test('circuit breaker: a share of failures opens it', async () => {
  const { f } = make({ consecutiveFailures: 100 });
  await f('+-+-o');
  const { f: g } = make({ consecutiveFailures: 100 });
  await g('++++--+---o');
});

test('circuit breaker: half-open, one failure opens it again', async () => {
  const { f, clock } = make();
  await f('----o');
  clock.advance(5001);
  await f('+-o');
  clock.advance(5001);
  await f('-o');
  clock.advance(5001);
  await f('++++');
});

test('circuit breaker: half-open, no more pass than may', async () => {
  const { f, clock, breaker } = make();
  await f('----');
  clock.advance(5001);
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = breaker.run(() => promise);
  const second = breaker.run(() => promise);
  await rejects(
    breaker.run(() => promise),
    { message: 'too many requests' },
  );
  resolve();
  await Promise.all([first, second]);
  await f('+');
});

test('circuit breaker: counts end after ten seconds, and what began before counts no more', async () => {
  const { f, clock, breaker } = make();
  await f('---');
  clock.advance(10_001);
  await f('---+');
  const late = make();
  const { promise, reject } = Promise.withResolvers<void>();
  const running = late.breaker.run(() => promise);
  await late.f('---o');
  late.clock.advance(5001);
  await late.f('++');
  reject(new Error('late'));
  await rejects(running, /late/);
  await late.f('++++');
  equal(await breaker.run(async () => 7), 7);
});

test('circuit breaker: one that is off, and defaults for 0', async () => {
  const { f } = make({ enabled: false });
  await f('----------+');
  const { f: g, clock } = make({ openDurationMs: 0, halfOpenMaxRequests: 0 });
  await g('----o');
  clock.advance(60_000);
  await g('o');
  clock.advance(1);
  await g('+--');
});
