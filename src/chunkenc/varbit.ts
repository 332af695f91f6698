/**
 * Integers of few bits when they are small: what histogram chunks and start timestamps are made of (prometheus
 * tsdb/chunkenc/varbit.go; docs/format/histogram-chunks.md, "Varbit integers").
 */
import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';

/** How many bits follow a prefix of that many ones and, but for the last, a zero. */
const SIZES = Uint8Array.of(0, 3, 6, 9, 12, 18, 25, 56, 64);
/** The number of ones from which on a value does not fit 32 bits with its prefix. */
const LONG = 7;
const WORD = 4294967296;

/** Reads a signed integer; exact to ±2^53. */
export function readVarbitInt(reader: BitReader): number {
  const window = reader.peek();
  if (window >= 0) {
    reader.pos += 1;
    return 0;
  }
  const ones = Math.clz32(~window);
  if (ones >= LONG) return readLongInt(reader, ones);
  const size = SIZES[ones] as number;
  reader.pos += ones + 1 + size;
  const value = (window << (ones + 1)) >>> (32 - size);
  // Two's complement, but for 1000…0, which is the positive bound.
  return value > 1 << (size - 1) ? value - (1 << size) : value;
}

function readLongInt(reader: BitReader, ones: number): number {
  reader.pos += 8;
  if (ones > LONG) {
    const hi = reader.bits(32) | 0;
    return hi * WORD + reader.bits(32);
  }
  const hi = reader.bits(24);
  const lo = reader.bits(32);
  const isNegative = hi > 2 ** 23 || (hi === 2 ** 23 && lo > 0);
  return (isNegative ? hi - 2 ** 24 : hi) * WORD + lo;
}

/** Reads an unsigned integer; exact to 2^53. */
export function readVarbitUint(reader: BitReader): number {
  const window = reader.peek();
  if (window >= 0) {
    reader.pos += 1;
    return 0;
  }
  const ones = Math.clz32(~window);
  if (ones >= LONG) {
    reader.pos += 8;
    const hi = reader.bits(ones > LONG ? 32 : 24);
    return hi * WORD + reader.bits(32);
  }
  const size = SIZES[ones] as number;
  reader.pos += ones + 1 + size;
  return (window << (ones + 1)) >>> (32 - size);
}

/** Appends a signed integer within ±2^63. */
export function writeVarbitInt(out: BitWriter, value: number): void {
  if (value === 0) {
    out.bits(0, 1);
    return;
  }
  for (let ones = 1; ones < LONG; ones++) {
    const size = SIZES[ones] as number;
    const bound = 1 << (size - 1);
    if (value <= -bound || value > bound) continue;
    writeShort(out, ones, value);
    return;
  }
  writeLong(out, value, value > -(2 ** 55) && value <= 2 ** 55);
}

/** Appends an unsigned integer below 2^64. */
export function writeVarbitUint(out: BitWriter, value: number): void {
  if (value === 0) {
    out.bits(0, 1);
    return;
  }
  for (let ones = 1; ones < LONG; ones++) {
    if (value >= 1 << (SIZES[ones] as number)) continue;
    writeShort(out, ones, value);
    return;
  }
  writeLong(out, value, value < 2 ** 56);
}

function writeShort(out: BitWriter, ones: number, value: number): void {
  const size = SIZES[ones] as number;
  const prefix = (1 << (ones + 1)) - 2;
  out.bits((prefix << size) | (value & ((1 << size) - 1)), ones + 1 + size);
}

function writeLong(out: BitWriter, value: number, fits56: boolean): void {
  out.bits(fits56 ? 0xfe : 0xff, 8);
  out.bits(Math.floor(value / WORD) >>> 0, fits56 ? 24 : 32);
  out.bits(value >>> 0, 32);
}
