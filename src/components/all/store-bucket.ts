/**
 * The gateway part of `thanos all`: the blocks of the bucket that the shipper uploads to, kept in step with it. All of them are known, and
 * each call leaves out those that the local TSDB has at that moment, so that a block answers once on its way from here to there.
 */
import { BaseFetcher } from '../../bucket/fetch/base-fetcher.ts';
import { ConcurrentLister } from '../../bucket/fetch/concurrent-lister.ts';
import { FetchMetrics, registerBaseFetcherMetrics } from '../../bucket/fetch/fetch-metrics.ts';
import { deduplicate, ignoreDeletionMarks } from '../../bucket/fetch/filters.ts';
import { MetaFetcher } from '../../bucket/fetch/meta-fetcher.ts';
import { BufferPool } from '../../bucket/read/buffer-pool.ts';
import { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import { ByteBudget } from '../../bucket/read/limits.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import { Gate } from '../../lib/gate.ts';
import type { Logger } from '../../lib/log.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import { MAX_TIME, MIN_TIME } from '../../model/value.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { Repetition } from '../../ops/repeat.ts';
import { sleep } from '../../ops/sleep.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { BucketStore } from '../gateway/bucket-store.ts';
import { StoreMetrics } from '../gateway/store-metrics.ts';
import type { StoreCallOptions } from '../gateway/store-options.ts';

/** How often the bucket is looked at; also after each upload. */
const SYNC_INTERVAL_MS = 60_000;
/** Until the first look has come to its end, it is tried again after so long. */
const FIRST_RETRY_MS = 10_000;
const IDLE_CHECK_MS = 30_000;

/** As the flags of `thanos store` have it by default. */
const DEFAULTS = {
  blockConcurrency: 20,
  metaConcurrency: 32,
  headerSampling: 32,
  headerIdleMs: 300_000,
  ignoreDeletionMarksDelayMs: 86_400_000,
  estimates: { seriesBytes: 64 * 1024, chunkBytes: 16_000 },
  maxConcurrent: 20,
  batchSize: 10_000,
  chunkPoolBytes: 2 * 1024 * 1024 * 1024,
} as const;
/** limit: buffers that are kept between calls. */
const POOLED_BYTES = 64 * 1024 * 1024;

/** What the gateway part is made of. */
export interface BucketPartOptions {
  /** Not closed here. */
  readonly bucket: Bucket;
  /** Where index-headers and copies of meta.json lie, as the data directory of `thanos store`; made if need be. */
  readonly dataDir: string;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The blocks of a bucket, and how calls read them. */
export class BucketPart {
  readonly store: BucketStore;
  readonly call: StoreCallOptions;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  readonly #rounds = new Repetition(SYNC_INTERVAL_MS, () => this.#round());
  readonly #idle = new Repetition(IDLE_CHECK_MS, () => this.store.closeIdleHeaders());
  readonly #looked = Promise.withResolvers<void>();
  #synced = false;
  #failure = '';
  /** The bucket may have changed since the look under way began. */
  #changed = false;

  constructor(options: BucketPartOptions) {
    const { bucket, clock } = options;
    const log = options.log.with({ component: 'store' });
    this.#log = log;
    const metrics = new StoreMetrics(options.metrics, DEFAULTS.maxConcurrent);
    const fetcher = newFetcher(options, log);
    this.store = new BucketStore({
      bucket,
      fetch: (signal) => fetcher.fetch(signal),
      dataDir: options.dataDir,
      syncConcurrency: DEFAULTS.blockConcurrency,
      headerSampling: DEFAULTS.headerSampling,
      // Most blocks are the local TSDB's own, and never asked for here.
      lazyHeaders: true,
      lazyDownload: true,
      headerIdleMs: DEFAULTS.headerIdleMs,
      estimates: DEFAULTS.estimates,
      metrics,
      clock,
      log,
    });
    this.call = {
      store: this.store,
      metrics,
      cache: undefined,
      framer: new ChunkFramer(),
      pool: new BufferPool(POOLED_BYTES),
      budget: new ByteBudget('chunk pool exhausted', DEFAULTS.chunkPoolBytes),
      gate: new Gate(DEFAULTS.maxConcurrent),
      limits: { series: 0, chunks: 0, bytes: 0 },
      lazy: { enabled: false, maxKeySeriesRatio: 0 },
      batchSize: DEFAULTS.batchSize,
      timeRange: () => ({ mint: MIN_TIME, maxt: MAX_TIME }),
      clock,
      log,
    };
  }

  /** Looks at the bucket now and then, until {@link stop}. */
  start(): void {
    this.#rounds.start();
    this.#idle.startLater();
  }

  /** Ends what is under way and closes files; the bucket stays open. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.#looked.resolve();
    await Promise.all([this.#rounds.stop(), this.#idle.stop()]);
    await this.store.close();
  }

  /** A block has come to the bucket. */
  nudge(): void {
    this.#changed = true;
    this.#rounds.nudge();
  }

  /** Resolves when the first look at the bucket has come to its end, whatever came of it: calls wait for it. */
  get looked(): Promise<void> {
    return this.#looked.promise;
  }

  /** What is missing from answers: a sentence, '' for nothing. */
  get missing(): string {
    if (this.#synced) return '';
    const why = this.#failure === '' ? 'is not listed yet' : `cannot be listed: ${this.#failure}`;
    return `the blocks of the bucket are missing: it ${why}`;
  }

  /** Whether what a warning says is missing, a block by its ULID, is here. */
  fills(warning: string): boolean {
    for (const { ulid } of this.store.blocks) if (warning.includes(ulid)) return true;
    return false;
  }

  /** Whether the samples of a local block are served from here: by the block itself, or by one that was compacted from it. */
  serves({ ulid, compaction }: BlockMeta): boolean {
    const own = compaction.sources ?? [ulid];
    for (const { ulid: loaded, meta } of this.store.blocks) {
      if (loaded === ulid) return true;
      const sources = new Set(meta.compaction.sources ?? []);
      if (own.every((source) => sources.has(source))) return true;
    }
    return false;
  }

  /** Looks at the bucket once. @throws CodedError when it cannot be listed, or only in part. */
  async sync(signal?: AbortSignal): Promise<void> {
    this.#changed = false;
    try {
      await (this.#synced ? this.store.sync(signal) : this.store.initialSync(signal));
      this.#synced = true;
    } catch (thrown) {
      this.#failure = errorText(thrown);
      throw thrown;
    } finally {
      this.#looked.resolve();
    }
  }

  async #round(): Promise<void> {
    const { signal } = this.#ending;
    do {
      try {
        await this.sync(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#log.warn('syncing blocks failed', { err: errorText(thrown) });
        if (this.#synced) return;
        await sleep(FIRST_RETRY_MS, signal).catch(() => undefined);
      }
    } while (!signal.aborted && (this.#changed || !this.#synced));
  }
}

/** What a block came from. */
type Lineage = Pick<BlockMeta, 'ulid' | 'compaction'>;

/** Which blocks of the bucket have no samples that are not here. */
export class HeldBlocks {
  readonly #ulids = new Set<string>();
  readonly #sources = new Set<string>();

  constructor(local: Iterable<Lineage>) {
    for (const { ulid, compaction } of local) {
      this.#ulids.add(ulid);
      for (const source of compaction.sources ?? [ulid]) this.#sources.add(source);
    }
  }

  /** Whether a block's samples are all here: it is, or all that it was compacted from is. */
  has({
    ulid,
    meta,
  }: {
    readonly ulid: string;
    readonly meta: Pick<BlockMeta, 'compaction'>;
  }): boolean {
    if (this.#ulids.has(ulid)) return true;
    const sources = meta.compaction.sources ?? [];
    return sources.length > 0 && sources.every((source) => this.#sources.has(source));
  }
}

function newFetcher(options: BucketPartOptions, log: Logger): MetaFetcher {
  const { bucket, metrics, clock } = options;
  const base = new BaseFetcher({
    bucket,
    lister: new ConcurrentLister(bucket),
    concurrency: DEFAULTS.metaConcurrency,
    dataDirectory: options.dataDir,
    metrics: registerBaseFetcherMetrics(metrics),
    log: log.with({ component: 'block.BaseFetcher' }),
  });
  const marks = { bucket, concurrency: DEFAULTS.metaConcurrency };
  return new MetaFetcher({
    base,
    filters: [ignoreDeletionMarks(marks, DEFAULTS.ignoreDeletionMarksDelayMs), deduplicate()],
    metrics: new FetchMetrics(metrics),
    clock,
    log: log.with({ component: 'block.BaseFetcher' }),
  });
}
