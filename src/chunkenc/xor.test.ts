import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { XorScratch } from './xor-scratch.ts';
import { XorAppender } from './xor-twin.ts';

/** Random bits as two halves: signalling NaNs, -0 and infinities must survive. */
const halves = fc.oneof(
  fc.constantFrom(
    [0x7ff00000, 2],
    [0x80000000, 0],
    [0x7ff00000, 0],
    [0xfff80000, 1],
    [0x40590000, 0],
  ),
  fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)),
) as fc.Arbitrary<[number, number]>;
const step = fc.oneof(
  fc.constant(15000),
  fc.integer({ min: 14995, max: 15005 }),
  fc.integer({ min: 1, max: 2 ** 41 }),
);

function encode(t0: number, samples: readonly [number, [number, number]][]): XorAppender {
  const appender = new XorAppender();
  let t = t0;
  for (const [delta, [hi, lo]] of samples) {
    appender.append(t, hi, lo);
    t += delta;
  }
  return appender;
}

function read(scratch: XorScratch): [number, number, number][] {
  const bits = new Uint32Array(scratch.v.buffer, scratch.v.byteOffset, scratch.length * 2);
  return Array.from({ length: scratch.length }, (_, i) => [
    scratch.t[i] as number,
    bits[2 * i + 1] as number,
    bits[2 * i] as number,
  ]);
}

for (const twin of [false, true]) {
  const name = twin ? 'twin' : 'kernel';

  test(`xor ${name}: what is encoded decodes to the same bits`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
        fc.array(fc.tuple(step, halves), { minLength: 1, maxLength: 150 }),
        (t0, samples) => {
          const appender = encode(t0, samples);
          const bytes = appender.bytes();
          const scratch = new XorScratch({ twin, capacity: 64 });
          ok(scratch.append(bytes, 0, bytes.length, appender.count, false));
          let t = t0;
          const want = samples.map(([delta, [hi, lo]]) => {
            const row: [number, number, number] = [t, hi, lo];
            t += delta;
            return row;
          });
          deepEqual(read(scratch), want);
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`xor ${name}: stale markers are dropped on request`, () => {
    const appender = encode(0, [
      [10, [0x40000000, 0]],
      [10, [0x7ff00000, 2]],
      [10, [0x7ff80000, 1]],
    ]);
    const bytes = appender.bytes();
    const scratch = new XorScratch({ twin });
    ok(scratch.append(bytes, 0, bytes.length, 3, true));
    deepEqual(read(scratch), [
      [0, 0x40000000, 0],
      [20, 0x7ff80000, 1],
    ]);
  });

  test(`xor ${name}: truncated and mutated chunks give an answer or false, never more than asked`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(step, halves), { minLength: 2, maxLength: 60 }),
        fc.nat(),
        fc.nat(255),
        (samples, where, mask) => {
          const appender = encode(1_700_000_000_000, samples);
          const bytes = appender.bytes();
          const scratch = new XorScratch({ twin });
          const cut = 2 + (where % (bytes.length - 2));
          // Losing the last byte or more leaves too few bits for the last sample, padding apart.
          if (cut < bytes.length - 1)
            equal(scratch.append(bytes, 0, cut, appender.count, false), false);
          bytes[cut] = (bytes[cut] as number) ^ mask;
          scratch.clear();
          scratch.append(bytes, 0, bytes.length, appender.count, false);
          ok(scratch.length <= appender.count);
        },
      ),
      { numRuns: 500 },
    );
  });
}

test('xor: a count larger than the bytes can hold allocates nothing', () => {
  const scratch = new XorScratch();
  equal(scratch.append(new Uint8Array(100), 0, 100, 60000, false), false);
});

test('xor: clip keeps both ends inclusive', () => {
  const appender = encode(
    0,
    Array.from({ length: 10 }, (_, i) => [10, [i, 0]]),
  );
  const bytes = appender.bytes();
  const f = (mint: number, maxt: number, want: number[]): void => {
    const scratch = new XorScratch();
    scratch.append(bytes, 0, bytes.length, 10, false);
    scratch.clip(mint, maxt);
    deepEqual([...scratch.t.subarray(0, scratch.length)], want);
  };
  f(-5, 5, [0]);
  f(10, 30, [10, 20, 30]);
  f(11, 19, []);
  f(85, 1000, [90]);
  f(91, 1000, []);
});
