/**
 * The kernel that writes samples as JSON, one a thread, with the tables that it reads.
 *
 *   memory   powers of ten | pairs of digits | steps | t[BATCH] v[BATCH] | out
 */
import { assert } from '../lib/assert.ts';
import { loadKernel, type JsonSamplesKernel } from '../kernels/load.ts';

/** perf: samples of one call: what they take stays in the cache of the core. */
export const SAMPLES_BATCH = 512;
/** limit: places of a series at which timestamps are kept for the next one: what a range query may return, and one. */
export const STEPS_MAX = 11_001;
/** As the kernel says. */
const SAMPLE_BYTES_MAX = 80;

/** The exponents of the powers that the shortest digits of a double need. */
const POWER_MIN = -292;
const POWER_MAX = 324;

const PAIRS = (POWER_MAX - POWER_MIN + 1) * 16;
const STEPS = PAIRS + 208;
/** As the kernel says. */
const STEP_BYTES = 40;
const T = STEPS + STEPS_MAX * STEP_BYTES;
const V = T + SAMPLES_BATCH * 8;
const OUT = V + SAMPLES_BATCH * 8;
const BYTES = OUT + SAMPLES_BATCH * SAMPLE_BYTES_MAX + 32;

/** The kernel of this thread; undefined when there is none. Made when it is first asked for: its tables take a millisecond. */
export function samplesKernel(): SamplesKernel | undefined {
  if (mine === 'not asked') mine = SamplesKernel.load();
  return mine;
}

let mine: SamplesKernel | undefined | 'not asked' = 'not asked';

/** A kernel over its memory. */
export class SamplesKernel {
  readonly #kernel: JsonSamplesKernel;
  readonly #t: Float64Array;
  readonly #v: Float64Array;
  readonly #bytes: Uint8Array;

  /** Undefined when it cannot be had. */
  static load(): SamplesKernel | undefined {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(BYTES / 65536) });
    const kernel = loadKernel('json-samples', memory);
    return kernel === undefined ? undefined : new SamplesKernel(kernel, memory);
  }

  private constructor(kernel: JsonSamplesKernel, { buffer }: WebAssembly.Memory) {
    this.#kernel = kernel;
    this.#t = new Float64Array(buffer, T, SAMPLES_BATCH);
    this.#v = new Float64Array(buffer, V, SAMPLES_BATCH);
    this.#bytes = new Uint8Array(buffer);
    // The times of all steps: none is like NaN.
    new Float64Array(buffer, STEPS, (STEPS_MAX * STEP_BYTES) / 8).fill(NaN);
    fillPowers(new BigUint64Array(buffer, 0, PAIRS / 8));
    for (let i = 0; i < 100; i++) {
      this.#bytes[PAIRS + i * 2] = 0x30 + Math.floor(i / 10);
      this.#bytes[PAIRS + i * 2 + 1] = 0x30 + (i % 10);
    }
  }

  /**
   * `[t,"v"],[t,"v"],…` of the samples from..to (exclusive), at most {@link SAMPLES_BATCH}, of which the first is the n-th of its
   * series; t are whole ms. Valid until the next call.
   */
  write(t: Float64Array, v: Float64Array, from: number, to: number, n: number): Uint8Array {
    this.#t.set(t.subarray(from, to));
    this.#v.set(v.subarray(from, to));
    const left = Math.max(0, STEPS_MAX - n);
    const steps = STEPS + n * STEP_BYTES;
    const end = this.#kernel.samples(T, V, to - from, OUT, 0, PAIRS, steps, left);
    assert(end > 0, 'timestamps are whole milliseconds');
    return this.#bytes.subarray(OUT, end);
  }
}

/**
 * Powers of ten as numbers of 128 bits, the highest of them set: 10^e / 2^r rounded down, and one. r is such that the powers of
 * two below 10^e are those that Schubfach's kernel takes for it.
 */
function fillPowers(powers: BigUint64Array): void {
  for (let e = POWER_MIN; e <= POWER_MAX; e++) {
    const shift = BigInt(Math.floor((e * 1741647) / 2 ** 19) - 127);
    const power = 10n ** BigInt(Math.abs(e));
    const scaled = e < 0 ? 2n ** -shift / power : shift > 0n ? power >> shift : power << -shift;
    const at = (e - POWER_MIN) * 2;
    powers[at] = (scaled + 1n) & 0xffff_ffff_ffff_ffffn;
    powers[at + 1] = (scaled + 1n) >> 64n;
  }
}
