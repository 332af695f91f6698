/**
 * XOR2 chunks, encoding 4: floats with start timestamps, both ways (prometheus tsdb/chunkenc/xor2.go;
 * docs/format/xor2-chunks.md). Values are halves throughout, as in xor-twin.ts.
 */
import { CorruptionError } from '../lib/errors.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import { StartTimeReader, StartTimeWriter } from './start-times.ts';
import type { StartTimes } from './start-times.ts';
import type { XorOutput } from './xor-twin.ts';
import { XorValues } from './xor-values.ts';
import type { WindowPrefixes } from './xor-values.ts';

/** The count and the header byte of the start timestamps. */
export const XOR2_HEADER_BYTES = 3;

/** Prefixes of a value behind a time that is not where it was expected, and behind one that is. */
const AFTER_DOD: WindowPrefixes = { same: 2, sameBits: 2, moved: 6, movedBits: 3 };
const ON_TIME: WindowPrefixes = { same: 0, sameBits: 1, moved: 1, movedBits: 1 };

/** A chunk of `count` samples at bytes[offset..offset + length]; the count in its bytes is not looked at. */
export interface Xor2Chunk {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

/** What to do with the samples. */
export interface Xor2Options {
  /** Leaves stale markers out. */
  readonly dropStale: boolean;
  /** Gets the start timestamp of each sample that is written, at its index in the output; without it they are skipped. */
  readonly st?: StartTimes;
}

/**
 * Decodes the samples of a chunk to out[at…], which has room for them. Returns how many were written, or -1 when the bytes
 * are not an XOR2 chunk of that many samples.
 */
export function decodeXor2(
  chunk: Xor2Chunk,
  out: XorOutput,
  at: number,
  { dropStale, st }: Xor2Options,
): number {
  const { bytes, offset, length, count } = chunk;
  if (length < XOR2_HEADER_BYTES) return -1;
  const samples = new Xor2Samples(
    new BitReader(bytes, offset + XOR2_HEADER_BYTES, offset + length),
    bytes[offset + XOR2_HEADER_BYTES - 1] as number,
  );
  let o = at;
  try {
    for (let i = 0; i < count; i++) {
      if (!samples.next()) return -1;
      if (samples.isStale) {
        if (dropStale) continue;
        out.halves[2 * o] = STALE_NAN_LO;
        out.halves[2 * o + 1] = STALE_NAN_HI;
      } else {
        out.halves[2 * o] = samples.value.halves[0] as number;
        out.halves[2 * o + 1] = samples.value.halves[1] as number;
      }
      out.t[o] = samples.t;
      st?.set(o, samples.starts.st);
      o++;
    }
  } catch (thrown) {
    if (thrown instanceof CorruptionError) return -1;
    throw thrown;
  }
  return o - at;
}

/** Walks through the samples of a chunk. */
class Xor2Samples {
  readonly #reader: BitReader;
  readonly starts: StartTimeReader;
  /** The last value that was no stale marker. */
  readonly value = new XorValues(1, 'read');
  t = 0;
  isStale = false;
  #delta = 0;
  #next = 0;

  constructor(reader: BitReader, startHeader: number) {
    this.#reader = reader;
    this.starts = new StartTimeReader(startHeader);
  }

  /** Reads a sample; false when the bytes end in it. @throws CorruptionError when its value has no possible window. */
  next(): boolean {
    const reader = this.#reader;
    const i = this.#next++;
    const before = this.t;
    this.isStale = false;
    if (i === 0) this.#first();
    else if (i === 1) {
      this.#delta = reader.uvarint();
      this.t += this.#delta;
      this.#valueAfterDod();
    } else this.#joint();
    this.starts.read(reader, i, this.t, before);
    return !(reader.over || Number.isNaN(this.t) || Number.isNaN(this.starts.st));
  }

  #first(): void {
    const { value } = this;
    this.t = this.#reader.varint();
    value.readWhole(this.#reader, 0);
    this.isStale = value.equals(0, STALE_NAN_HI, STALE_NAN_LO);
    // The next value is the difference to the last one that counts, and there is none.
    if (this.isStale) value.halves.fill(0);
  }

