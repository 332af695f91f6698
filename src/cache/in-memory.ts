/**
 * The cache in this process' memory. Behaviour: thanos pkg/cache/inmemory.go, except that a value replaces the one that
 * was there, as in memcached and redis.
 */
import type { Clock } from '../lib/clock.ts';
import type { Cache } from './cache.ts';
import type { InMemoryConfig } from './in-memory-config.ts';
import type { InMemoryMetrics } from './in-memory-metrics.ts';
import { PackedValues } from './packed-values.ts';

/** Values of the least recently used keys leave first; what has expired leaves when it is asked for. */
export class InMemoryCache implements Cache {
  readonly name: string;
  readonly #config: InMemoryConfig;
  readonly #metrics: InMemoryMetrics;
  readonly #clock: Clock;
  /** Tagged with the time when they expire, in ms of the wall clock. */
  #items: PackedValues;

  constructor(name: string, config: InMemoryConfig, metrics: InMemoryMetrics, clock: Clock) {
    this.name = name;
    this.#config = config;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#items = this.#makeItems();
    metrics.maxSize.set(config.bytesMax);
    metrics.maxItemSize.set(config.itemBytesMax);
  }

  #makeItems(): PackedValues {
    const { evicted, items, itemsSize, totalSize } = this.#metrics;
    return new PackedValues(this.#config.bytesMax, ({ valueBytes, keyLength, how }) => {
      if (how === 'gone') evicted.inc();
      items.dec();
      itemsSize.dec(valueBytes);
      totalSize.dec(valueBytes + keyLength);
    });
  }

  fetch(keys: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const key of keys) {
      const bytes = this.#get(key);
      if (bytes !== undefined) found.set(key, bytes);
    }
    return Promise.resolve(found);
  }

  #get(key: string): Uint8Array | undefined {
    this.#metrics.requests.inc();
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    if (this.#clock.now() > item.tag) {
      this.#metrics.hitsOnExpired.inc();
      this.#items.delete(key);
      return undefined;
    }
    this.#metrics.hits.inc();
    return item.bytes;
  }

  store(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void {
    const expires = this.#clock.now() + ttlMs;
    for (const [key, bytes] of entries) this.#set(key, bytes, expires);
  }

  #set(key: string, bytes: Uint8Array, expires: number): void {
    const metrics = this.#metrics;
    if (bytes.length > this.#config.itemBytesMax || !this.#items.fits(key, bytes.length)) {
      metrics.overflowed.inc();
      return;
    }
    this.#items.set(key, bytes, expires);
    metrics.added.inc();
    metrics.items.inc();
    metrics.itemsSize.inc(bytes.length);
    metrics.totalSize.inc(bytes.length + key.length);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#items = new PackedValues(0, () => undefined);
    for (const gauge of [this.#metrics.items, this.#metrics.itemsSize, this.#metrics.totalSize]) {
      gauge.set(0);
    }
    return Promise.resolve();
  }
}
