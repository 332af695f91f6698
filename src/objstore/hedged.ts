/**
 * Reads that take longer than most are asked for a second time, and the first answer counts: a store of many machines
 * has slow ones. Thanos calls it hedging (github.com/cristalhq/hedgedhttp); here it is about getRange and about the
 * first byte of get, never about anything that writes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError } from '../lib/abort.ts';
import type { Clock } from '../lib/clock.ts';
import type { Bucket, ByteRange, ObjectStream, RangeOptions, RequestOptions } from './bucket.ts';
import { BucketWrapper } from './bucket-wrapper.ts';
import type { HedgingConfig } from './hedging-config.ts';

/** limit: so many last reads are the measure; fewer than the least are none. */
const [READS_MAX, READS_MIN] = [256, 20];

/** Wraps a bucket. */
export function hedgedBucket(bucket: Bucket, config: HedgingConfig, clock: Clock): Bucket {
  return config.upTo < 2 ? bucket : new HedgedBucket(bucket, config, clock);
}

class HedgedBucket extends BucketWrapper {
  readonly #config: HedgingConfig;
  readonly #clock: Clock;
  readonly #latencies: LastLatencies;

  constructor(bucket: Bucket, config: HedgingConfig, clock: Clock) {
    super(bucket);
    this.#config = config;
    this.#clock = clock;
    this.#latencies = new LastLatencies(config.quantile);
  }

  override get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    return this.#hedge(
      options,
      (own) => this.inner.get(name, own),
      async (stream) => stream[Symbol.asyncDispose](),
    );
  }

  override getRange(
    name: string,
    range: ByteRange,
    options: RangeOptions = {},
  ): Promise<Uint8Array> {
    // One buffer must not be filled by several requests.
    const { into: _, ...rest } = options;
    return this.#hedge(
      rest,
      (own) => this.inner.getRange(name, range, own),
      () => Promise.resolve(),
    );
  }

  /** `lose` gives an answer free that came too late. */
  async #hedge<T>(
    options: RequestOptions,
    ask: (options: RequestOptions) => Promise<T>,
    lose: (late: T) => Promise<void>,
  ): Promise<T> {
    const waitMs = this.#latencies.quantile();
    if (waitMs === undefined) return this.#timed(() => ask(options));
    const race = new Race(options, ask, lose);
    return this.#timed(() => race.run(this.#config.upTo, waitMs));
  }

  /** Measures what succeeds: failures are fast or hopeless. */
  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const started = this.#clock.monotonic();
    const result = await work();
    this.#latencies.add(this.#clock.monotonic() - started);
    return result;
  }
}

/** The requests for one read. */
class Race<T> {
  readonly #options: RequestOptions;
  readonly #ask: (options: RequestOptions) => Promise<T>;
  readonly #lose: (late: T) => Promise<void>;
  readonly #runners: AbortController[] = [];
  readonly #outcome = Promise.withResolvers<T>();
  #isOver = false;
  #failed = 0;

  constructor(
    options: RequestOptions,
    ask: (options: RequestOptions) => Promise<T>,
    lose: (late: T) => Promise<void>,
  ) {
    this.#options = options;
    this.#ask = ask;
    this.#lose = lose;
  }

  /** The first answer, or the first error when there is none: what is missing or denied is so for all. */
  async run(upTo: number, waitMs: number): Promise<T> {
    const ending = new AbortController();
    const { signal } = this.#options;
    const onAbort = (): void => {
      if (signal !== undefined) this.#settle(() => this.#outcome.reject(abortError(signal)));
    };
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (let i = 0; i < upTo && !this.#isOver; i++) {
        this.#start();
        await Promise.race([
          this.#outcome.promise,
          sleep(waitMs, undefined, { signal: ending.signal }).catch(() => undefined),
        ]);
      }
      return await this.#outcome.promise;
    } finally {
      ending.abort();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #start(): void {
    const runner = new AbortController();
    this.#runners.push(runner);
    // The winner's signal goes on to hold for what it has opened.
    const { signal } = this.#options;
    const signals = signal === undefined ? [runner.signal] : [runner.signal, signal];
    this.#ask({ ...this.#options, signal: AbortSignal.any(signals) }).then(
      (answer) => {
        if (this.#isOver) void this.#lose(answer).catch(() => undefined);
        else this.#settle(() => this.#outcome.resolve(answer), runner);
      },
      (thrown: unknown) => {
        this.#failed++;
        // One that is slow may still bring it; that it is cut off is no outcome.
        if (!this.#isOver && this.#failed === this.#runners.length) {
          this.#settle(() => this.#outcome.reject(thrown));
        }
      },
    );
  }

  #settle(how: () => void, winner?: AbortController): void {
    if (this.#isOver) return;
    this.#isOver = true;
    how();
    for (const runner of this.#runners) if (runner !== winner) runner.abort();
  }
}

/** A ring of latencies with one quantile, which is computed anew every few reads. */
class LastLatencies {
  readonly #quantile: number;
  readonly #ring = new Float64Array(READS_MAX);
  #count = 0;
  #known: number | undefined;

  constructor(quantile: number) {
    this.#quantile = quantile;
  }

  /** Milliseconds. */
  add(latency: number): void {
    this.#ring[this.#count++ % READS_MAX] = latency;
    if (this.#count >= READS_MIN && this.#count % 16 === 0) this.#known = undefined;
  }

  /** Milliseconds; undefined as long as too little is known. */
  quantile(): number | undefined {
    if (this.#count < READS_MIN) return undefined;
    if (this.#known === undefined) {
      // tidy: bare-sort: typed array
      const sorted = this.#ring.slice(0, Math.min(this.#count, READS_MAX)).sort();
      this.#known = sorted[Math.floor(this.#quantile * (sorted.length - 1))];
    }
    return this.#known;
  }
}
