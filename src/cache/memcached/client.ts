/**
 * A client of memcached servers. Keys go to servers as in Go, so that all programs of a fleet share what is stored.
 * Behaviour: thanos pkg/cacheutil/memcached_client.go; what is different there: a server that fails costs all keys of
 * a request, not its own alone.
 */
import { orAbort } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { AsyncQueue } from '../async-queue.ts';
import type { FetchOptions, RemoteClient } from '../cache.ts';
import { CircuitBreaker } from '../circuit-breaker.ts';
import type { Hashes } from '../hashes.ts';
import { loadHashes } from '../load-hashes.ts';
import { MeteredGate } from '../metered-gate.ts';
import type { QuietLog } from '../quiet-log.ts';
import { RemoteCacheError, failureReason } from '../remote-error.ts';
import { type ResolveAddresses, dnsResolver } from '../resolve-addresses.ts';
import type { MemcachedConfig } from './config.ts';
import type { MemcachedMetrics, MemcachedOperation } from './metrics.ts';
import { GetRequest, SetRequest, wireKey } from './requests.ts';
import { MemcachedServer } from './server.ts';
import { ServerList } from './server-list.ts';
import { ServerSelector } from './server-selector.ts';

/** What a client takes. */
export interface MemcachedDeps {
  readonly log: QuietLog;
  readonly metrics: MemcachedMetrics;
  readonly clock: Clock;
  readonly resolve?: ResolveAddresses | undefined;
}

