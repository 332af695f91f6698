import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { exponentialBound, fractionBelow, listBuckets } from './bucket-bounds.ts';
import { NO_BUCKETS } from './float-histogram.ts';

test('bounds of exponential buckets', () => {
  const f = (schema: number, index: number, want: number): void =>
    equal(exponentialBound(schema, index), want, `schema ${schema}, bucket ${index}`);
  // Powers of two at every resolution.
  for (let schema = -4; schema <= 8; schema++) {
    const step = 2 ** Math.max(0, schema);
    const power = 2 ** Math.max(0, -schema);
    f(schema, 0, 1);
    f(schema, step, 2 ** power);
    f(schema, -step, 2 ** -power);
  }
  // As Prometheus 3.14 shows them: not always the double that is nearest to the power of two.
  f(1, 1, 1.414213562373095);
  f(1, -1, 0.7071067811865475);
  f(2, 1, 1.189207115002721);
  f(8, 1, 1.0027112750502025);
  const relative = Math.abs(exponentialBound(8, 255) / 2 ** (255 / 256) - 1);
  ok(relative < 1e-15, `${relative}`);
  // The bucket before that of the infinities ends with the greatest double, that one with infinity.
  f(0, 1024, Number.MAX_VALUE);
  f(0, 1025, Infinity);
  f(-4, 64, Number.MAX_VALUE);
  f(8, 256 * 1024, Number.MAX_VALUE);
  // Subnormal ones.
  f(0, -1074, 5e-324);
  f(1, -2 * 1040 + 1, 1.414213562373095 * 2 ** -520 * 2 ** -520);
});

test('buckets are listed in ascending order, cut at the zero bucket', () => {
  const histogram = {
    schema: 0,
    zeroThreshold: 0.75,
    zeroCount: 5,
    count: 0,
    sum: 0,
    hint: 0,
    positive: { index: Int32Array.of(0, 2), count: Float64Array.of(1, 2) },
    negative: { index: Int32Array.of(0, 1), count: Float64Array.of(3, 4) },
    customValues: new Float64Array(0),
  };
  deepEqual(listBuckets(histogram), {
    lower: [-2, -1, -0.75, 0.75, 2],
    upper: [-1, -0.75, 0.75, 1, 4],
    count: [4, 3, 5, 1, 2],
    inclusive: ['lower', 'lower', 'both', 'upper', 'upper'],
  });
  const custom = {
    ...histogram,
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    negative: NO_BUCKETS,
    positive: { index: Int32Array.of(0, 2), count: Float64Array.of(1, 2) },
    customValues: Float64Array.of(5, 10),
  };
  deepEqual(listBuckets(custom), {
    lower: [-Infinity, 10],
    upper: [5, Infinity],
    count: [1, 2],
    inclusive: ['both', 'upper'],
  });
});

test('the share of a bucket below a value', () => {
  equal(fractionBelow({ lower: 2, upper: 4 }, 3, true), 0.5);
  equal(fractionBelow({ lower: 1, upper: 16 }, 4, false), 0.5);
  equal(fractionBelow({ lower: -16, upper: -1 }, -4, false), 0.5);
  equal(fractionBelow({ lower: -16, upper: -1 }, -8, false), 0.25);
});
