/**
 * `thanos all`: every component that exists, in one process on one machine.
 *
 *   senders ──► remote write port ─┐                      ┌─► ingest worker: TSDBs (WAL, head, chunks_head)
 *   users   ──► HTTP port ─────────┴─ main thread (I/O) ──┤         │ shared memory
 *                                                         └─► compute workers: PromQL over the heads
 */
import { join } from 'node:path';
import { prometheusDialect } from '../../http/dialect.ts';
import { registerApi } from '../../http/api.ts';
import type { StatusSource } from '../../http/api-status.ts';
import { registerRemoteWrite } from '../../http/remote-write-handler.ts';
import { systemClock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Labels } from '../../model/labels.ts';
import { ComputePool } from '../../ops/compute-pool.ts';
import { HttpMetrics } from '../../ops/http-metrics.ts';
import { HttpServer } from '../../ops/http-server.ts';
import { ProcessMetrics } from '../../ops/metrics.ts';
import { Probe } from '../../ops/probe.ts';
import { registerProcessMetrics } from '../../ops/process-metrics.ts';
import { runGroup } from '../../ops/run-group.ts';
import type { Actor, RunOutcome } from '../../ops/run-group.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { createArenaMemory } from '../../tsdb/head/arena.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import type { FsyncPolicy } from '../../tsdb/wal/group-commit.ts';
import { INGEST_WORKER, IngestClient } from './ingest-client.ts';
import { QueryClient } from './query-client.ts';
import type { QueryWorkerData } from './query-tasks.ts';
import { startSelfMonitor } from './self-monitor.ts';
import { registerStorageMetrics, registerWriteCounters } from './write-metrics.ts';

/** limit: chunk file pages kept in memory, shared by all threads; the system touches them as they fill. */
const PAGE_CACHE_BYTES = 256 * 1024 * 1024;
/** limit: the memory that the head may take; a head beyond it refuses new samples with "X of Y". */
const HEAD_BYTES_MAX = 4096 * 1024 * 1024;
const SELF_HEAD_BYTES_MAX = 256 * 1024 * 1024;
/** limit: write requests and their bytes between first byte and answer. */
const WRITES_IN_FLIGHT_MAX = 1024;
const WRITE_BYTES_IN_FLIGHT_MAX = 256 * 1024 * 1024;

const TENANT = 'default-tenant';
const SELF = 'thanos-self';

/** Settings of the process, from its flags. */
export interface AllOptions {
  readonly log: Logger;
  readonly dataDir: string;
  /** '' means `<data-dir>/tsdb/default-tenant`. */
  readonly tsdbPath: string;
  readonly fsync: FsyncPolicy;
  readonly externalLabels: Labels;
  readonly replicaLabels: readonly string[];
  readonly httpAddress: string;
  readonly remoteWriteAddress: string;
  readonly httpGracePeriodMs: number;
  readonly maxBodyBytes: number;
  readonly disableCors: boolean;
  readonly queryTimeoutMs: number;
  readonly queryMaxConcurrent: number;
  readonly lookbackDeltaMs: number;
  readonly maxSamples: number;
  readonly status: StatusSource;
  /** The module that workers run. */
  readonly workerUrl: URL;
}

/** What a worker of this process is started with. */
export interface AllWorkerData {
  readonly query: QueryWorkerData;
}

/** Runs until a signal or a failure. Never rejects. */
export function runAll(options: AllOptions): Promise<RunOutcome> {
  return runGroup(new AllProcess(options).actors(), options.log);
}

/** One TSDB of the process. */
interface Tsdb {
  readonly name: string;
  readonly directory: string;
  readonly head: HeadHandle;
}

class AllProcess {
  readonly #options: AllOptions;
  readonly #metrics = new ProcessMetrics();
  readonly #probe: Probe;
  readonly #httpMetrics: HttpMetrics;
  readonly #pageCache = PageCache.allocate(PAGE_CACHE_BYTES);
  readonly #dbs: readonly Tsdb[];
  readonly #pool: ComputePool;
  readonly #ingest: IngestClient;
  readonly #queries: QueryClient;