/** One client for one purpose. Connections are opened when they are needed. */
export class MemcachedClient implements RemoteClient {
  readonly #config: MemcachedConfig;
  readonly #deps: MemcachedDeps;
  readonly #hashes: Hashes;
  readonly #list: ServerList;
  readonly #gate: MeteredGate;
  readonly #writes: AsyncQueue;
  readonly #breaker: CircuitBreaker;
  #selector: ServerSelector;
  #servers = new Map<string, MemcachedServer>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(config: MemcachedConfig, deps: MemcachedDeps, hashes: Hashes) {
    const { metrics, clock, log, resolve = dnsResolver() } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#hashes = hashes;
    this.#list = new ServerList(config, { resolve, metrics, log });
    this.#gate = new MeteredGate(config.maxGetMultiConcurrency, metrics.gate, clock);
    this.#writes = new AsyncQueue({
      itemsMax: config.maxAsyncBufferSize,
      concurrency: config.maxAsyncConcurrency,
    });
    this.#breaker = new CircuitBreaker(config.circuitBreaker, clock);
    this.#selector = new ServerSelector([], hashes);
  }

  /** Looks the servers up, again and again; when none is found yet, everything is a miss for now. */
  static async open(config: MemcachedConfig, deps: MemcachedDeps): Promise<MemcachedClient> {
    const client = new MemcachedClient(config, deps, await loadHashes());
    await client.refresh();
    client.#schedule();
    return client;
  }

  /** Looks the servers up now. Never rejects. */
  async refresh(): Promise<void> {
    await this.#list.refresh();
    if (this.#closed) return;
    const found = this.#list.servers;
    if (found.length === 0) {
      const nothing = new Error('no server address resolved');
      this.#deps.log.warn('failed update memcached servers list', nothing);
      return;
    }
    this.#selector = new ServerSelector(found, this.#hashes);
    const servers = new Map<string, MemcachedServer>();
    for (const address of found) servers.set(address, this.#serverAt(address));
    for (const [address, server] of this.#servers) if (!servers.has(address)) server.close();
    this.#servers = servers;
  }

  #serverAt(address: string): MemcachedServer {
    const { timeoutMs, maxIdleConnections: connectionsMax } = this.#config;
    const options = { timeoutMs, connectionsMax, clock: this.#deps.clock };
    return this.#servers.get(address) ?? new MemcachedServer(address, options);
  }

  #schedule(): void {
    const again = (): void => void this.refresh().then(() => this.#schedule());
    if (this.#closed) return;
    this.#timer = setTimeout(again, this.#config.dnsUpdateIntervalMs);
    this.#timer.unref();
  }

  async getMulti(
    keys: readonly string[],
    { signal }: FetchOptions = {},
  ): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    if (keys.length === 0 || this.#closed || isAborted(signal)) return found;
    const work = this.#batches(keys).map((batch) =>
      this.#gate.run(signal, () => this.#getBatch(batch, found)),
    );
    // Canceled: the answers that still come are read, so that the connections stay of use, and dropped.
    const outcomes = orAbort(Promise.allSettled(work), signal);
    await outcomes.catch(() => undefined);
    return isAborted(signal) ? new Map(found) : found;
  }

  /** Keys of one server lie side by side, so that a batch needs few servers. */
  #batches(keys: readonly string[]): (readonly string[])[] {
    const size = this.#config.maxGetMultiBatchSize;
    if (size === 0 || keys.length <= size) return [keys];
    const sorted = [...this.#selector.group(keys).values()].flat();
    const batches: string[][] = [];
    for (let at = 0; at < sorted.length; at += size) batches.push(sorted.slice(at, at + size));
    return batches;
  }

  /** Never rejects. */
  async #getBatch(keys: readonly string[], found: Map<string, Uint8Array>): Promise<void> {
    const { metrics, clock } = this.#deps;
    const started = clock.monotonic();
    metrics.operations('getmulti').inc();
    const groups = this.#selector.group(keys);
    if (groups.size === 0) this.#fail('getmulti', noServer());
    let bytes = 0;
    const answers = [...groups].map(async ([address, group]) => {
      for (const [key, value] of await this.#getFrom(address, group)) {
        found.set(key, value);
        bytes += value.length;
      }
    });
    let failed = groups.size === 0;
    for (const answer of await Promise.allSettled(answers)) {
      if (answer.status === 'fulfilled') continue;
      failed = true;
      this.#fail('getmulti', answer.reason);
    }
    if (failed) return;
    metrics.dataSize('getmulti').observe(bytes);
    metrics.duration('getmulti').observe((clock.monotonic() - started) / 1000);
  }

  async #getFrom(address: string, keys: readonly string[]): Promise<Map<string, Uint8Array>> {
    const wires = new Map<string, string>();
    for (const key of keys) {
      const wire = wireKey(key);
      if (wire !== undefined) wires.set(wire, key);
    }
    if (wires.size < new Set(keys).size) this.#fail('getmulti', malformedKey());
    const server = this.#servers.get(address);
    if (wires.size === 0 || server === undefined) return new Map();
    const request = new GetRequest(wires);
    server.send(request);
    return request.result;
  }

  setLater(key: string, value: Uint8Array, ttlMs: number): void {
    const { itemBytesMax } = this.#config;
    const { metrics } = this.#deps;
    if (itemBytesMax > 0 && value.length > itemBytesMax) {
      metrics.skipped('max-item-size').inc();
      return;
    }
    if (this.#closed) return;
    if (this.#writes.add(value.length, () => this.#set(key, value, ttlMs))) return;
    metrics.skipped('async-buffer-full').inc();
  }

  setMany(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void {
    for (const [key, value] of entries) this.setLater(key, value, ttlMs);
  }

  /** Never rejects. */
  async #set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const { metrics, clock } = this.#deps;
    const started = clock.monotonic();
    metrics.operations('set').inc();
    try {
      await this.#breaker.run(() => this.#send(key, value, ttlMs));
    } catch (thrown) {
      this.#fail('set', thrown);
      return;
    }
    metrics.dataSize('set').observe(value.length);
    metrics.duration('set').observe((clock.monotonic() - started) / 1000);
  }

  async #send(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const wire = wireKey(key);
    if (wire === undefined) throw malformedKey();
    const server = this.#servers.get(this.#selector.pick(key) ?? '');
    if (server === undefined) throw noServer();
    // compat: a time, not a duration, as Go has it; memcached takes small numbers for durations.
    const expiration = Math.floor((this.#deps.clock.now() + ttlMs) / 1000);
    const request = new SetRequest({ wireKey: wire, value, expiration });
    server.send(request);
    await request.result;
  }

  #fail(operation: MemcachedOperation, thrown: unknown): void {
    this.#deps.metrics.failures(operation, failureReason(thrown)).inc();
    const what = operation === 'set' ? 'failed to store item to memcached' : FETCH_FAILED;
    this.#deps.log.warn(what, thrown);
  }

  settled(): Promise<void> {
    return this.#writes.idle();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const writes = this.#writes.close();
    for (const server of this.#servers.values()) server.close();
    await writes;
  }
}

const FETCH_FAILED = 'failed to fetch items from memcached';

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function malformedKey(): RemoteCacheError {
  return new RemoteCacheError('malformed-key', 'a key is too long or holds invalid characters');
}

function noServer(): RemoteCacheError {
  return new RemoteCacheError('other', 'no server address resolved');
}
