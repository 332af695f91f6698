import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { RateLimiter } from './rate-limiter.ts';

test('a burst, then one an interval', () => {
  const clock = new FakeClock(0);
  const limiter = new RateLimiter(100, 3, clock);
  const allowed = () => Array.from({ length: 5 }, () => limiter.allow()).filter(Boolean).length;
  assert.equal(allowed(), 3);
  clock.advance(99);
  assert.equal(allowed(), 0);
  clock.advance(1);
  assert.equal(allowed(), 1);
  clock.advance(100_000);
  assert.equal(allowed(), 3);
});

test('without a burst nobody comes in', () => {
  const clock = new FakeClock(0);
  const limiter = new RateLimiter(1, 0, clock);
  clock.advance(1000);
  assert.equal(limiter.allow(), false);
});
