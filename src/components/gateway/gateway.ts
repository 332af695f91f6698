/**
 * `thanos store`: the blocks of a bucket behind the StoreAPI, in one process. Behaviour: thanos cmd/thanos/store.go.
 *
 *   bucket ──► fetcher (metas, marks) ──► BucketStore: one LoadedBlock a block, each with its index-header
 *                                              ▲
 *   gRPC ──► Store.Series, LabelNames, … ──────┘   HTTP: probes, metrics, blocks API
 */
import { openCachingBucket } from '../../bucket/caching-bucket/config.ts';
import { BaseFetcher } from '../../bucket/fetch/base-fetcher.ts';
import { openIndexCache } from '../../bucket/index-cache/config.ts';
import type { IndexCache } from '../../bucket/index-cache/index-cache.ts';
import { registerPostingsCodecMetrics } from '../../bucket/index-cache/metrics.ts';
import { IndexReadCache } from '../../bucket/index-cache/read-cache.ts';
import { CacheMetrics } from '../../cache/cache-metrics.ts';
import { MatcherCache, registerMatcherCacheMetrics } from '../../cache/matcher-cache.ts';
import { ConcurrentLister } from '../../bucket/fetch/concurrent-lister.ts';
import {
  FetchMetrics,
  registerBaseFetcherMetrics,
  registerConsistencyDelay,
} from '../../bucket/fetch/fetch-metrics.ts';
import { storeFilters } from '../../bucket/fetch/filters.ts';
import { MetaFetcher } from '../../bucket/fetch/meta-fetcher.ts';
import { RecursiveLister } from '../../bucket/fetch/recursive-lister.ts';
import { BufferPool } from '../../bucket/read/buffer-pool.ts';
import { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import { ByteBudget } from '../../bucket/read/limits.ts';
import { registerBlocksApi } from '../../http/api-blocks.ts';
import { BlockViews } from '../../http/block-views.ts';
import { thanosDialect } from '../../http/dialect.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { Gate } from '../../lib/gate.ts';
import { formatGoDuration } from '../../lib/go-duration.ts';
import { resolveTime } from '../../lib/time-or-duration.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { registerBucketMetrics } from '../../objstore/bucket-metrics.ts';
import { tracedBucket } from '../../objstore/traced.ts';
import { MeteredBucket } from '../../objstore/metered.ts';
import { addHealth } from '../../ops/grpc/health.ts';
import { GrpcServerMetrics } from '../../ops/grpc/metrics.ts';
import { addReflection } from '../../ops/grpc/reflection.ts';
import { GrpcServer } from '../../ops/grpc/server.ts';
import { HttpMetrics } from '../../ops/http-metrics.ts';
import { HttpServer } from '../../ops/http-server.ts';
import { Profiler } from '../../ops/pprof/profiler.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import { Probe } from '../../ops/probe.ts';
import { registerProcessMetrics } from '../../ops/process-metrics.ts';
import { Repetition } from '../../ops/repeat.ts';
import type { Actor, RunOutcome } from '../../ops/run-group.ts';
import { runGroup } from '../../ops/run-group.ts';
import { sleep } from '../../ops/sleep.ts';
import { ClientTls, type ClientTlsFiles } from '../../ops/tls-files.ts';
import { fileDescriptors } from '../../rpc/descriptors.ts';
import { INFO_SERVICE, addInfoService } from '../../rpc/info/info-service.ts';
import type { ServerInfo } from '../../rpc/info/info-messages.ts';
import { type MakeMatcher, newMatcher } from '../../rpc/store/matcher-messages.ts';
import { STORE_SERVICE, addStoreService } from '../../rpc/store/store-service.ts';
import { BucketStore } from './bucket-store.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { StoreMetrics } from './store-metrics.ts';
import { StoreServer } from './store-server.ts';

const COMPONENT = 'store';
/** compat: the first sync is tried again every so often, and given up after so long. */
const SYNC_RETRY_MS = 10_000;
const SYNC_GIVE_UP_MS = 30_000;
/** limit: buffers that are kept between calls. */
const POOLED_BYTES = 64 * 1024 * 1024;
/** How often idle index-headers are looked for. */
const IDLE_CHECK_MS = 30_000;

/** Runs until a signal or a failure. Never rejects. */
export async function runGateway(options: GatewayOptions): Promise<RunOutcome> {
  let gateway: Gateway;
  try {
    gateway = await Gateway.open(options);
  } catch (error) {
    await options.bucket.close();
    return { error, forced: false };
  }
  return runGroup(gateway.actors(), options.log);
}

/** What is opened before the rest is made. */
interface Opened {
  readonly metrics: ProcessMetrics;
  /** With its metrics, and its cache. */
  readonly bucket: Bucket;
  readonly indexCache: IndexCache | undefined;
}

/** The process; for tests, too, which start and stop its actors themselves. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly metrics: ProcessMetrics;
  readonly #probe: Probe;
  readonly #profiler = new Profiler();
  readonly #views: BlockViews;
  readonly #bucket: Bucket;
  readonly #indexCache: IndexCache | undefined;
  readonly #store: BucketStore;
  readonly #server: StoreServer;
  readonly #ending = new AbortController();
  readonly #budget: ByteBudget;
  /** Blocks are loaded; calls are answered. */
  readonly #loaded = Promise.withResolvers<void>();
  readonly #serving = Promise.withResolvers<void>();
  /** The addresses that the servers got. */
  httpAddress = '';
  grpcAddress = '';

  /** Opens caches. @throws CodedError when one cannot be used as it is configured. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const { log, clock, tracer, cachingBucket, indexCache } = options;
    const metrics = new ProcessMetrics();
    const bucketMetrics = registerBucketMetrics(metrics)(options.bucket.name);
    const metered = new MeteredBucket(options.bucket, bucketMetrics, clock);
    const traced = tracedBucket(metered, tracer);
    const deps = {
      registry: metrics,
      metrics: new CacheMetrics(metrics),
      log,
      clock,
      loadTls: async (files: ClientTlsFiles) => (await ClientTls.open(files)).connectOptions(),
    };
    const bucket =
      cachingBucket === undefined ? traced : await openCachingBucket(traced, cachingBucket, deps);
    const opened = indexCache === undefined ? undefined : await openIndexCache(indexCache, deps);
    return new Gateway(options, { metrics, bucket, indexCache: opened });
  }

  private constructor(options: GatewayOptions, { metrics, bucket, indexCache }: Opened) {
    this.#options = options;
    this.metrics = metrics;
    this.#bucket = bucket;
    this.#indexCache = indexCache;
    const { log, clock, sync, headers, status } = options;
    registerProcessMetrics(metrics, status.build);
    this.#probe = new Probe(COMPONENT, log, metrics);
    this.#views = new BlockViews(options.http.groupLabel, clock);
    const storeMetrics = new StoreMetrics(metrics, options.maxConcurrent);
    const fetcher = this.#fetcher();
    this.#store = new BucketStore({
      bucket,
      fetch: (signal) => fetcher.fetch(signal),
      dataDir: options.dataDir,
      syncConcurrency: sync.blockConcurrency,
      headerSampling: headers.sampling,
      lazyHeaders: headers.lazy,
      lazyDownload: headers.lazyDownload,
      headerIdleMs: headers.idleMs,
      estimates: options.estimates,
      metrics: storeMetrics,
      clock,
      log,
    });
    this.#budget = new ByteBudget('chunk pool exhausted', options.chunkPoolBytes);
    this.#server = new StoreServer({
      store: this.#store,
      metrics: storeMetrics,
      cache: this.#readCache(),
      framer: new ChunkFramer(),
      pool: new BufferPool(POOLED_BYTES),
      budget: this.#budget,
      gate: new Gate(options.maxConcurrent === 0 ? Infinity : options.maxConcurrent),
      limits: options.limits,
      lazy: options.lazyPostings,
      batchSize: options.batchSize,
      timeRange: () => this.#timeRange(),
      clock,
      log,
    });
  }

  #readCache(): IndexReadCache | undefined {
    const { log, clock } = this.#options;
    const metrics = registerPostingsCodecMetrics(this.metrics);
    if (this.#indexCache === undefined) return undefined;
    return new IndexReadCache(this.#indexCache, { metrics, log, clock });
  }

  /** In the order of starting: probes answer while blocks are loaded, calls when they are. */
  actors(): Actor[] {
    return [this.#http(), this.#blocks(), this.#grpc()];
  }

  /** Bytes of chunks that calls hold now, and the most that they ever did. */
  get heldBytes(): { readonly used: number; readonly peak: number } {
    return this.#budget;
  }

  /** Resolves when calls are answered. */
  get serving(): Promise<void> {
    return this.#serving.promise;
  }

  #fetcher(): MetaFetcher {
    const { log, clock, dataDir, sync } = this.#options;
    const bucket = this.#bucket;
    const base = new BaseFetcher({
      bucket,
      lister:
        sync.strategy === 'recursive' ? new RecursiveLister(bucket) : new ConcurrentLister(bucket),
      concurrency: sync.metaConcurrency,
      dataDirectory: dataDir,
      metrics: registerBaseFetcherMetrics(this.metrics),
      log: log.with({ component: 'block.BaseFetcher' }),
    });
    registerConsistencyDelay(this.metrics, sync.consistencyDelayMs);
    return new MetaFetcher({
      base,
      filters: storeFilters({ ...sync, bucket, concurrency: sync.metaConcurrency }),
      metrics: new FetchMetrics(this.metrics),
      clock,
      log: log.with({ component: 'block.BaseFetcher' }),
      onChange: (metas, error) => this.#views.set('loaded', metas, error),
    });
  }

  #timeRange(): { readonly mint: number; readonly maxt: number } {
    const { clock, sync } = this.#options;
    const now = clock.now();
    return { mint: resolveTime(sync.minTime, now), maxt: resolveTime(sync.maxTime, now) };
  }

  #http(): Actor {
    const { log, clock, tracer, http, requestLogs, status } = this.#options;
    const server = new HttpServer({
      log: log.with({ service: 'http/server', component: COMPONENT }),
      httpMetrics: new HttpMetrics(this.metrics),
      gracePeriodMs: http.gracePeriodMs,
      probe: this.#probe,
      metrics: this.metrics,
      web: http.web,
      tracer,
      requestLog: requestLogs.http,
      profiler: this.#profiler,
    });
    if (http.blocksApi) {
      registerBlocksApi(server.app, {
        views: this.#views,
        bucket: this.#bucket,
        disableAdminOperations: http.disableAdminOperations,
        disableCors: http.disableCors,
        status,
        dialect: thanosDialect,
        clock,
        log,
      });
    }
    return {
      name: 'http',
      start: async () => {
        this.httpAddress = await server.listen(http.address);
        this.#probe.healthy();
      },
      stop: async () => {
        await server.close();
        this.#profiler.close();
      },
    };
  }

  #blocks(): Actor {
    const { log, clock, sync } = this.#options;
    const { signal } = this.#ending;
    const rounds = new Repetition(sync.intervalMs, async () => {
      try {
        await this.#store.sync(signal);
      } catch (thrown) {
        if (!signal.aborted) log.warn('syncing blocks failed', { err: errorText(thrown) });
      }
    });
    const idle = new Repetition(IDLE_CHECK_MS, () => this.#store.closeIdleHeaders());
    let syncing: Promise<void> | undefined;
    return {
      name: 'blocks',
      // Not waited for: a signal must be able to end it.
      start: (fail) => {
        log.info('initializing bucket store');
        const begin = clock.monotonic();
        syncing = this.#initialSync().then(() => {
          log.info('bucket store ready', {
            init_duration: formatGoDuration(clock.monotonic() - begin),
          });
          rounds.startLater();
          idle.startLater();
          this.#loaded.resolve();
        }, fail);
      },
      stop: async () => {
        this.#ending.abort(new CodedError('canceled', 'the process is stopping'));
        await syncing;
        await Promise.all([rounds.stop(), idle.stop()]);
        await this.#store.close();
        await this.#indexCache?.close();
        await this.#bucket.close();
      },
    };
  }

  /** compat: tried again every ten seconds, and given up after thirty. */
  async #initialSync(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ending;
    const begin = clock.monotonic();
    for (;;) {
      try {
        await this.#store.initialSync(signal);
        return;
      } catch (thrown) {
        if (signal.aborted || clock.monotonic() - begin + SYNC_RETRY_MS > SYNC_GIVE_UP_MS) {
          const text = `bucket store initial sync: sync block: ${errorText(thrown)}`;
          throw new CodedError('unavailable', text, { cause: thrown });
        }
        log.error('function failed. Retrying in next tick', { err: errorText(thrown) });
        await sleep(SYNC_RETRY_MS, signal);
      }
    }
  }

  #makeMatcher(): MakeMatcher {
    const { matcherCacheSize } = this.#options;
    if (matcherCacheSize === 0) return newMatcher;
    const cache = new MatcherCache(matcherCacheSize, registerMatcherCacheMetrics(this.metrics));
    return (type, name, value) => cache.get(type, name, value);
  }

  #grpc(): Actor {
    const { log, grpc, tracer, requestLogs } = this.#options;
    const server = new GrpcServer({
      log: log.with({ service: 'gRPC/server', component: COMPONENT }),
      metrics: new GrpcServerMetrics(this.metrics),
      gracePeriodMs: grpc.gracePeriodMs,
      maxConnectionAgeMs: grpc.maxConnectionAgeMs,
      tls: grpc.tls,
      tracer,
      requestLog: requestLogs.grpc,
    });
    addStoreService(server, this.#server, this.#makeMatcher());
    addInfoService(server, () => this.#info());
    addHealth(server, this.#probe);
    addReflection(server, fileDescriptors([STORE_SERVICE, INFO_SERVICE]));
    return {
      name: 'grpc',
      start: (fail) => {
        const listening = this.#loaded.promise.then(async () => {
          if (this.#ending.signal.aborted) return;
          this.grpcAddress = await server.listen(grpc.address);
          this.#probe.ready();
          this.#serving.resolve();
        });
        listening.catch(fail);
      },
      stop: async () => {
        this.#probe.notReady('stopping');
        await server.close();
      },
    };
  }

  #info(): ServerInfo | undefined {
    if (!this.#probe.isReady) return undefined;
    const served = this.#timeRange();
    const own = this.#store.timeRange;
    // compat: without a block the range is empty, from the latest to the earliest time.
    const mint = Math.max(own?.mint ?? Infinity, served.mint);
    const maxt = Math.min(own?.maxt ?? -Infinity, served.maxt);
    return {
      labelSets: this.#store.labelSets,
      component: COMPONENT,
      store: {
        mint,
        maxt,
        supportsSharding: true,
        supportsWithoutReplicaLabels: true,
        supportsProjections: false,
        tsdbs: this.#store.tsdbInfos,
      },
    };
  }
}
