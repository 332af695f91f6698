import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatGoDuration, parseGoDuration } from './go-duration.ts';

// Texts and numbers as Go 1.26 gives them.
test('prints as time.Duration.String', () => {
  const f = (ms: number, want: string) => assert.equal(formatGoDuration(ms), want);
  f(0, '0s');
  f(1e-6, '1ns');
  f(0.0011, '1.1µs');
  f(1.5, '1.5ms');
  f(999.999999, '999.999999ms');
  f(1000, '1s');
  f(1001, '1.001s');
  f(15_000, '15s');
  f(60_000, '1m0s');
  f(3600_000, '1h0m0s');
  f(144_000_000, '40h0m0s');
  f(7_199_999, '1h59m59.999s');
  f(-86_400_000, '-24h0m0s');
  f(315_360_000_000, '87600h0m0s');
});

test('reads as time.ParseDuration', () => {
  const f = (text: string, want: number) => assert.equal(parseGoDuration(text), want, text);
  f('0', 0);
  f('0s', 0);
  f('15s', 15_000);
  f('1h0m0s', 3600_000);
  f('1.5h', 5_400_000);
  f('.5s', 500);
  f('2.s', 2000);
  f('+3ms', 3);
  f('-1h30m', -5_400_000);
  f('10us', 0.01);
  f('10µs', 0.01);
});

test('refuses in Go words', () => {
  const f = (text: string, want: RegExp) => assert.throws(() => parseGoDuration(text), want);
  f('', /^CodedError: time: invalid duration ""$/);
  f('-', /time: invalid duration "-"/);
  f('3', /time: missing unit in duration "3"/);
  f('1h3', /time: missing unit in duration "1h3"/);
  f('1d', /time: unknown unit "d" in duration "1d"/);
  f('s', /time: invalid duration "s"/);
  f('1h 2m', /time: unknown unit "h " in duration/);
  f('h1', /time: invalid duration "h1"/);
  f('3000000h', /time: invalid duration/);
});

test('what is printed reads back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(10 ** 12), max: 10 ** 12 }), (ms) => {
      assert.equal(parseGoDuration(formatGoDuration(ms)), ms);
    }),
  );
});
