/** A series of native histograms under way: a counter with 20 buckets in two spans, each growing by a random 0..9. */
import { Random } from '../../src/lib/prng.ts';
import { HistogramColumns, countBuckets } from '../../src/model/histogram.ts';
import type { HistogramLayout } from '../../src/model/histogram.ts';
import { SCRAPE_MS } from './series-data.ts';

const SPANS = Int32Array.of(-24, 12, 2, 8);
const LAYOUT: HistogramLayout = {
  schema: 2,
  // What Prometheus' client libraries have by default.
  zeroThreshold: 2 ** -128,
  positiveSpans: SPANS,
  negativeSpans: new Int32Array(0),
  customValues: new Float64Array(0),
  positiveCount: countBuckets(SPANS),
  negativeCount: 0,
};

/** Its columns hold the current sample alone. */
export class HistogramSource {
  readonly columns = new HistogramColumns();
  readonly #random: Random;
  readonly #start: number;
  readonly #buckets = new Float64Array(LAYOUT.positiveCount);
  #sum = 0;
  #tick = 0;
  t = 0;

  constructor(seed: number, startMs: number) {
    this.#random = new Random(seed);
    this.#start = startMs;
  }

  /** Moves on to the next sample. */
  next(): void {
    const random = this.#random;
    this.t = this.#start + this.#tick++ * SCRAPE_MS + random.below(11) - 5;
    if (random.float() < 1e-4) {
      this.#buckets.fill(0);
      this.#sum = 0;
    }
    for (let k = 0; k < this.#buckets.length; k++) {
      const seen = random.below(10);
      this.#buckets[k] = (this.#buckets[k] as number) + seen;
      this.#sum += seen * 2 ** ((k - 24) / 4);
    }
    const { columns } = this;
    columns.clear();
    const i = columns.add(LAYOUT);
    columns.t[i] = this.t;
    columns.sum[i] = this.#sum;
    columns.count[i] = this.#buckets.reduce((a, b) => a + b, 0);
    columns.buckets.set(this.#buckets, columns.start[i]);
  }
}
