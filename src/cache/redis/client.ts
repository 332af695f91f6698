/**
 * A client of redis. Behaviour: thanos pkg/cacheutil/redis_client.go; there, storing several values keeps the caller
 * waiting, and batches and the concurrency of reads are configured but not heeded.
 */
import type { ConnectionOptions } from 'node:tls';
import { orAbort } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { AsyncQueue } from '../async-queue.ts';
import type { FetchOptions, RemoteClient } from '../cache.ts';
import { CircuitBreaker } from '../circuit-breaker.ts';
import { MeteredGate } from '../metered-gate.ts';
import type { QuietLog } from '../quiet-log.ts';
import { failureReason } from '../remote-error.ts';
import type { RedisConfig, RedisTlsConfig } from './config.ts';
import { RedisLink } from './link.ts';
import type { RedisMetrics, RedisOperation } from './metrics.ts';

/** Reads what a TLS configuration names. @throws CodedError bad_data when a file is missing or no PEM. */
export type LoadTls = (config: RedisTlsConfig) => Promise<ConnectionOptions>;

/** What a client takes. */
export interface RedisDeps {
  readonly log: QuietLog;
  readonly metrics: RedisMetrics;
  readonly clock: Clock;
  /** Asked at each connection, so that certificates may change. */
  readonly loadTls: LoadTls;
}

/** One client for one purpose. */
export class RedisClient implements RemoteClient {
  readonly #config: RedisConfig;
  readonly #deps: RedisDeps;
  readonly #link: RedisLink;
  readonly #getGate: MeteredGate;
  readonly #setGate: MeteredGate;
  readonly #writes: AsyncQueue;
  readonly #breaker: CircuitBreaker;

  private constructor(config: RedisConfig, deps: RedisDeps) {
    const { metrics, clock } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#link = new RedisLink(async (events) => {
      const tls = config.tls === undefined ? undefined : await deps.loadTls(config.tls);
      // The library takes a tenth of a second to load: only who has a redis pays.
      const { openBackend } = await import('./backend.ts');
      return openBackend(config, tls, events);
    }, clock);
    this.#getGate = new MeteredGate(config.maxGetMultiConcurrency, metrics.getGate, clock);
    this.#setGate = new MeteredGate(config.maxSetMultiConcurrency, metrics.setGate, clock);
    this.#writes = new AsyncQueue({
      itemsMax: config.maxAsyncBufferSize,
      concurrency: config.maxAsyncConcurrency,
    });
    this.#breaker = new CircuitBreaker(config.circuitBreaker, clock);
  }

  /**
   * Connects. When that fails, everything is a miss for now.
   * @throws CodedError bad_data when the files of a TLS configuration are no good.
   */
  static async open(config: RedisConfig, deps: RedisDeps): Promise<RedisClient> {
    if (config.tls !== undefined) await deps.loadTls(config.tls);
    const client = new RedisClient(config, deps);
    await client.#link.connect().catch((thrown: unknown) => {
      deps.log.warn('failed to connect to redis', thrown, { addr: config.addresses.join(',') });
    });
    return client;
  }

  async getMulti(
    keys: readonly string[],
    { signal }: FetchOptions = {},
  ): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    // Text that is not Unicode would share its bytes with other such text.
    const sound = keys.filter((key) => key.isWellFormed());
    if (sound.length === 0 || signal?.aborted === true) return found;
    const work = batches(sound, this.#config.getMultiBatchSize).map((batch) =>
      this.#getGate.run(signal, () => this.#getBatch(batch, found)),
    );
    try {
      await orAbort(Promise.allSettled(work), signal);
      return found;
    } catch {
      // Canceled: what is still to come goes into a map that nobody has.
      return new Map(found);
    }
  }

  /** Never rejects. */
  #getBatch(keys: readonly string[], found: Map<string, Uint8Array>): Promise<void> {
    const { prefix, readTimeoutMs } = this.#config;
    const names = prefix === '' ? keys : keys.map((key) => prefix + key);
    return this.#measure('getmulti', async () => {
      const values = await this.#link.use(readTimeoutMs, (backend) => backend.get(names));
      keys.forEach((key, i) => {
        const value = values[i];
        if (value instanceof Uint8Array) found.set(key, value);
      });
    });
  }

  setLater(key: string, value: Uint8Array, ttlMs: number): void {
    const write = (): Promise<void> =>
      this.#measure('set', () => this.#breaker.run(() => this.#set([[key, value]], ttlMs)));
    this.#enqueue('set', value.length, write);
  }

  setMany(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void {
    for (const batch of batches([...entries], this.#config.setMultiBatchSize)) {
      const bytes = batch.reduce((sum, [, value]) => sum + value.length, 0);
      const work = (): Promise<void> =>
        this.#measure('setmulti', () => this.#breaker.run(() => this.#set(batch, ttlMs)));
      this.#enqueue('setmulti', bytes, () => this.#setGate.run(undefined, work));
    }
  }

  #enqueue(operation: RedisOperation, bytes: number, work: () => Promise<void>): void {
    if (!this.#writes.add(bytes, work)) this.#deps.metrics.skipped(operation).inc();
  }

  async #set(batch: readonly (readonly [string, Uint8Array])[], ttlMs: number): Promise<void> {
    const { prefix, writeTimeoutMs } = this.#config;
    // Redis refuses 0, which is what less than a second would be.
    const seconds = Math.max(1, Math.floor(ttlMs / 1000));
    await this.#link.use(writeTimeoutMs, (backend) =>
      Promise.all(
        batch
          .filter(([key]) => key.isWellFormed())
          .map(([key, value]) => backend.set(prefix + key, asBuffer(value), seconds)),
      ),
    );
  }

  /** Never rejects. */
  async #measure(operation: RedisOperation, work: () => Promise<unknown>): Promise<void> {
    const { metrics, clock, log } = this.#deps;
    const started = clock.monotonic();
    try {
      await work();
    } catch (thrown) {
      metrics.failures(operation, failureReason(thrown)).inc();
      log.warn(FAILED[operation], thrown);
      return;
    }
    metrics.duration(operation).observe((clock.monotonic() - started) / 1000);
  }

  settled(): Promise<void> {
    return this.#writes.idle();
  }

  async close(): Promise<void> {
    const writes = this.#writes.close();
    await this.#link.close();
    await writes;
  }
}

const FAILED: Readonly<Record<RedisOperation, string>> = {
  set: 'failed to set item into redis',
  setmulti: 'failed to set multi items from redis',
  getmulti: 'failed to mget items from redis',
};

function batches<T>(items: readonly T[], size: number): (readonly T[])[] {
  if (size === 0 || items.length <= size) return [items];
  const result: T[][] = [];
  for (let at = 0; at < items.length; at += size) result.push(items.slice(at, at + size));
  return result;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