  constructor(options: AllOptions) {
    this.#options = options;
    const { log, dataDir } = options;
    registerProcessMetrics(this.#metrics, options.status.build);
    this.#probe = new Probe('all', log, this.#metrics);
    this.#httpMetrics = new HttpMetrics(this.#metrics, TENANT);
    const path = options.tsdbPath === '' ? join(dataDir, 'tsdb', TENANT) : options.tsdbPath;
    this.#dbs = [
      makeTsdb(0, TENANT, path, HEAD_BYTES_MAX),
      makeTsdb(1, SELF, join(dataDir, 'tsdb', SELF), SELF_HEAD_BYTES_MAX),
    ];
    this.#pool = new ComputePool({
      workerUrl: options.workerUrl,
      data: () => this.#workerData(),
      log,
    });
    this.#ingest = new IngestClient(this.#pool);
    this.#queries = new QueryClient({
      pool: this.#pool,
      metrics: this.#metrics,
      maxConcurrent: options.queryMaxConcurrent,
      metadataTimeoutMs: options.queryTimeoutMs,
    });
  }

  /** In the order of starting: probes answer while the log is replayed, and writes come last. */
  actors(): Actor[] {
    return [
      this.#workers(),
      this.#api(),
      this.#storage(),
      this.#remoteWrite(),
      this.#selfMonitor(),
    ];
  }

  #workerData(): AllWorkerData {
    const { externalLabels, replicaLabels, lookbackDeltaMs, maxSamples } = this.#options;
    const query: QueryWorkerData = {
      heads: this.#dbs.map(({ head }) => head),
      pageCache: this.#pageCache,
      externalLabels: externalLabels.pairs,
      replicaLabels,
      lookbackDeltaMs,
      maxSamples,
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
    });
    registerApi(server.app, {
      service: this.#queries,
      status,
      dialect: prometheusDialect,
      clock: systemClock,
      log,
      queryTimeoutMs,
      disableCors,
    });
    return {
      name: 'http',
      start: async () => {
        await server.listen(httpAddress);
        this.#probe.healthy();
      },
      stop: () => server.close(),
    };
  }

  #storage(): Actor {
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
        this.#queries.open();
      },
      stop: () => this.#ingest.close(),
    };
  }

  async #open({ name, directory, head }: Tsdb): Promise<void> {
    const { log, fsync } = this.#options;
    const begun = performance.now();
    const report = await this.#ingest.open({ name, directory, memories: head.memories, fsync });
    log.info('TSDB opened', {
      tsdb: name,
      path: directory,
      series: report.series,
      chunks: report.chunks,
      wal_samples: report.samples,
      duration: `${((performance.now() - begun) / 1000).toFixed(3)}s`,
    });
    if (report.readOnlyReason !== '') {
      log.warn('TSDB is read-only, writes are refused', {
        path: directory,
        reason: report.readOnlyReason,
      });
    }
  }

  #remoteWrite(): Actor {
    const { log, httpGracePeriodMs, remoteWriteAddress, maxBodyBytes } = this.#options;
    const server = new HttpServer({
      log: log.with({ service: 'http/server', component: 'receive' }),
      httpMetrics: this.#httpMetrics,
      gracePeriodMs: httpGracePeriodMs,
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
        const { log, httpAddress, remoteWriteAddress } = this.#options;
        log.info('ready for remote write and queries', {
          remote_write: `http://${remoteWriteAddress}/api/v1/receive`,
          query: `http://${httpAddress}/api/v1/query?query=up`,
        });
      },
      stop: () => {
        end();
        this.#probe.notReady('stopping');
      },
    };
  }
}

function makeTsdb(number: number, name: string, directory: string, bytesMax: number): Tsdb {
  const memories = [createArenaMemory(bytesMax)];
  const chunksDirectory = join(directory, 'chunks_head');
  return { name, directory, head: { number, memories, chunksDirectory } };
}
