/**
 * Work that nobody waits for: so much at once, so much in line, the rest is refused. Behaviour: thanos
 * pkg/cacheutil/async_op.go; there the line has no limit in bytes, and what is left is done before the end.
 */

/** limit: bytes of values in line; 10,000 values of 1 MiB would not fit. */
const BYTES_MAX = 256 * 1024 * 1024;

/** The size of a queue. */
export interface AsyncQueueLimits {
  /** How many may wait. */
  readonly itemsMax: number;
  /** How many are done at once. */
  readonly concurrency: number;
  readonly bytesMax?: number;
}

interface Waiting {
  readonly work: () => Promise<void>;
  readonly bytes: number;
}

/** A bounded queue. Work never rejects. */
export class AsyncQueue {
  readonly #limits: AsyncQueueLimits;
  #waiting: Waiting[] = [];
  /** Index of the first that waits: taking it out of a long array would move all others. */
  #head = 0;
  #bytes = 0;
  #running = 0;
  #closed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(limits: AsyncQueueLimits) {
    this.#limits = limits;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** Takes work that holds so many bytes until it is done; false when there is no room. */
  add(bytes: number, work: () => Promise<void>): boolean {
    if (this.#closed) return false;
    const { itemsMax, concurrency, bytesMax = BYTES_MAX } = this.#limits;
    if (this.#running < concurrency) {
      void this.#run(work);
      return true;
    }
    if (this.length >= itemsMax || this.#bytes + bytes > bytesMax) return false;
    this.#waiting.push({ work, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Drops what waits and refuses what comes; resolves when what runs has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting = [];
    this.#head = 0;
    this.#bytes = 0;
    await this.idle();
  }

  async #run(first: () => Promise<void>): Promise<void> {
    this.#running++;
    for (let work: (() => Promise<void>) | undefined = first; work !== undefined;) {
      await work();
      work = this.#next();
    }
    this.#running--;
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #next(): (() => Promise<void>) | undefined {
    const next = this.#waiting[this.#head];
    if (next === undefined) return undefined;
    this.#head++;
    this.#bytes -= next.bytes;
    if (this.#head === this.#waiting.length || this.#head > 1000) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return next.work;
  }
}
