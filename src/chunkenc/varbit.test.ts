import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';

/** The bits that something writes, as text. */
function bitsOf(write: (out: BitWriter) => void): string {
  const out = new BitWriter(1);
  write(out);
  const text = Array.from(out.bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return text.slice(0, out.pos);
}

function readerOf(bits: string): BitReader {
  const bytes = Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) =>
    parseInt(byte.padEnd(8, '0'), 2),
  );
  return new BitReader(bytes, 0, bytes.length);
}

/** The prefix of a value, by its size in bits: the table of docs/format/histogram-chunks.md. */
const PREFIXES: readonly (readonly [size: number, prefix: string])[] = [
  [3, '10'],
  [6, '110'],
  [9, '1110'],
  [12, '11110'],
  [18, '111110'],
  [25, '1111110'],
  [56, '11111110'],
  [64, '11111111'],
];

/** The same by the table, plainly. */
function plainInt(value: bigint): string {
  if (value === 0n) return '0';
  for (const [size, prefix] of PREFIXES) {
    const half = 1n << BigInt(size - 1);
    if (size < 64 && (value <= -half || value > half)) continue;
    return prefix + BigInt.asUintN(size, value).toString(2).padStart(size, '0');
  }
  throw new Error('unreachable');
}

function plainUint(value: bigint): string {
  if (value === 0n) return '0';
  const [size, prefix] = PREFIXES.find(([bits]) => value < 1n << BigInt(bits)) ?? [64, ''];
  return prefix + value.toString(2).padStart(size, '0');
}

const edges = PREFIXES.flatMap(([size]) => {
  const half = 2 ** Math.min(size - 1, 53);
  return [-half - 1, -half, -half + 1, half - 1, half, half + 1, 2 * half - 1];
}).filter((value) => Number.isSafeInteger(value));

test('varbit: integers as the table says, at all its bounds', () => {
  for (const value of [0, 1, -1, ...edges]) {
    const bits = bitsOf((out) => writeVarbitInt(out, value));
    equal(bits, plainInt(BigInt(value)), `${value}`);
    equal(readVarbitInt(readerOf(bits)), value);
    if (value < 0) continue;
    const unsigned = bitsOf((out) => writeVarbitUint(out, value));
    equal(unsigned, plainUint(BigInt(value)), `${value}`);
    equal(readVarbitUint(readerOf(unsigned)), value);
  }
  // Beyond 2^53 as far as a double holds the value.
  for (const value of [2 ** 55, -(2 ** 55), 2 ** 56, 2 ** 62, -(2 ** 63)]) {
    const bits = bitsOf((out) => writeVarbitInt(out, value));
    equal(bits, plainInt(BigInt(value)));
    equal(readVarbitInt(readerOf(bits)), value);
  }
  equal(
    bitsOf((out) => writeVarbitUint(out, 2 ** 63)),
    plainUint(2n ** 63n),
  );
});

test('bits: whatever is written is read again, wherever it begins', () => {
  const item = fc.oneof(
    fc.record({
      kind: fc.constant('bits' as const),
      size: fc.integer({ min: 1, max: 32 }),
      value: fc.nat(0xffffffff),
    }),
    fc.record({ kind: fc.constant('int' as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant('uint' as const), value: fc.maxSafeNat() }),
    fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant('uvarint' as const), value: fc.maxSafeNat() }),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 30 }), (items) => {
      const out = new BitWriter(1);
      for (const one of items) {
        if (one.kind === 'bits') out.bits(one.value, one.size);
        else if (one.kind === 'int') writeVarbitInt(out, one.value);
        else if (one.kind === 'uint') writeVarbitUint(out, one.value);
        else if (one.kind === 'varint') out.varint(one.value);
        else out.uvarint(one.value);
      }
      const reader = new BitReader(out.bytes, 0, out.byteLength);
      const got = items.map((one) => {
        if (one.kind === 'bits') return reader.bits(one.size);
        if (one.kind === 'int') return readVarbitInt(reader);
        if (one.kind === 'uint') return readVarbitUint(reader);
        return one.kind === 'varint' ? reader.varint() : reader.uvarint();
      });
      const want = items.map((one) =>
        one.kind === 'bits' ? one.value % 2 ** one.size : one.value,
      );
      deepEqual(got, want);
      equal(reader.pos, out.pos);
      equal(reader.over, false);
    }),
  );
});

test('bits: varints as Go writes them, and those that do not end', () => {
  const f = (value: number, want: number[]): void => {
    const out = new BitWriter(1);
    out.varint(value);
    deepEqual([...out.bytes.subarray(0, out.byteLength)], want);
  };
  f(0, [0]);
  f(-1, [1]);
  f(63, [126]);
  f(-64, [127]);
  f(64, [128, 1]);
  f(-(2 ** 53 - 1), [253, 255, 255, 255, 255, 255, 255, 31]);
  for (const bytes of [[], [128], Array<number>(10).fill(255)]) {
    const reader = (): BitReader => new BitReader(Uint8Array.from(bytes), 0, bytes.length);
    equal(reader().uvarint(), NaN);
    equal(reader().varint(), NaN);
  }
});
