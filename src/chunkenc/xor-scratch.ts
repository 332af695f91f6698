/**
 * Decodes XOR chunks into columns, in the kernel where there is one and in its twin otherwise.
 *
 * One scratch per thread and purpose: its memory is not shared, chunk bytes are copied in and columns are read in
 * place, so a series of many chunks becomes one pair of columns without another copy.
 */
import { CodedError } from '../lib/errors.ts';
import { loadKernel } from '../kernels/load.ts';
import type { XorDecodeKernel } from '../kernels/load.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from './encodings.ts';
import { XOR2_HEADER_BYTES, decodeXor2 } from './xor2.ts';
import { decodeXorTwin } from './xor-twin.ts';

const PAGE = 65536;
/** Chunk bytes go here; 64 KiB is the largest chunk that chunk files may hold in practice. */
const SOURCE = 0;
const SOURCE_BYTES = PAGE;
/** limit: the longest chunk; the kernel reads up to 32 bytes past it. */
export const SOURCE_BYTES_MAX = SOURCE_BYTES - 32;
/** limit: what may lie beside the columns; nothing gives a scratch's memory back. */
const WORK_BYTES_MAX = 64 << 20;
/** limit: columns of 48 M samples (768 MiB) in one scratch; a longer series must be read in parts. */
const CAPACITY_MAX = 48 << 20;

/** Where frames of a segment file are in a scratch's source, one behind the other. */
export interface SourceFrames {
  readonly from: number;
  /** None ends after this. */
  readonly end: number;
  readonly count: number;
  /** Where the last one begins. */
  readonly lastFrom: number;
}

/**
 * Columns under construction; `t` and `v` hold `length` samples and are replaced when they grow. The memory begins with the
 * bytes of a chunk, then comes what others work with ({@link XorScratch.reserve}), then the columns.
 */
export class XorScratch {
  /** Where columns, and what was reserved, lie; its buffer is replaced when it grows. */
  readonly memory = new WebAssembly.Memory({ initial: 1 });
  readonly #kernel: XorDecodeKernel | undefined;
  #halves = new Uint32Array(0);
  #capacity = 0;
  #workBytes = 0;
  /** Where chunk bytes go to be decoded; replaced when the columns grow. */
  source = new Uint8Array(0);
  /** Timestamps in ms. */
  t = new Float64Array(0);
  /** Values; bits are exact, see model/value.ts. */
  v = new Float64Array(0);
  /** How many samples the columns hold. */
  length = 0;
  /** Set by who reads a series into it, when he left out chunks of native histograms. */
  skippedHistograms = false;

  /** `twin` forces the TypeScript decoder: for tests and for comparing speed. */
  constructor(options: { twin?: boolean; capacity?: number } = {}) {
    this.#kernel = options.twin === true ? undefined : loadKernel('xor-decode', this.memory);
    this.#grow(options.capacity ?? 8192);
  }

  /** Forgets all samples. */
  clear(): void {
    this.length = 0;
    this.skippedHistograms = false;
  }

  /**
   * Appends the samples of one chunk of encoding 1 or 4, which is decoded without its start timestamps:
   * bytes[offset..offset+length] with its 2-byte count in front, which is not looked at; `count` says how many samples
   * to decode.
   * @returns false when the bytes are not such a chunk; the columns are then as before.
   */
  append(
    bytes: Uint8Array,
    offset: number,
    length: number,
    count: number,
    dropStale: boolean,
    encoding = ENCODING_XOR,
  ): boolean {
    if (length > SOURCE_BYTES_MAX) return false;
    if (encoding !== ENCODING_XOR)
      return this.#appendOther(encoding, { bytes, offset, length, count }, dropStale);
    this.source.set(bytes.subarray(offset, offset + length));
    return this.appendSource(0, length, count, dropStale);
  }

