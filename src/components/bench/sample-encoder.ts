/**
 * XOR chunks straight from numbers (docs/format/chunks.md), for samples that come in runs: a value that repeats at an
 * even interval costs two zero bits, which are not even written one by one. What `XorAppender` of chunkenc is the
 * specification of, bit for bit; this one does a sample in some 10 ns and a run in no time.
 */
import type { BlockChunk } from '../../tsdb/block/block-writer.ts';

/** Samples of a chunk, as the TSDB cuts them. */
const CHUNK_SAMPLES = 120;

/** limit: bytes of a chunk of 120 samples: 2 of count, then at most 68 + 77 bits a sample. */
const CHUNK_BYTES_MAX = 2 + (CHUNK_SAMPLES * 145) / 8;

const XOR_ENCODING = 1;

/** Where a chunk lies in the buffer. */
interface Cut {
  readonly mint: number;
  readonly maxt: number;
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

/** Encodes one series after the other; its buffer is kept between them. */
export class SampleEncoder {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  readonly #cuts: Cut[] = [];
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);
  /** Where the next 32 bits go; those that are still to be written, from the top, and how many are free below them. */
  #at = 0;
  #word = 0;
  #free = 32;
  #start = 0;
  #count = 0;
  #mint = 0;
  #t = 0;
  #delta = 0;
  #hi = 0;
  #lo = 0;
  #lead = -1;
  #trail = 0;

  /** Begins a series. */
  reset(): void {
    this.#cuts.length = 0;
    this.#at = 0;
    this.#count = 0;
  }

  /** Appends a sample, later than the last one by a whole number of ms. */
  append(t: number, value: number): void {
    if (this.#count === CHUNK_SAMPLES) this.#cut();
    this.#double[0] = value;
    const lo = this.#halves[0] as number;
    const hi = this.#halves[1] as number;
    if (this.#count === 0) {
      this.#begin(t);
      this.#put(hi, 32);
      this.#put(lo, 32);
    } else {
      const delta = t - this.#t;
      if (this.#count === 1) this.#putUvarint(delta);
      else this.#putDod(delta - this.#delta);
      this.#delta = delta;
      this.#putXor(hi ^ this.#hi, lo ^ this.#lo);
    }
    this.#t = t;
    this.#hi = hi;
    this.#lo = lo;
    this.#count++;
  }

  /** Appends samples of one value, `step` ms apart, the first at t. */
  appendRun(t: number, step: number, count: number, value: number): void {
    const end = t + step * count;
    for (let next = t; next < end;) {
      this.append(next, value);
      next += step;
      if (this.#count < 2 || this.#delta !== step) continue;
      // Each of these is a delta of deltas of zero and no change of value.
      const same = Math.min((end - next) / step, CHUNK_SAMPLES - this.#count);
      for (let bits = 2 * same; bits > 0; bits -= 32) this.#put(0, Math.min(bits, 32));
      this.#count += same;
      this.#t += same * step;
      next += same * step;
    }
  }

  /** Ends the series: its chunks in order of time, valid until the next {@link reset}. */
  finish(): BlockChunk[] {
    this.#cut();
    return this.#cuts.map(({ mint, maxt, count, start, end }) => ({
      mint,
      maxt,
      count,
      encoding: XOR_ENCODING,
      data: this.#bytes.subarray(start, end),
    }));
  }

  /** Starts a chunk: room for its count, then its first time. */
  #begin(t: number): void {
    if (this.#at + CHUNK_BYTES_MAX + 8 > this.#bytes.length) {
      const more = new Uint8Array(2 * this.#bytes.length);
      more.set(this.#bytes.subarray(0, this.#at));
      this.#bytes = more;
      this.#view = new DataView(more.buffer);
    }
    this.#start = this.#at;
    this.#word = 0;
    this.#free = 32;
    this.#lead = -1;
    this.#mint = t;
    this.#put(0, 16);
    // Zigzag.
    this.#putUvarint(t < 0 ? -2 * t - 1 : 2 * t);
  }

  /** Ends the open chunk: its last bits, its count. */
  #cut(): void {
    if (this.#count === 0) return;
    this.#view.setInt32(this.#at, this.#word);
    const end = this.#at + Math.ceil((32 - this.#free) / 8);
    this.#view.setUint16(this.#start, this.#count);
    this.#cuts.push({
      mint: this.#mint,
      maxt: this.#t,
      count: this.#count,
      start: this.#start,
      end,
    });
    this.#at = end;
    this.#count = 0;
  }

  /** Appends the low n bits of a number, 1 <= n <= 32. */
  #put(value: number, n: number): void {
    const bits = n === 32 ? value : value & ((1 << n) - 1);
    if (n < this.#free) {
      this.#free -= n;
      this.#word |= bits << this.#free;
      return;
    }
    const rest = n - this.#free;
    this.#view.setInt32(this.#at, this.#word | (bits >>> rest));
    this.#at += 4;
    this.#free = 32 - rest;
    this.#word = rest === 0 ? 0 : bits << this.#free;
  }

  #putUvarint(value: number): void {
    let v = value;
    for (; v >= 0x80; v = Math.floor(v / 128)) this.#put((v % 128) | 0x80, 8);
    this.#put(v, 8);
  }

  /** A delta of deltas: 0, or a prefix of ones that says whether 14, 17, 20 or 64 bits follow. */
  #putDod(dod: number): void {
    if (dod === 0) this.#put(0, 1);
    else if (dod >= -8191 && dod <= 8192) this.#putPrefixed(2, 2, dod, 14);
    else if (dod >= -65535 && dod <= 65536) this.#putPrefixed(6, 3, dod, 17);
    else if (dod >= -524287 && dod <= 524288) this.#putPrefixed(14, 4, dod, 20);
    else {
      this.#put(15, 4);
      this.#put(Math.floor(dod / 4294967296) | 0, 32);
      this.#put(dod | 0, 32);
    }
  }

  #putPrefixed(prefix: number, prefixBits: number, value: number, bits: number): void {
    this.#put(prefix, prefixBits);
    this.#put(value, bits);
  }

  /** What changed of a value: 0, or the significant bits, in the last window of them where they fit. */
  #putXor(hi: number, lo: number): void {
    if ((hi | lo) === 0) {
      this.#put(0, 1);
      return;
    }
    const lead = Math.min(31, hi === 0 ? 32 + Math.clz32(lo) : Math.clz32(hi));
    const trail = lo === 0 ? 32 + trailingZeros(hi) : trailingZeros(lo);
    if (this.#lead >= 0 && lead >= this.#lead && trail >= this.#trail) {
      this.#put(2, 2);
    } else {
      this.#lead = lead;
      this.#trail = trail;
      this.#put(3, 2);
      this.#put(lead, 5);
      this.#put(64 - lead - trail, 6);
    }
    const shift = this.#trail;
    const size = 64 - this.#lead - shift;
    if (shift >= 32) {
      this.#put(hi >>> (shift - 32), size);
      return;
    }
    const low = shift === 0 ? lo : (lo >>> shift) | (hi << (32 - shift));
    if (size > 32) this.#put(hi >>> shift, size - 32);
    this.#put(low, Math.min(size, 32));
  }
}

function trailingZeros(x: number): number {
  return 31 - Math.clz32(x & -x);
}
