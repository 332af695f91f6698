/**
 * Writes JSON as UTF-8 into pieces of bounded size, in Prometheus' forms: floats as quoted text in Go's notation,
 * timestamps as seconds with up to three decimals. Behaviour: prometheus util/jsonutil/marshal.go.
 *
 * Digits go straight into bytes; step timestamps, which repeat from series to series, are copied from where they were
 * encoded first. Series are written by a kernel, of which the code here is the twin: a sample of a wide
 * matrix costs 25 ns as an integer and 50 ns as a fraction; the twin takes 60 and 200 ns.
 */
import { assert } from '../lib/assert.ts';
import { SAMPLES_BATCH, STEPS_MAX, samplesKernel, type SamplesKernel } from './samples-kernel.ts';

const PIECE_BYTES = 64 * 1024;

/** Bytes of a UTF-16 unit. */
const UTF8_BYTES_MAX = 3;

/** Room for a float or timestamp with its punctuation, whatever its value. */
const NUMBER_BYTES_MAX = 40;

/** Bytes of a cached timestamp: sign, 17 digits of seconds at most, point and three digits. */
const TIMESTAMP_BYTES = 24;

/** perf: for fewer samples calling the kernel takes longer than what it saves. */
const KERNEL_SAMPLES_MIN = 4;

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

const encoder = new TextEncoder();

/** An output in pieces. Not reusable: {@link finish} gives the pieces away. */
export class JsonPieces {
  readonly #pieces: Uint8Array[] = [];
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(PIECE_BYTES);
  #pos = 0;
  /** The timestamp encoded at each position of a series, and its text. */
  #stepTimes = new Float64Array(0);
  #stepTexts = new Uint8Array(0);
  readonly #twin: boolean;

  /** `twin` writes samples without the kernel: for tests and for comparing speed. */
  constructor(options: { twin?: boolean } = {}) {
    this.#twin = options.twin === true;
  }

  /** Writes text that is JSON already. It must be ASCII. */
  raw(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let pos = this.#pos;
    for (let i = 0; i < text.length; i++) bytes[pos++] = text.charCodeAt(i);
    this.#pos = pos;
  }

  /** Writes text that is JSON already. perf: the library writes what is long. */
  text(text: string): void {
    const most = text.length * UTF8_BYTES_MAX;
    this.#reserve(most <= PIECE_BYTES ? most : Buffer.byteLength(text));
    this.#pos += encoder.encodeInto(text, this.#bytes.subarray(this.#pos)).written;
  }

  /** Writes a string in quotes. */
  string(text: string): void {
    this.text(JSON.stringify(text));
  }