  /**
   * The same for a chunk that the caller has put into {@link source}, at bytes from..from + length, which end at
   * {@link SOURCE_BYTES_MAX} at the latest.
   */
  appendSource(
    from: number,
    length: number,
    count: number,
    dropStale: boolean,
    encoding = ENCODING_XOR,
  ): boolean {
    if (encoding !== ENCODING_XOR) {
      // A copy: growing the columns takes the source away.
      const bytes = this.source.slice(from, from + length);
      return this.#appendOther(encoding, { bytes, offset: 0, length, count }, dropStale);
    }
    // A sample takes at least two bits, so a larger count is a lie that must not allocate.
    if (length < 2 || count > length * 4) return false;
    if (this.length + count > this.#capacity) this.#grow(this.length + count);
    const at = this.length;
    let n: number;
    if (this.#kernel === undefined) {
      const out = { t: this.t, halves: this.#halves };
      n = decodeXorTwin(this.source, from, length, count, out, at, dropStale);
    } else {
      const outT = this.t.byteOffset + at * 8;
      const outV = this.v.byteOffset + at * 8;
      n = this.#kernel.decode(SOURCE + from, length, count, outT, outV, dropStale ? 1 : 0);
    }
    if (n < 0) return false;
    this.length = at + n;
    return true;
  }

  /**
   * Appends the XOR chunks of frames of a segment file that the caller has put into {@link source}. perf: frames are parsed
   * where chunks are decoded, two chunks at a time: one waits for its bits while the other is computed.
   * @returns false when that cannot be done, or not to the end; the columns are then as before, and each chunk is to be tried
   * alone.
   */
  appendFrames({ from, end, count, lastFrom }: SourceFrames, dropStale: boolean): boolean {
    const kernel = this.#kernel;
    if (kernel === undefined || end > SOURCE_BYTES_MAX) return false;
    const decode = (): number => {
      const at = this.length * 8;
      return kernel.decodeFrames(
        SOURCE + from,
        SOURCE + end,
        count,
        SOURCE + lastFrom,
        this.#capacity - this.length,
        this.t.byteOffset + at,
        this.v.byteOffset + at,
        dropStale ? 1 : 0,
      );
    };
    let n = decode();
    if (n < -1) {
      this.#grow(this.length - 2 - n);
      n = decode();
    }
    if (n < 0) return false;
    this.length += n;
    return true;
  }

  /** Chunks with start timestamps are few and have no kernel. */
  #appendOther(
    encoding: number,
    chunk: { bytes: Uint8Array; offset: number; length: number; count: number },
    dropStale: boolean,
  ): boolean {
    const { bytes, offset, length, count } = chunk;
    // A sample takes at least one bit.
    if (encoding !== ENCODING_XOR2 || length < XOR2_HEADER_BYTES || count > length * 8)
      return false;
    if (this.length + count > this.#capacity) this.#grow(this.length + count);
    const out = { t: this.t, halves: this.#halves };
    const source = { bytes, offset, length, count };
    const n = decodeXor2(source, out, this.length, { dropStale });
    if (n < 0) return false;
    this.length += n;
    return true;
  }

  /**
   * Merges the samples from `middle` on with those before it, where the two runs, each sorted, overlap; of two samples
   * with one timestamp the earlier run's is kept.
   */
  mergeFrom(middle: number): void {
    const { t } = this;
    if (middle >= this.length || (t[middle] as number) > (t[middle - 1] as number)) return;
    const from = lowerBound(t, middle, t[middle] as number);
    const times = t.slice(from, this.length);
    const bits = this.#halves.slice(from * 2, this.length * 2);
    const cut = middle - from;
    let n = from;
    for (let i = 0, j = cut; i < cut || j < times.length;) {
      const left = i < cut ? (times[i] as number) : Infinity;
      const right = j < times.length ? (times[j] as number) : Infinity;
      const k = left <= right ? i : j;
      t[n] = times[k] as number;
      // Values move as bits: a stale marker may change in a number variable.
      this.#halves[n * 2] = bits[k * 2] as number;
      this.#halves[n * 2 + 1] = bits[k * 2 + 1] as number;
      n++;
      if (left <= right) i++;
      if (right <= left) j++;
    }
    this.length = n;
  }

  /** Keeps only samples with mint <= t <= maxt; the columns are sorted, so both ends move inwards. */
  clip(mint: number, maxt: number): void {
    const { t } = this;
    let from = 0;
    let to = this.length;
    if (to > 0 && (t[0] as number) < mint) from = lowerBound(t, to, mint);
    if (to > from && (t[to - 1] as number) > maxt) to = lowerBound(t, to, maxt + 1);
    if (from > 0) {
      t.copyWithin(0, from, to);
      this.v.copyWithin(0, from, to);
    }
    this.length = to - from;
  }

  /** Takes out the samples from index `from` on, which ascend, with mint <= t <= maxt. */
  remove(from: number, mint: number, maxt: number): void {
    const { t, v } = this;
    let first = from;
    while (first < this.length && (t[first] as number) < mint) first++;
    let last = first;
    while (last < this.length && (t[last] as number) <= maxt) last++;
    if (last === first) return;
    // Values move as bytes: a stale marker may change in a number variable.
    t.copyWithin(first, last, this.length);
    v.copyWithin(first, last, this.length);
    this.length -= last - first;
  }

  /**
   * Memory beside the columns, for who works on them in place: so many bytes at an address that stays the same, a multiple
   * of 16. What lies there stays until somebody else reserves. Columns may have been moved: views of them are void then.
   * @throws CodedError too_large for more than 64 MiB.
   */
  reserve(bytes: number): number {
    if (bytes > WORK_BYTES_MAX) {
      throw new CodedError('too_large', `${bytes} bytes beside columns exceed ${WORK_BYTES_MAX}`);
    }
    if (bytes > this.#workBytes) {
      this.#workBytes = Math.ceil(bytes / PAGE) * PAGE;
      this.#layOut(this.#capacity);
    }
    return SOURCE_BYTES;
  }

  #grow(capacity: number): void {
    if (capacity > CAPACITY_MAX) {
      throw new CodedError('too_large', `a series of ${capacity} samples exceeds ${CAPACITY_MAX}`);
    }
    this.#layOut(Math.min(CAPACITY_MAX, Math.max(capacity, this.#capacity * 2)));
  }

  /** Puts columns of a capacity behind what is reserved. */
  #layOut(next: number): void {
    const keptT = this.t.slice(0, this.length);
    const keptV = this.#halves.slice(0, this.length * 2);
    const columns = SOURCE_BYTES + this.#workBytes;
    const pages = Math.ceil((columns + next * 16) / PAGE);
    const have = this.memory.buffer.byteLength / PAGE;
    if (pages > have) this.memory.grow(pages - have);
    const { buffer } = this.memory;
    this.#capacity = next;
    this.source = new Uint8Array(buffer, SOURCE, SOURCE_BYTES);
    this.t = new Float64Array(buffer, columns, next);
    this.v = new Float64Array(buffer, columns + next * 8, next);
    this.#halves = new Uint32Array(buffer, columns + next * 8, next * 2);
    this.t.set(keptT);
    this.#halves.set(keptV);
  }
}

/** The first index in t[0..length] whose value is at least x. */
function lowerBound(t: Float64Array, length: number, x: number): number {
  let lo = 0;
  let hi = length;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if ((t[mid] as number) < x) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
