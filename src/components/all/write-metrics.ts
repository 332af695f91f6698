/** Metrics of the write path and of the TSDBs, in Prometheus' and Thanos' names. */
import { kernelImplementations } from '../../kernels/load.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { ComputePool } from '../../ops/compute-pool.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import type { IngestClient, WriteCounters } from './ingest-client.ts';

/** Counters of a tenant's writes. */
export function registerWriteCounters(metrics: MetricsRegistry, tenant: string): WriteCounters {
  const labelled = (name: string, help: string): { inc(by?: number): void } =>
    metrics.counterFamily(name, help, ['tenant']).with(tenant);
  const byType = (name: string, help: string) => {
    const family = metrics.counterFamily(name, help, ['type', 'tenant']);
    return { float: family.with('float', tenant), histogram: family.with('histogram', tenant) };
  };
  const appended = byType(
    'prometheus_tsdb_head_samples_appended_total',
    'Total number of appended samples.',
  );
  const late = labelled(
    'prometheus_tsdb_head_out_of_order_samples_appended_total',
    'Total number of appended samples that came out of order.',
  );
  const tooOld = labelled(
    'prometheus_tsdb_too_old_samples_total',
    'Samples refused because they are older than the out-of-order window allows.',
  );
  const exemplars = labelled(
    'prometheus_tsdb_exemplar_exemplars_appended_total',
    'Total number of appended exemplars.',
  );
  const lateExemplars = labelled(
    'prometheus_tsdb_exemplar_out_of_order_exemplars_total',
    'Exemplars refused because they are older than the newest one of their series.',
  );
  const outOfOrder = labelled(
    'prometheus_tsdb_out_of_order_samples_total',
    'Total number of out of order samples ingestion failed attempts due to out of order being disabled.',
  );
  const outOfBounds = labelled(
    'prometheus_tsdb_out_of_bound_samples_total',
    'Total number of out of bound samples ingestion failed attempts.',
  );
  const duplicates = labelled(
    'thanos_receive_duplicate_samples_total',
    'Samples refused because another value is stored for their timestamp.',
  );
  const histograms = labelled(
    'thanos_receive_invalid_histograms_total',
    'Native histograms refused because what they hold does not agree.',
  );
  const invalid = labelled(
    'thanos_receive_invalid_series_total',
    'Series of write requests refused because of their labels.',
  );
  const byReason = {
    out_of_order: outOfOrder,
    duplicate: duplicates,
    out_of_bounds: outOfBounds,
    too_old: tooOld,
    histogram: histograms,
    late_exemplar: lateExemplars,
  };
  return {
    appended: (what, count) => appended[what].inc(count),
    late: (count) => late.inc(count),
    exemplars: (count) => exemplars.inc(count),
    refused: (reason, samples) => byReason[reason].inc(samples),
    invalidSeries: (count) => invalid.inc(count),
  };
}

/** Gauges about TSDBs, the pool, the page cache and the kernels, read when somebody scrapes. */
export function registerStorageMetrics(
  metrics: MetricsRegistry,
  sources: {
    readonly ingest: IngestClient;
    /** TSDB name and the tenant that metrics call it. */
    readonly dbs: readonly (readonly [string, string])[];
    readonly pool: ComputePool;
    readonly pageCache: SharedArrayBuffer;
  },
): void {
  const gauge = (name: string, help: string) => metrics.gaugeFamily(name, help, ['tenant']);
  const series = gauge('prometheus_tsdb_head_series', 'Total number of series in the head block.');
  const mint = gauge('prometheus_tsdb_head_min_time', 'Minimum time bound of the head block.');
  const maxt = gauge('prometheus_tsdb_head_max_time', 'Maximum timestamp of the head block.');
  const segment = gauge(
    'prometheus_tsdb_wal_segment_current',
    'Write log segment index that TSDB is currently writing to.',
  );
  const arena = gauge('thanos_tsdb_head_arena_bytes', 'Bytes of head memory in use.');
  const pending = gauge(
    'thanos_tsdb_head_pending_chunks',
    'Cut chunks that wait for a chunks_head file.',
  );
  const exemplars = gauge(
    'prometheus_tsdb_exemplar_exemplars_in_storage',
    'Number of exemplars currently in circular storage.',
  );
  const writeSeconds = metrics.counterFamily(
    'thanos_tsdb_write_seconds_total',
    'Time that writes to a TSDB took, by what was done: decompress, stage (validation included), compress, checksum, write (the log), apply, chunks.',
    ['phase', 'tenant'],
  );
  const seen = new Map<string, number>();
  const workers = metrics.gauge(
    'thanos_compute_pool_workers',
    'Worker threads of the compute pool.',
  );
  const running = metrics.gauge(
    'thanos_compute_pool_tasks',
    'Tasks under way in the compute pool.',
  );
  const died = metrics.gauge(
    'thanos_compute_pool_worker_deaths',
    'Compute workers that died since the start.',
  );
  const ended = metrics.gauge(
    'thanos_compute_pool_workers_ended',
    'Compute workers that were ended since the start, because a cancelled query did not stop.',
  );
  const hits = metrics.gauge(
    'thanos_page_cache_hits',
    'Reads answered by the page cache since the start.',
  );
  const misses = metrics.gauge(
    'thanos_page_cache_misses',
    'Reads of the page cache that went to a file.',
  );
  const info = metrics.gaugeFamily(
    'thanos_kernel_info',
    'Which implementation of a kernel runs: wasm or its typescript twin.',
    ['kernel', 'impl'],
  );
  for (const { kernel, impl } of kernelImplementations()) info.with(kernel, impl).set(1);
  const cache = new PageCache(sources.pageCache);
  metrics.onCollect(async () => {
    const { stats } = sources.pool;
    workers.set(stats.workers);
    running.set(stats.running);
    died.set(stats.died);
    ended.set(stats.ended);
    hits.set(cache.counts.hits);
    misses.set(cache.counts.misses);
    for (const [db, tenant] of sources.dbs) {
      const now = await sources.ingest.stats(db);
      series.with(tenant).set(now.series);
      mint.with(tenant).set(now.mint ?? 0);
      maxt.with(tenant).set(now.maxt ?? 0);
      segment.with(tenant).set(now.walSegment);
      arena.with(tenant).set(now.arenaBytes);
      pending.with(tenant).set(now.pendingChunks);
      exemplars.with(tenant).set(now.exemplars);
      for (const [phase, ms] of Object.entries(now.writeMs)) {
        const key = `${tenant} ${phase}`;
        writeSeconds.with(phase, tenant).inc((ms - (seen.get(key) ?? 0)) / 1000);
        seen.set(key, ms);
      }
    }
  });
}