  /** Writes a float as Prometheus does: quoted, shortest digits, an exponent below 1e-6 and from 1e21 on. */
  float(value: number): void {
    this.#reserve(NUMBER_BYTES_MAX);
    const bytes = this.#bytes;
    bytes[this.#pos++] = QUOTE;
    // -0 prints as "-0", which the integer path cannot see.
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#integer(value);
    else this.#fraction(value);
    bytes[this.#pos++] = QUOTE;
  }

  /** Writes a timestamp in ms as seconds. */
  timestamp(ms: number): void {
    assert(Number.isSafeInteger(ms), 'timestamps are whole milliseconds');
    this.#reserve(NUMBER_BYTES_MAX);
    const size = Math.abs(ms);
    const fraction = size % 1000;
    if (ms < 0) this.#bytes[this.#pos++] = MINUS;
    this.#integer((size - fraction) / 1000);
    if (fraction === 0) return;
    const bytes = this.#bytes;
    bytes[this.#pos++] = POINT;
    bytes[this.#pos++] = ZERO + Math.floor(fraction / 100);
    bytes[this.#pos++] = ZERO + (Math.floor(fraction / 10) % 10);
    bytes[this.#pos++] = ZERO + (fraction % 10);
  }

  /** Writes `[t,"v"],[t,"v"],…` for the samples from..to (exclusive). Fast when series share their timestamps. */
  samples(t: Float64Array, v: Float64Array, from: number, to: number): void {
    const length = to - from;
    const kernel = this.#twin || length < KERNEL_SAMPLES_MIN ? undefined : samplesKernel();
    if (kernel !== undefined) {
      this.#samplesByKernel(kernel, t, v, from, to);
      return;
    }
    if (this.#stepTimes.length < Math.min(length, STEPS_MAX)) this.#growSteps(length);
    for (let i = 0; i < length; i++) {
      this.raw(i === 0 ? '[' : ',[');
      this.#step(i, t[from + i] as number);
      this.raw(',');
      this.float(v[from + i] as number);
      this.raw(']');
    }
  }

  #samplesByKernel(
    kernel: SamplesKernel,
    t: Float64Array,
    v: Float64Array,
    from: number,
    to: number,
  ): void {
    for (let start = from; start < to; start += SAMPLES_BATCH) {
      if (start > from) this.raw(',');
      this.#append(kernel.write(t, v, start, Math.min(to, start + SAMPLES_BATCH), start - from));
    }
  }

  /** Copies bytes, to this piece and the next if need be. */
  #append(from: Uint8Array): void {
    const here = Math.min(from.length, this.#bytes.length - this.#pos);
    this.#bytes.set(from.subarray(0, here), this.#pos);
    this.#pos += here;
    if (here === from.length) return;
    this.#reserve(from.length - here);
    this.#bytes.set(from.subarray(here), this.#pos);
    this.#pos += from.length - here;
  }

  /** The pieces, each at most 64 KiB except around longer strings. */
  finish(): Uint8Array[] {
    this.#cut(0);
    return this.#pieces;
  }

  /** A timestamp at a position of a series: copied when the series before had the same one there. */
  #step(i: number, ms: number): void {
    if (i >= this.#stepTimes.length) {
      this.timestamp(ms);
      return;
    }
    const at = i * TIMESTAMP_BYTES;
    const texts = this.#stepTexts;
    if (this.#stepTimes[i] === ms) {
      this.#copy(texts, at + 1, texts[at] as number);
      return;
    }
    this.#reserve(NUMBER_BYTES_MAX);
    const from = this.#pos;
    this.timestamp(ms);
    const n = this.#pos - from;
    if (n >= TIMESTAMP_BYTES) return;
    this.#stepTimes[i] = ms;
    texts[at] = n;
    texts.set(this.#bytes.subarray(from, this.#pos), at + 1);
  }

  #growSteps(length: number): void {
    const steps = Math.min(length, STEPS_MAX);
    const times = new Float64Array(steps).fill(NaN);
    times.set(this.#stepTimes);
    const texts = new Uint8Array(steps * TIMESTAMP_BYTES);
    texts.set(this.#stepTexts);
    this.#stepTimes = times;
    this.#stepTexts = texts;
  }

  /** Writes the decimal digits of a safe integer; room is reserved. */
  #integer(value: number): void {
    const bytes = this.#bytes;
    let rest = value;
    if (rest < 0) {
      bytes[this.#pos++] = MINUS;
      rest = -rest;
    }
    let digits = 1;
    for (let limit = 10; rest >= limit; limit *= 10) digits++;
    const end = this.#pos + digits;
    let pos = end;
    // Above 2^31 the remainder is a float division; below it V8 divides integers.
    while (rest > 0x7fffffff) {
      const next = Math.floor(rest / 10);
      bytes[--pos] = ZERO + (rest - next * 10);
      rest = next;
    }
    let small = rest | 0;
    do {
      const next = (small / 10) | 0;
      bytes[--pos] = ZERO + (small - next * 10);
      small = next;
    } while (pos > end - digits);
    this.#pos = end;
  }

  /** Writes what is not a safe integer; room is reserved. */
  #fraction(value: number): void {
    const text = floatText(value);
    const bytes = this.#bytes;
    let pos = this.#pos;
    for (let i = 0; i < text.length; i++) bytes[pos++] = text.charCodeAt(i);
    this.#pos = pos;
  }

  #copy(from: Uint8Array, at: number, length: number): void {
    this.#reserve(length);
    const bytes = this.#bytes;
    const pos = this.#pos;
    for (let i = 0; i < length; i++) bytes[pos + i] = from[at + i] as number;
    this.#pos = pos + length;
  }

  #reserve(length: number): void {
    if (this.#pos + length > this.#bytes.length) this.#cut(length);
  }

  /** Ends the current piece and begins one with room for so many bytes. */
  #cut(length: number): void {
    if (this.#pos > 0) this.#pieces.push(this.#bytes.subarray(0, this.#pos));
    // What is not written is not given away, so it need not be cleared.
    const { buffer } = Buffer.allocUnsafeSlow(length === 0 ? 0 : Math.max(PIECE_BYTES, length));
    this.#bytes = new Uint8Array(buffer);
    this.#pos = 0;
  }
}

/** A float in Go's notation, without quotes. JavaScript agrees but for the names and two-digit exponents. */
export function floatText(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const at = text.indexOf('e');
  return at > 0 && text.length === at + 3 ? `${text.slice(0, -1)}0${text.at(-1)}` : text;
}
