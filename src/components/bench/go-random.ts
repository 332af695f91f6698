/**
 * The numbers of Go's math/rand.New(rand.NewSource(seed)), so that a plan gives the same samples as with Go's
 * thanosbench. It is a lagged Fibonacci generator: each word is the sum, modulo 2^64, of those 607 and 273 before it.
 *
 * A seed fills the 607 words from a small congruential generator, each XORed with a fixed word. Those fixed words are
 * the state of the same generator, started from seed 1 with narrower words, after 7.8e12 steps (Go's
 * math/rand/gen_cooked.go says so). They are computed here instead of listed: jumping that far ahead is raising x to
 * the 7.8e12th power modulo x^607 - x^334 - 1, 43 squarings of a polynomial, some 40 ms.
 */

const LENGTH = 607;
const TAP = 273;

/** What the generator's first position for sums is: it runs downwards from here. */
const FEED = LENGTH - TAP;

/** The modulus of the congruential generator that expands seeds, and what a seed of 0 stands for. */
const SEED_MODULUS = 2147483647;
const SEED_ZERO = 89482311;

/** How far the fixed words lie behind their start. */
const COOKED_STEPS = 7_800_000_000_000n;

/** Pseudo-random numbers of one seed after the other; make one and reseed it, for it is 5 KB. */
export class GoRandom {
  readonly #cooked = cookedWords();
  readonly #low = new Int32Array(LENGTH);
  readonly #high = new Int32Array(LENGTH);
  readonly #raw = new Int32Array(3 * LENGTH);
  #tap = 0;
  #feed = FEED;

  /** Starts over from the low 64 bits of a seed, taken as a signed number like Go's int64. */
  seed(seed: bigint): void {
    this.#tap = 0;
    this.#feed = FEED;
    const raw = this.#raw;
    expandSeed(seedOf(seed), raw);
    const { low, high } = this.#cooked;
    for (let i = 0; i < LENGTH; i++) {
      // a << 40 ^ b << 20 ^ c, in halves.
      const b = raw[3 * i + 1] as number;
      this.#low[i] = (b << 20) ^ (raw[3 * i + 2] as number) ^ (low[i] as number);
      this.#high[i] = ((raw[3 * i] as number) << 8) ^ (b >>> 12) ^ (high[i] as number);
    }
  }

