/**
 * The data of the benches, as docs/design/0001 fixes it: 15 s scrape with ±5 ms of jitter, counters that grow by a
 * random 0..99 and reset at 1e-4, gauges that are random doubles. Seeded, so runs compare.
 */
import { Random } from '../../src/lib/prng.ts';

/** Time of the first sample, ms. */
export const START_MS = 1_700_000_000_000;
/** Between samples, ms. */
export const SCRAPE_MS = 15_000;

/** A series of samples under way. */
export class SampleSource {
  readonly #random: Random;
  readonly #gauge: boolean;
  readonly #start: number;
  #value = 0;
  #tick = 0;
  t = 0;
  v = 0;

  constructor(seed: number, gauge: boolean, startMs = START_MS) {
    this.#random = new Random(seed);
    this.#start = startMs;
    this.#gauge = gauge;
  }

  /** Moves on to the next sample. */
  next(): void {
    const random = this.#random;
    this.t = this.#start + this.#tick++ * SCRAPE_MS + random.below(11) - 5;
    if (this.#gauge) this.v = random.float();
    else {
      this.#value = random.float() < 1e-4 ? 0 : this.#value + random.below(100);
      this.v = this.#value;
    }
  }
}
