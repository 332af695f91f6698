/**
 * A cache as the rest of the program sees it: bytes by key, at best effort. What is slow, down or answers garbage is a
 * miss; it is counted and logged where it happens, and never an error for whoever asks. Model: thanos
 * pkg/cache/cache.go. Every implementation passes test/support/cache-acceptance.ts.
 */

/** What a fetch takes. */
export interface FetchOptions {
  /** Ends the fetch soon, with what has been found so far. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes by key. Operations may run side by side without limit: those that cost something wait in line inside. */
export interface Cache {
  /** The name in logs and in the label `name` of metrics. */
  readonly name: string;

  /**
   * What is there, by key. Never rejects. Values must not be changed; they may share memory with each other, so
   * whoever keeps one for long copies it.
   */
  fetch(keys: readonly string[], options?: FetchOptions): Promise<Map<string, Uint8Array>>;

  /**
   * Puts values in, in place of those of the same keys, some time later or not at all: what finds its queue full is
   * dropped and counted. The cache may hold on to the bytes; they must not change. No bytes of shared memory.
   */
  store(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void;

  /** Resolves when everything that was stored before has been written or dropped. */
  settled(): Promise<void>;

  /** Gives connections free; what waits to be written is dropped. Afterwards everything is a miss. */
  close(): Promise<void>;
}

/** Why an operation on a cache server failed: the values of the label `reason`. */
export type CacheFailure = 'timeout' | 'malformed-key' | 'server-error' | 'network-error' | 'other';

/**
 * A client of cache servers, for those that count hits themselves. The contracts of its methods are those of
 * {@link Cache}. Model: thanos pkg/cacheutil (RemoteCacheClient).
 */
export interface RemoteClient {
  getMulti(keys: readonly string[], options?: FetchOptions): Promise<Map<string, Uint8Array>>;
  /** Puts one value into the queue of writes. */
  setLater(key: string, value: Uint8Array, ttlMs: number): void;
  /** Puts values in as fast as the servers take them. */
  setMany(entries: ReadonlyMap<string, Uint8Array>, ttlMs: number): void;
  settled(): Promise<void>;
  close(): Promise<void>;
}