  /** A number in [0, 1): 63 bits of the next word, rounded to a double. */
  float(): number {
    for (;;) {
      this.#tap = this.#tap === 0 ? LENGTH - 1 : this.#tap - 1;
      this.#feed = this.#feed === 0 ? LENGTH - 1 : this.#feed - 1;
      const feed = this.#feed;
      const tap = this.#tap;
      const low = ((this.#low[feed] as number) >>> 0) + ((this.#low[tap] as number) >>> 0);
      const carry = low >= 4294967296 ? 1 : 0;
      const high = ((this.#high[feed] as number) + (this.#high[tap] as number) + carry) | 0;
      this.#low[feed] = low | 0;
      this.#high[feed] = high;
      // One addition, so one rounding, as Go's conversion of an int64.
      const value = ((high & 0x7fffffff) * 4294967296 + (low >>> 0)) / 9223372036854775808;
      if (value !== 1) return value;
    }
  }
}

/** A seed reduced as Go reduces it. */
function seedOf(seed: bigint): number {
  const modulus = BigInt(SEED_MODULUS);
  const rest = Number(BigInt.asIntN(64, seed) % modulus);
  if (rest === 0) return SEED_ZERO;
  return rest < 0 ? rest + SEED_MODULUS : rest;
}

/** Fills an array from the congruential generator x = 48271 x modulo 2^31 - 1, behind twenty numbers that are dropped. */
function expandSeed(seed: number, out: Int32Array): void {
  let x = seed;
  for (let i = -20; i < out.length; i++) {
    // perf: Schrage's way around 64-bit products, 44488 = modulus / 48271; % on doubles takes four times as long.
    const high = (x / 44488) | 0;
    const low = (x - Math.imul(high, 44488)) | 0;
    x = (Math.imul(48271, low) - Math.imul(3399, high)) | 0;
    if (x < 0) x = (x + SEED_MODULUS) | 0;
    if (i >= 0) out[i] = x;
  }
}

/** The fixed words in halves, by position. */
interface CookedWords {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

let cooked: CookedWords | undefined;

function cookedWords(): CookedWords {
  cooked ??= jumpAhead();
  return cooked;
}

/**
 * Calls the value that step k writes s(k), and lets s(-607) … s(-1) be the words that are there at the start: then
 * s(k) = s(k - 607) + s(k - 273), and any s(n - 607) is the sum of r(i) * s(i - 607) with r = x^n modulo the
 * characteristic polynomial. Step k writes to position 333 - k modulo 607.
 */
function jumpAhead(): CookedWords {
  const position = (k: number): number => (((FEED - 1 - k) % LENGTH) + LENGTH) % LENGTH;
  const start = new BigUint64Array(LENGTH);
  const raw = new Int32Array(3 * LENGTH);
  expandSeed(1, raw);
  for (let i = 0; i < LENGTH; i++) {
    const [a, b, c] = raw.subarray(3 * i, 3 * i + 3);
    start[i] = (BigInt(a ?? 0) << 20n) ^ (BigInt(b ?? 0) << 10n) ^ BigInt(c ?? 0);
  }
  // s(-607) … s(605), so that each sum below has its 607 words.
  const s = new BigUint64Array(2 * LENGTH - 1);
  for (let i = 0; i < LENGTH; i++) s[i] = start[position(i - LENGTH)] as bigint;
  for (let i = LENGTH; i < s.length; i++) {
    s[i] = (s[i - LENGTH] as bigint) + (s[i - TAP] as bigint);
  }
  // The sums for all n at once are one product: of s and of r backwards.
  const sums = multiply(s, powerOfX(COOKED_STEPS).toReversed());
  const low = new Int32Array(LENGTH);
  const high = new Int32Array(LENGTH);
  for (let j = 0; j < LENGTH; j++) {
    const word = sums[LENGTH - 1 + j] as bigint;
    const at = position(Number(COOKED_STEPS % BigInt(LENGTH)) + j);
    low[at] = Number(BigInt.asIntN(32, word));
    high[at] = Number(BigInt.asIntN(32, word >> 32n));
  }
  return { low, high };
}

/** x to the nth power modulo x^607 - x^334 - 1, coefficients modulo 2^64, lowest first. */
function powerOfX(n: bigint): BigUint64Array {
  let power = new BigUint64Array(LENGTH);
  power[0] = 1n;
  for (const bit of n.toString(2)) {
    power = reduce(multiply(power, power));
    if (bit === '1') {
      const shifted = new BigUint64Array(LENGTH + 1);
      shifted.set(power, 1);
      power = reduce(shifted);
    }
  }
  return power;
}

/** Replaces x^i by x^(i - 607) + x^(i - 273) from the top down. */
function reduce(coefficients: BigUint64Array): BigUint64Array<ArrayBuffer> {
  for (let i = coefficients.length - 1; i >= LENGTH; i--) {
    const c = coefficients[i] as bigint;
    coefficients[i - LENGTH] = (coefficients[i - LENGTH] as bigint) + c;
    coefficients[i - TAP] = (coefficients[i - TAP] as bigint) + c;
  }
  return coefficients.slice(0, LENGTH);
}

/** Hex digits of a coefficient in a packed product: 607 products of two 64-bit numbers stay below 2^138. */
const SLOT = 36;

/** The product of two polynomials: both are packed into one long number each, for those the engine multiplies fast. */
function multiply(a: BigUint64Array, b: BigUint64Array): BigUint64Array {
  const product = (pack(a) * pack(b)).toString(16);
  const out = new BigUint64Array(a.length + b.length - 1);
  for (let i = 0; i < out.length; i++) {
    const end = product.length - i * SLOT;
    // The low 16 digits of a slot are the coefficient modulo 2^64.
    const digits = end <= 0 ? '' : product.slice(Math.max(0, end - 16), end);
    out[i] = BigInt(`0x0${digits}`);
  }
  return out;
}

function pack(coefficients: BigUint64Array): bigint {
  let digits = '';
  for (let i = coefficients.length - 1; i >= 0; i--) {
    digits += (coefficients[i] as bigint).toString(16).padStart(SLOT, '0');
  }
  return BigInt(`0x${digits}`);
}
