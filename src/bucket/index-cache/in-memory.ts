/**
 * The index cache in this process' memory. Behaviour: thanos pkg/store/cache/inmemory.go: items are not replaced, since
 * what a block holds never changes; the least recently used leave first.
 */
import type { FetchOptions } from '../../cache/cache.ts';
import type { InMemoryConfig } from '../../cache/in-memory-config.ts';
import { type PackedKey, PackedValues } from '../../cache/packed-values.ts';
import { must } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Counter, Gauge } from '../../lib/metrics.ts';
import type { Matcher } from '../../model/matcher.ts';
import { type PostingsLabel, matchersText, sortMatchers } from './cache-keys.ts';
import {
  type Found,
  INDEX_ITEMS,
  type IndexCache,
  type IndexItem,
  type IndexScope,
} from './index-cache.ts';
import type { IndexCacheMetrics, InMemoryIndexMetrics } from './metrics.ts';

/** compat: the sizes of Go's ULID and slice headers, which are part of what metrics say. */
const ULID_BYTES = 16;
const HEADER_BYTES = 16;

/** limit: what fits into a number without loss: references below 64 GiB of so many blocks. */
const REFS_MAX = 2 ** 36;
const BLOCKS_MAX = 2 ** 17;

/** A key here, and its size as Go counts it. */
interface Key {
  readonly type: IndexItem;
  readonly key: PackedKey;
  readonly bytes: number;
}

/** The metrics of one type, found once. */
interface TypeMetrics {
  readonly evicted: Counter;
  readonly added: Counter;
  readonly overflowed: Counter;
  readonly items: Gauge;
  readonly itemsSize: Gauge;
  readonly totalSize: Gauge;
}

function typeMetrics(metrics: InMemoryIndexMetrics, type: IndexItem): TypeMetrics {
  return {
    evicted: metrics.evicted.with(type),
    added: metrics.added.with(type),
    overflowed: metrics.overflowed.with(type),
    items: metrics.items.with(type),
    itemsSize: metrics.itemsSize.with(type),
    totalSize: metrics.totalSize.with(type),
  };
}

/** What the cache takes. */
export interface InMemoryIndexDeps {
  readonly metrics: IndexCacheMetrics;
  readonly ownMetrics: InMemoryIndexMetrics;
  readonly clock: Clock;
}

/** Answers within the turn in which it is asked; the signal has no time to fire. */
export class InMemoryIndexCache implements IndexCache {
  readonly #config: InMemoryConfig;
  readonly #deps: InMemoryIndexDeps;
  /** Tagged with the size of the key, as Go counts it, times the number of types, and the type. */
  #items: PackedValues;
  readonly #byType: readonly TypeMetrics[];
  /** Of all blocks that were met; they are no more than a bucket has, and 100 bytes each. */
  readonly #blockNumbers = new Map<string, number>();