  /** Time and value under one prefix: 0, 10, 110, 1110, 11110 or 11111. */
  #joint(): void {
    const reader = this.#reader;
    const ones = Math.min(5, Math.clz32(~reader.peek()));
    reader.pos += Math.min(5, ones + 1);
    if (ones === 2) this.#delta += signed(reader.bits(13), 13);
    else if (ones === 3) this.#delta += signed(reader.bits(20), 20);
    else if (ones === 4) {
      const hi = reader.bits(32) | 0;
      this.#delta += hi * 4294967296 + reader.bits(32);
    }
    this.t += this.#delta;
    if (ones === 1) {
      if (reader.bits(1) === 1) this.value.readWindow(reader, 0);
      this.value.readWindowed(reader, 0);
    } else if (ones === 5) this.isStale = true;
    else if (ones > 1) this.#valueAfterDod();
  }

  /** 0 for the value before, 10 and its window, 110 and a new window, 111 for a stale marker. */
  #valueAfterDod(): void {
    const reader = this.#reader;
    const ones = Math.min(3, Math.clz32(~reader.peek()));
    reader.pos += Math.min(3, ones + 1);
    if (ones === 3) this.isStale = true;
    if (ones === 2) this.value.readWindow(reader, 0);
    if (ones === 1 || ones === 2) this.value.readWindowed(reader, 0);
  }
}

/** The two's complement of n bits. */
function signed(value: number, n: number): number {
  return value >= 2 ** (n - 1) ? value - 2 ** n : value;
}

/** Appends samples of one series to an XOR2 chunk. */
export class Xor2Appender {
  readonly #out = new BitWriter(128);
  readonly #starts = new StartTimeWriter();
  readonly #value = new XorValues(1, 'write');
  #count = 0;
  #t = 0;
  #delta = 0;

  constructor() {
    this.#out.bits(0, XOR2_HEADER_BYTES * 8);
  }

  /** How many samples the chunk holds; 65,535 at most. */
  get count(): number {
    return this.#count;
  }

  /** The chunk as written to disk: a copy, with its count in front. */
  bytes(): Uint8Array {
    const out = this.#out.bytes.slice(0, this.#out.byteLength);
    out[0] = this.#count >>> 8;
    out[1] = this.#count & 0xff;
    out[2] = this.#starts.header;
    return out;
  }

  /** Appends a sample; t is an integer later than the last one's, the value its two halves; st is 0 for none. */
  append(t: number, hi: number, lo: number, st = 0): void {
    const out = this.#out;
    const before = this.#t;
    const delta = t - before;
    const isStale = hi === STALE_NAN_HI && lo === STALE_NAN_LO;
    if (this.#count === 0) {
      out.varint(t);
      this.#value.writeWhole(out, 0, hi, lo);
      if (isStale) this.#value.halves.fill(0);
    } else if (this.#count === 1) {
      out.uvarint(delta);
      this.#putAfterDod(hi, lo, isStale);
    } else if (delta === this.#delta) this.#putOnTime(hi, lo, isStale);
    else {
      this.#putDod(delta - this.#delta);
      this.#putAfterDod(hi, lo, isStale);
    }
    this.#starts.write(out, this.#count, { t, before, st });
    // The second time is the first difference.
    this.#delta = this.#count === 0 ? 0 : delta;
    this.#t = t;
    this.#count++;
  }

  #putDod(dod: number): void {
    const out = this.#out;
    if (dod >= -(2 ** 12) && dod < 2 ** 12) out.bits((6 << 13) | (dod & 0x1fff), 16);
    else if (dod >= -(2 ** 19) && dod < 2 ** 19) out.bits((14 << 20) | (dod & 0xfffff), 24);
    else {
      out.bits(30, 5);
      out.bits(Math.floor(dod / 4294967296) >>> 0, 32);
      out.bits(dod >>> 0, 32);
    }
  }

  #putOnTime(hi: number, lo: number, isStale: boolean): void {
    if (isStale) this.#out.bits(31, 5);
    else if (this.#value.equals(0, hi, lo)) this.#out.bits(0, 1);
    else {
      this.#out.bits(2, 2);
      this.#value.writeChanged(this.#out, 0, hi, lo, ON_TIME);
    }
  }

  #putAfterDod(hi: number, lo: number, isStale: boolean): void {
    if (isStale) this.#out.bits(7, 3);
    else if (this.#value.equals(0, hi, lo)) this.#out.bits(0, 1);
    else this.#value.writeChanged(this.#out, 0, hi, lo, AFTER_DOD);
  }
}
