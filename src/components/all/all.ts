/**
 * `thanos all`: every component that exists, in one process on one machine.
 *
 *   senders  ──► remote write port ─┐                      ┌─► ingest worker: TSDBs (WAL, head, chunks_head)
 *   users    ──► HTTP port ─────────┼─ main thread (I/O) ──┤         │ shared memory
 *   queriers ──► gRPC port ─────────┘                      └─► compute workers: PromQL and chunks over heads and blocks
 */
import { join } from 'node:path';
import { prometheusDialect } from '../../http/dialect.ts';
import { registerApi } from '../../http/api.ts';
import type { StatusSource } from '../../http/api-status.ts';
import { registerFederate } from '../../http/federate-handler.ts';
import { registerRemoteWrite } from '../../http/remote-write-handler.ts';
import type { PromqlEngine } from '../../http/thanos-params.ts';
import { systemClock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { HashFunction } from '../../bucket/block-files.ts';
import type { Tracer } from '../../lib/tracing.ts';
import type { Labels } from '../../model/labels.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { ComputePool } from '../../ops/compute-pool.ts';
import type { GrpcRequestLog } from '../../ops/grpc-request-log.ts';
import { HttpMetrics } from '../../ops/http-metrics.ts';
import type { HttpRequestLog } from '../../ops/http-request-log.ts';
import { HttpServer } from '../../ops/http-server.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import { Profiler } from '../../ops/pprof/profiler.ts';
import { Probe } from '../../ops/probe.ts';
import { registerProcessMetrics } from '../../ops/process-metrics.ts';
import { runGroup } from '../../ops/run-group.ts';
import type { Actor, RunOutcome } from '../../ops/run-group.ts';
import type { WebConfig } from '../../ops/web-config.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { FileNumbers } from '../../tsdb/block-catalog.ts';
import { blockRanges } from '../../tsdb/compact/plan.ts';
import type { RetentionPolicy } from '../../tsdb/maintenance.ts';
import { MaintenanceFamilies } from '../../tsdb/maintenance-metrics.ts';
import type { FsyncPolicy } from '../../tsdb/wal/group-commit.ts';
import { INGEST_WORKER, IngestClient } from './ingest-client.ts';
import { LocalTsdb } from './local-tsdb.ts';
import { BlockClient } from './maintenance.ts';
import { QueryClient } from './query-client.ts';
import { QueryRecords } from './query-records.ts';
import type { PromqlSettings, QueryWorkerData, RemoteReadLimits } from './query-tasks.ts';
import { TsdbAdmin } from './tsdb-admin.ts';
import { Repetition } from '../../ops/repeat.ts';
import { startSelfMonitor } from './self-monitor.ts';
import { Shipping } from './shipping.ts';
import { StorePart } from './store-part.ts';
import type { GrpcOptions } from './store-part.ts';
import { registerStorageMetrics, registerWriteCounters } from './write-metrics.ts';

/** limit: chunk file pages kept in memory, shared by all threads; the system touches them as they fill. */
const PAGE_CACHE_BYTES = 256 * 1024 * 1024;
/** limit: the memory that the head may take; a head beyond it refuses new samples with "X of Y". */
const HEAD_BYTES_MAX = 4096 * 1024 * 1024;
const SELF_HEAD_BYTES_MAX = 256 * 1024 * 1024;
/** limit: write requests and their bytes between first byte and answer. */
const WRITES_IN_FLIGHT_MAX = 1024;
const WRITE_BYTES_IN_FLIGHT_MAX = 256 * 1024 * 1024;

/** Blocks of own metrics grow to 18 h. */
const OWN_BLOCK_RANGES = blockRanges({ minMs: 7_200_000, maxMs: 64_800_000 });

const TENANT = 'default-tenant';
const SELF = 'thanos-self';

/** Settings of the process, from its flags. */
export interface AllOptions {
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly requestLogs: {
    readonly http: HttpRequestLog | undefined;
    readonly grpc: GrpcRequestLog | undefined;
  };
  /** Who may come in by HTTP, and whether there is TLS. */
  readonly web: WebConfig | undefined;
  readonly dataDir: string;
  /** '' means `<data-dir>/tsdb/default-tenant`. */
  readonly tsdbPath: string;
  readonly fsync: FsyncPolicy;
  /** How far behind the newest sample others may come (ms); 0: none may come out of order. */
  readonly outOfOrderWindowMs: number;
  /** How many exemplars are kept; 0: none. */
  readonly exemplarsMax: number;
  /** Whether heads are written to snapshots at the end and read from them at the start. */
  readonly memorySnapshot: boolean;
  readonly retention: RetentionOptions;
  readonly blockReloadIntervalMs: number;
  /** Where blocks go. */
  readonly bucket: Bucket;
  readonly uploadCompacted: boolean;
  readonly hash: HashFunction;
  readonly externalLabels: Labels;
  readonly replicaLabels: readonly string[];
  readonly httpAddress: string;
  readonly remoteWriteAddress: string;
  readonly httpGracePeriodMs: number;
  readonly grpc: Omit<GrpcOptions, 'tracer' | 'requestLog'>;
  readonly maxBodyBytes: number;
  readonly disableCors: boolean;
  readonly queryTimeoutMs: number;
  readonly queryMaxConcurrent: number;
  readonly lookbackDeltaMs: number;
  /** The engine of requests that name none. */
  readonly promqlEngine: PromqlEngine;
  readonly maxSamples: number;
  /** The step of subqueries that name none. */
  readonly defaultStepMs: number;
  /** Where `queries.active` is; '' means the data directory. */
  readonly activeQueryPath: string;
  /** '' for none. */
  readonly queryLogFile: string;
  readonly promql: PromqlSettings;
  /** Whether the endpoints that change the TSDB do so. */
  readonly adminApi: boolean;
  readonly remoteRead: RemoteReadLimits;
  /** limit: remote reads answered at once. */
  readonly remoteReadMaxConcurrent: number;
  readonly status: StatusSource;
  /** The module that workers run. */
  readonly workerUrl: URL;
}

/** How long blocks stay; 0 means without limit. */
export interface RetentionOptions {
  readonly timeMs: number;
  readonly bytes: number;
  /** Whether somebody asked for it: only then it holds for an adopted directory, too. */
  readonly asked: boolean;
}

/** What a worker of this process is started with. */
export interface AllWorkerData {
  readonly query: QueryWorkerData;
}

/** Runs until a signal or a failure. Never rejects. */
export function runAll(options: AllOptions): Promise<RunOutcome> {
  return runGroup(new AllProcess(options).actors(), options.log);
}

class AllProcess {
  readonly #options: AllOptions;
  readonly #metrics = new ProcessMetrics();
  readonly #probe: Probe;
  readonly #profiler = new Profiler();
  readonly #httpMetrics: HttpMetrics;
  readonly #pageCache = PageCache.allocate(PAGE_CACHE_BYTES);
  readonly #dbs: readonly LocalTsdb[];
  readonly #maintenanceMetrics: MaintenanceFamilies;
  readonly #pool: ComputePool;
  readonly #ingest: IngestClient;
  readonly #blocks: BlockClient;
  readonly #shipping: Shipping;
  readonly #queries: QueryClient;
  readonly #store: StorePart;

  constructor(options: AllOptions) {
    this.#options = options;
    const { log, dataDir } = options;
    registerProcessMetrics(this.#metrics, options.status.build);
    this.#probe = new Probe('all', log, this.#metrics);
    this.#httpMetrics = new HttpMetrics(this.#metrics, TENANT);
    const path = options.tsdbPath === '' ? join(dataDir, 'tsdb', TENANT) : options.tsdbPath;
    const files = new FileNumbers();
    this.#dbs = [
      [TENANT, path, HEAD_BYTES_MAX] as const,
      [SELF, join(dataDir, 'tsdb', SELF), SELF_HEAD_BYTES_MAX] as const,
    ].map(
      ([name, directory, headBytesMax], number) =>
        new LocalTsdb({ number, name, directory, headBytesMax, files, log }),
    );
    this.#maintenanceMetrics = new MaintenanceFamilies(this.#metrics);
    this.#pool = new ComputePool({
      workerUrl: options.workerUrl,
      data: () => this.#workerData(),
      log,
    });
    this.#ingest = new IngestClient(this.#pool);
    this.#blocks = new BlockClient(this.#pool);
    this.#shipping = new Shipping({
      directory: path,
      bucket: options.bucket,
      externalLabels: options.externalLabels,
      uploadCompacted: options.uploadCompacted,
      hash: options.hash,
      blocks: this.#blocks,
      onUploaded: () => this.#store.onUploaded(),
      metrics: this.#metrics,
      clock: systemClock,
      log,
    });
    this.#queries = new QueryClient({
      pool: this.#pool,
      metrics: this.#metrics,
      maxConcurrent: options.queryMaxConcurrent,
      metadataTimeoutMs: options.queryTimeoutMs,
    });
    this.#store = new StorePart({
      ...options.grpc,
      tracer: options.tracer,
      requestLog: options.requestLogs.grpc,
      tsdbs: this.#dbs,
      externalLabels: options.externalLabels,
      client: this.#queries,
      bucket: this.#shipping.bucket,
      dataDir: join(dataDir, 'store'),
      probe: this.#probe,
      metrics: this.#metrics,
      clock: systemClock,
      log,
    });
  }

  /** In the order of starting: probes answer while the log is replayed, and writes come last. */
  actors(): Actor[] {
    const tenant = this.#dbs[0] as LocalTsdb;
    return [
      this.#workers(),
      this.#shipping.bucketActor(),
      this.#api(),
      this.#storage(),
      this.#store.actor(),
      this.#remoteWrite(),
      this.#selfMonitor(),
      this.#maintenance(),
      this.#shipping.actor(() => tenant.readOnly),
    ];
  }

  #workerData(): AllWorkerData {
    const { externalLabels, replicaLabels, lookbackDeltaMs, maxSamples } = this.#options;
    const { defaultStepMs, promql } = this.#options;
    const query: QueryWorkerData = {
      tsdbs: this.#dbs.map(({ handle }) => handle),
      pageCache: this.#pageCache,
      externalLabels: externalLabels.pairs,
      replicaLabels,
      lookbackDeltaMs,
      maxSamples,
      defaultStepMs,
      promql,
      remoteRead: this.#options.remoteRead,
      workers: this.#pool.size,
    };
    return { query };
  }

  #workers(): Actor {
    return {
      name: 'compute pool',
      start: (fail) => {
        this.#pool.dedicate(INGEST_WORKER, (reason) => {
          // What it held in memory is in the WAL: the next start replays it.
          fail(new CodedError('internal', `the ingest worker died: ${reason}`));
        });
      },
      stop: () => this.#pool.close(),
    };
  }

  #api(): Actor {
    const { log, httpGracePeriodMs, httpAddress, status, queryTimeoutMs, disableCors } =
      this.#options;
    const server = new HttpServer({
      log: log.with({ service: 'http/server', component: 'all' }),
      httpMetrics: this.#httpMetrics,
      gracePeriodMs: httpGracePeriodMs,
      probe: this.#probe,
      metrics: this.#metrics,
      profiler: this.#profiler,
      ...this.#requests(),
    });
    registerApi(server.app, {
      service: this.#queries,
      status,
      dialect: prometheusDialect,
      clock: systemClock,
      log,
      queryTimeoutMs,
      disableCors,
      tsdb: this.#admin(),
      adminApi: this.#options.adminApi,
      promqlFeatures: this.#options.promql.features,
      defaultEngine: this.#options.promqlEngine,
      read: {
        service: this.#queries,
        log,
        metrics: this.#metrics,
        maxConcurrent: this.#options.remoteReadMaxConcurrent,
      },
    });
    registerFederate(server.app, {
      service: this.#queries,
      clock: systemClock,
      log,
      metrics: this.#metrics,
      lookbackDeltaMs: this.#options.lookbackDeltaMs,
    });
    return {
      name: 'http',
      start: async () => {
        await server.listen(httpAddress);
        this.#probe.healthy();
      },
      stop: async () => {
        await server.close();
        this.#profiler.close();
      },
    };
  }

  /** What is done with every HTTP request, on either port. */
  #requests() {
    const { web, tracer, requestLogs } = this.#options;
    return { web, tracer, requestLog: requestLogs.http };
  }

  /** The tenant's TSDB is the one that the API is about: the first. */
  #admin(): TsdbAdmin {
    return new TsdbAdmin({
      tsdb: this.#dbs[0] as LocalTsdb,
      number: 0,
      externalLabels: this.#options.externalLabels,
      ingest: this.#ingest,
      blocks: this.#blocks,
      queries: this.#queries,
      clock: systemClock,
    });
  }

  #storage(): Actor {
    let records: QueryRecords | undefined;
    return {
      name: 'tsdb',
      start: async () => {
        for (const db of this.#dbs) await this.#open(db);
        registerStorageMetrics(this.#metrics, {
          ingest: this.#ingest,
          dbs: this.#dbs.map(({ name }) => [name, name]),
          pool: this.#pool,
          pageCache: this.#pageCache,
        });
        // The directories are locked: another instance would find its file emptied otherwise.
        try {
          records = await this.#openRecords();
        } catch (thrown) {
          await this.#ingest.close();
          throw thrown;
        }
        this.#queries.open(records);
      },
      stop: async () => {
        await records?.close();
        await this.#ingest.close();
      },
    };
  }

  #openRecords(): Promise<QueryRecords> {
    const { dataDir, activeQueryPath, queryLogFile, queryMaxConcurrent, log } = this.#options;
    return QueryRecords.open({
      activePath: activeQueryPath === '' ? dataDir : activeQueryPath,
      maxConcurrent: queryMaxConcurrent,
      logFile: queryLogFile,
      metrics: this.#queries.engineMetrics,
      clock: systemClock,
      log,
    });
  }

  #open(db: LocalTsdb): Promise<void> {
    const { fsync, outOfOrderWindowMs, exemplarsMax, memorySnapshot } = this.#options;
    const own = db.name === SELF;
    const settings = {
      fsync,
      outOfOrderWindowMs: own ? 0 : outOfOrderWindowMs,
      exemplarsMax: own ? 0 : exemplarsMax,
      memorySnapshot,
    };
    return db.open(settings, {
      ingest: this.#ingest,
      blocks: this.#blocks,
      drain: () => this.#queries.drain(),
      retention: (adopted) => this.#retention(db, adopted),
      // Blocks that are shipped are compacted in the bucket; two compactors must not work on the same samples.
      blockRanges: own ? OWN_BLOCK_RANGES : [],
      metrics: this.#maintenanceMetrics.of(db.name),
      clock: systemClock,
    });
  }

  /** Own metrics are nowhere else and go when they are old; blocks of data go when the bucket has them. */
  #retention(db: LocalTsdb, adopted: boolean): RetentionPolicy {
    const { timeMs, bytes, asked } = this.#options.retention;
    if (db.name === SELF) return { timeMs, bytes: 0, isSafe: async () => true };
    const limits = (adopted && !asked) || db.readOnly ? { timeMs: 0, bytes: 0 } : { timeMs, bytes };
    // A block is served by the bucket's part before the TSDB's part stops doing so.
    const isSafe = async ({ meta }: { readonly meta: BlockMeta }): Promise<boolean> =>
      (await this.#shipping.isSafe(meta.ulid)) && this.#store.serves(meta);
    return { ...limits, isSafe };
  }

  /** Cuts, reloads and lets blocks go, all TSDBs in turn. */
  #maintenance(): Actor {
    const rounds = new Repetition(this.#options.blockReloadIntervalMs, async () => {
      for (const db of this.#dbs) await db.maintain();
      this.#shipping.nudge();
    });
    return {
      name: 'maintenance',
      start: () => rounds.start(),
      stop: () => {
        this.#blocks.end();
        return rounds.stop();
      },
    };
  }

  #remoteWrite(): Actor {
    const { log, httpGracePeriodMs, remoteWriteAddress, maxBodyBytes } = this.#options;
    const server = new HttpServer({
      log: log.with({ service: 'http/server', component: 'receive' }),
      httpMetrics: this.#httpMetrics,
      gracePeriodMs: httpGracePeriodMs,
      ...this.#requests(),
    });
    registerRemoteWrite(server.app, {
      service: this.#ingest.writeService(TENANT, registerWriteCounters(this.#metrics, TENANT)),
      log: log.with({ component: 'receive' }),
      metrics: this.#metrics,
      tenant: TENANT,
      maxDecodedBytes: maxBodyBytes,
      maxInflightRequests: WRITES_IN_FLIGHT_MAX,
      maxInflightBytes: WRITE_BYTES_IN_FLIGHT_MAX,
    });
    return {
      name: 'remote write',
      start: async () => {
        await server.listen(remoteWriteAddress);
      },
      stop: () => server.close(),
    };
  }

  #selfMonitor(): Actor {
    let end = (): void => undefined;
    return {
      name: 'self-monitoring',
      start: () => {
        end = startSelfMonitor({
          metrics: this.#metrics,
          ingest: this.#ingest,
          db: SELF,
          instance: this.#options.httpAddress,
          clock: systemClock,
          log: this.#options.log,
        });
        this.#probe.ready();
        const { log, httpAddress, remoteWriteAddress, web } = this.#options;
        const scheme = web?.tls === undefined ? 'http' : 'https';
        log.info('ready for remote write and queries', {
          remote_write: `${scheme}://${remoteWriteAddress}/api/v1/receive`,
          query: `${scheme}://${httpAddress}/api/v1/query?query=up`,
        });
      },
      stop: () => {
        end();
        this.#probe.notReady('stopping');
      },
    };
  }
}
