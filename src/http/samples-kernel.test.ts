import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { floatText, JsonPieces } from './json-pieces.ts';
import { samplesKernel } from './samples-kernel.ts';

const MINUTE = 60_000;
const START = 1_700_000_000_123;

function encode(t: Float64Array, v: Float64Array, twin: boolean): string {
  const out = new JsonPieces({ twin });
  out.samples(t, v, 0, v.length);
  return Buffer.concat(out.finish()).toString('latin1');
}

/** Compares with the twin, and with what JavaScript prints. */
function check(values: readonly number[]): void {
  const v = Float64Array.from(values);
  const t = v.map((_, i) => i * MINUTE);
  const [got, twin] = [encode(t, v, false), encode(t, v, true)];
  const want = values.map((value, i) => `[${i * 60},"${floatText(value)}"]`).join(',');
  if (got === want && twin === want) return;
  const first = (text: string) => {
    const parts = text.split('],[');
    return parts[want.split('],[').findIndex((part, i) => part !== parts[i])];
  };
  assert.fail(`not as JavaScript has it: kernel ${first(got)}, twin ${first(twin)}`);
}

const bits = new BigUint64Array(1);
const float = new Float64Array(bits.buffer);

/** A double and those around it. */
function around(value: number): number[] {
  float[0] = value;
  const middle = bits[0] as bigint;
  return [-2n, -1n, 0n, 1n, 2n].map((by) => {
    bits[0] = BigInt.asUintN(64, middle + by);
    return float[0] as number;
  });
}

test('the kernel is there', () => {
  assert.ok(samplesKernel() !== undefined);
});

test('powers of two and of ten, and what lies beside them', () => {
  const values: number[] = [];
  for (let e = -1074; e < 1024; e++) values.push(...around(2 ** e), ...around(-(2 ** e) * 1.5));
  for (let e = -324; e <= 308; e++) values.push(...around(Number(`1e${e}`)));
  for (const digit of '123456789')
    for (let e = -30; e <= 30; e++) values.push(...around(Number(`${digit}.5e${e}`)));
  check(values);
});

test('zeros, borders of notations, and what is no number', () => {
  const borders = [
    1e21,
    1e-6,
    1e-7,
    2 ** 53,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
  ];
  check([0, -0, NaN, Infinity, -Infinity, ...borders.flatMap(around)]);
  check([
    1e20,
    123456789012345680000,
    1.5e20,
    1e22,
    1e23,
    9.5e-7,
    0.1,
    0.3,
    1 / 3,
    2 / 3,
    4.35,
    8.5,
  ]);
});

test('random doubles of any bits, and subnormal ones', () => {
  const random = new Random(11);
  const words = new Uint32Array(bits.buffer);
  const values: number[] = [];
  for (let i = 0; i < 400_000; i++) {
    words[0] = random.below(2 ** 32);
    words[1] = random.below(2 ** 32);
    values.push(float[0] as number);
    if (i % 4 > 0) continue;
    bits[0] = BigInt.asUintN(random.below(53), bits[0] as bigint);
    values.push(float[0] as number);
  }
  check(values);
});

test('numbers as metrics have them, and integers beyond 2^53', () => {
  const random = new Random(12);
  const values: number[] = [];
  for (let i = 0; i < 60_000; i++) {
    const size = 10 ** random.below(18);
    const whole = Math.floor(random.float() * size);
    values.push(random.float(), random.float() * size, whole, -whole, whole / 300);
    values.push(whole / 10 ** random.below(12), whole + 0.5, whole * 4096);
    // Bounds that are integers: no digits may be lost in telling on which side of them a number lies.
    values.push((2 ** 53 - whole) * 2 ** random.below(24));
  }
  check(values);
});

test('timestamps: any, and other ones than in the row before', () => {
  const random = new Random(13);
  const kinds = [0, 1, -1, 999, 1000, -1500, 1_435_781_451_005, 2 ** 53 - 1, -(2 ** 53) + 1];
  for (let round = 0; round < 200; round++) {
    const t = Float64Array.from({ length: 1 + random.below(700) }, (_, i) =>
      random.below(4) === 0
        ? (kinds[random.below(kinds.length)] as number)
        : START + i * MINUTE + random.below(3),
    );
    const v = t.map(() => random.below(1000) / 8);
    assert.equal(encode(t, v, false), encode(t, v, true));
  }
});

test('a series longer than any range query, over several pieces', () => {
  const t = Float64Array.from({ length: 30_000 }, (_, i) => START + i * 1000);
  const v = t.map((_, i) => i / 7);
  for (let round = 0; round < 2; round++)
    assert.ok(encode(t, v, false) === encode(t, v, true), 'the same bytes');
  const pieces = new JsonPieces();
  pieces.samples(t, v, 0, v.length);
  for (const piece of pieces.finish()) assert.ok(piece.length <= 65_536);
});

test('a timestamp that is not whole is a bug, and is told', () => {
  const t = Float64Array.from([1, 2, 2.5, 3]);
  assert.throws(() => encode(t, t, false), /whole milliseconds/);
});