  constructor(config: InMemoryConfig, deps: InMemoryIndexDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#byType = INDEX_ITEMS.map((type) => typeMetrics(deps.ownMetrics, type));
    this.#items = new PackedValues(config.bytesMax, ({ tag, valueBytes }) => {
      const { evicted, items, itemsSize, totalSize } = this.#metricsOf(tag % INDEX_ITEMS.length);
      const size = valueBytes + HEADER_BYTES;
      evicted.inc();
      items.dec();
      itemsSize.dec(size);
      totalSize.dec(size + Math.floor(tag / INDEX_ITEMS.length));
    });
    deps.ownMetrics.maxSize.set(config.bytesMax);
    deps.ownMetrics.maxItemSize.set(config.itemBytesMax);
  }

  storePostings(scope: IndexScope, label: PostingsLabel, value: Uint8Array): void {
    this.#set(scope, postingsItem(scope.block, label), value);
  }

  fetchPostings(
    scope: IndexScope,
    labels: readonly PostingsLabel[],
    options?: FetchOptions,
  ): Promise<Found> {
    return this.#fetch(
      scope,
      'Postings',
      labels.length,
      options,
      (i) => postingsItem(scope.block, labels[i] as PostingsLabel).key,
    );
  }

  storeExpandedPostings(scope: IndexScope, matchers: readonly Matcher[], value: Uint8Array): void {
    this.#set(scope, expandedItem(scope.block, matchers), value);
  }

  async fetchExpandedPostings(
    scope: IndexScope,
    matchers: readonly Matcher[],
    options?: FetchOptions,
  ): Promise<Uint8Array | undefined> {
    const key = (): PackedKey => expandedItem(scope.block, matchers).key;
    const [found] = await this.#fetch(scope, 'ExpandedPostings', 1, options, key);
    return found;
  }

  storeSeries(scope: IndexScope, ref: number, value: Uint8Array): void {
    const key = this.#seriesKey(scope.block, ref);
    this.#set(scope, { type: 'Series', key, bytes: ULID_BYTES + 8 }, value);
  }

  fetchSeries(scope: IndexScope, refs: ArrayLike<number>, options?: FetchOptions): Promise<Found> {
    return this.#fetch(scope, 'Series', refs.length, options, (i) =>
      this.#seriesKey(scope.block, refs[i] as number),
    );
  }

  /** perf: a number for each block that was met, above the reference, is a key that is found in half the time of a text. */
  #seriesKey(block: string, ref: number): PackedKey {
    let number = this.#blockNumbers.get(block);
    if (number === undefined) {
      number = this.#blockNumbers.size;
      this.#blockNumbers.set(block, number);
    }
    if (number < BLOCKS_MAX && ref < REFS_MAX) return number * REFS_MAX + ref;
    return `S:${block}:${ref}`;
  }

  #fetch(
    { tenant }: IndexScope,
    type: IndexItem,
    count: number,
    options: FetchOptions | undefined,
    keyAt: (i: number) => PackedKey,
  ): Promise<Found> {
    const { metrics, clock } = this.#deps;
    const started = clock.monotonic();
    const found: (Uint8Array | undefined)[] = [];
    found.length = count;
    found.fill(undefined);
    if (options?.signal?.aborted === true) return Promise.resolve(found);
    let hits = 0;
    for (let i = 0; i < count; i++) {
      const item = this.#items.get(keyAt(i));
      if (item === undefined) continue;
      found[i] = item.bytes;
      hits++;
    }
    metrics.requests.with(type, tenant).inc(count);
    metrics.hits.with(type, tenant).inc(hits);
    metrics.fetchDuration.with(type, tenant).observe((clock.monotonic() - started) / 1000);
    return Promise.resolve(found);
  }

  #set({ tenant }: IndexScope, { type, key, bytes: keyBytes }: Key, value: Uint8Array): void {
    this.#deps.metrics.storedSize.with(type, tenant).observe(value.length);
    if (this.#items.has(key)) return;
    const index = INDEX_ITEMS.indexOf(type);
    const metrics = this.#metricsOf(index);
    const size = value.length + HEADER_BYTES;
    if (size > this.#config.itemBytesMax || !this.#items.fits(key, value.length)) {
      metrics.overflowed.inc();
      return;
    }
    this.#items.set(key, value, keyBytes * INDEX_ITEMS.length + index);
    metrics.added.inc();
    metrics.items.inc();
    metrics.itemsSize.inc(size);
    metrics.totalSize.inc(size + keyBytes);
  }

  #metricsOf(index: number): TypeMetrics {
    return must(this.#byType[index], 'a tag names a type');
  }

  close(): Promise<void> {
    this.#items = new PackedValues(0, () => undefined);
    return Promise.resolve();
  }
}

function postingsItem(block: string, { name, value }: PostingsLabel): Key {
  const bytes = ULID_BYTES + 2 * HEADER_BYTES + Buffer.byteLength(name) + Buffer.byteLength(value);
  // The length of the name keeps a:bc apart from ab:c.
  return { type: 'Postings', key: `P:${block}:${name.length}:${name}${value}`, bytes };
}

function expandedItem(block: string, matchers: readonly Matcher[]): Key {
  const text = matchersText(sortMatchers(matchers));
  const bytes = ULID_BYTES + HEADER_BYTES + Buffer.byteLength(text);
  return { type: 'ExpandedPostings', key: `EP:${block}:${text}`, bytes };
}
