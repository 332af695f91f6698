/** The metrics of a store gateway. Names, labels and buckets: thanos pkg/store/bucket.go, pkg/gate/gate.go. */
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import type { HeaderMetrics } from '../../bucket/index-header/header-handle.ts';

/** Values that grow by a factor. */
function exponential(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start * factor ** i);
}

const ITEMS = exponential(200, 2, 15);
const SIZES = exponential(1024, 2, 15);
const SECONDS = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];
const LOAD_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300];
const HEADER_SECONDS = [0.01, 0.02, 0.05, ...LOAD_SECONDS];
const K = 1024;
const M = K * K;
const CHUNK_SIZES = [32, 256, 512, K, 32 * K, 256 * K, 512 * K, M, 32 * M, 256 * M, 512 * M];
const POSTINGS_SIZES = [
  32,
  256,
  512,
  K,
  32 * K,
  256 * K,
  512 * K,
  M,
  32 * M,
  128 * M,
  256 * M,
  512 * M,
  768 * M,
  1024 * M,
];
const GATE_SECONDS = [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720];

const PREFIX = 'thanos_bucket_store_';

/** The families, and cells that always exist. */
export class StoreMetrics {
  readonly blockLoads: Counter;
  readonly blockLoadFailures: Counter;
  readonly blockDrops: Counter;
  readonly blockDropFailures: Counter;
  readonly blocksLoaded: Gauge;
  readonly lastLoaded: Gauge;
  readonly blockLoadDuration: Histogram;
  readonly dataTouched: Family<Histogram>;
  readonly dataFetched: Family<Histogram>;
  readonly sizeTouched: Family<Histogram>;
  readonly sizeFetched: Family<Histogram>;
  readonly blocksQueried: Family<Histogram>;
  readonly getAllDuration: Family<Histogram>;
  readonly mergeDuration: Family<Histogram>;
  readonly resultSeries: Family<Histogram>;
  readonly sentChunkSize: Family<Histogram>;
  readonly postingsSize: Family<Histogram>;
  readonly queriesDropped: Family<Counter>;
  readonly seriesRefetches: Family<Counter>;
  readonly chunkRefetches: Family<Counter>;
  readonly emptyPostings: Family<Counter>;
  readonly lazyExpanded: Counter;
  readonly lazyGroups: Family<Counter>;
  readonly lazyBytes: Counter;
  readonly lazyOverfetched: Counter;
  readonly seriesFetchDuration: Family<Histogram>;
  readonly seriesFetchDurationSum: Family<Histogram>;
  readonly postingsFetchDuration: Family<Histogram>;
  readonly chunksFetchDuration: Family<Histogram>;
  readonly chunksFetchDurationSum: Family<Histogram>;
  readonly gateInFlight: Gauge;
  readonly gateTotal: Counter;
  readonly gateDuration: Histogram;
  readonly header: HeaderMetrics;
  readonly pendingRequests: Gauge;
  readonly seriesRequested: Histogram;
  readonly chunksRequested: Histogram;

  constructor(metrics: MetricsRegistry, gateSize: number) {
    const counter = (name: string, help: string) => metrics.counter(PREFIX + name, help);
    const byTenant = (name: string, help: string, buckets: number[], labels: string[] = []) =>
      metrics.histogramFamily(PREFIX + name, help, buckets, [...labels, 'tenant']);
    const counters = (name: string, help: string, labels: string[] = []) =>
      metrics.counterFamily(PREFIX + name, help, [...labels, 'tenant']);

    this.blockLoads = counter('block_loads_total', 'Attempts to load a block of the bucket.');
    this.blockLoadFailures = counter('block_load_failures_total', 'Blocks that failed to load.');
    this.blockDrops = counter('block_drops_total', 'Blocks that are served no longer.');
    this.blockDropFailures = counter(
      'block_drop_failures_total',
      'Blocks that are served no longer and whose local files could not be removed.',
    );
    this.blocksLoaded = metrics.gauge(`${PREFIX}blocks_loaded`, 'Blocks that are served.');
    this.lastLoaded = metrics.gauge(
      `${PREFIX}blocks_last_loaded_timestamp_seconds`,
      'When the last block was loaded.',
    );
    this.blockLoadDuration = metrics.histogram(
      `${PREFIX}block_load_duration_seconds`,
      'Time it takes to load a block.',
      LOAD_SECONDS,
    );
    const data = ['data_type'];
    this.dataTouched = byTenant(
      'series_data_touched',
      'Items of a kind that a call for series looked at.',
      ITEMS,
      data,
    );
    this.dataFetched = byTenant(
      'series_data_fetched',
      'Items of a kind that a call for series fetched.',
      ITEMS,
      data,
    );
    this.sizeTouched = byTenant(
      'series_data_size_touched_bytes',
      'Bytes of the items of a kind that a call for series looked at.',
      SIZES,
      data,
    );
    this.sizeFetched = byTenant(
      'series_data_size_fetched_bytes',
      'Bytes of the items of a kind that a call for series fetched.',
      SIZES,
      data,
    );
    this.blocksQueried = byTenant(
      'series_blocks_queried',
      'Blocks that a call for series read.',
      exponential(1, 2, 10),
    );
    this.getAllDuration = byTenant(
      'series_get_all_duration_seconds',
      'Time until all blocks of a call had their postings.',
      SECONDS,
    );
    this.mergeDuration = byTenant(
      'series_merge_duration_seconds',
      'Time it takes to read, merge and send the series of a call.',
      SECONDS,
    );
    this.resultSeries = byTenant(
      'series_result_series',
      'Series that a call was answered with.',
      exponential(100, 2, 15),
    );
    this.sentChunkSize = byTenant(
      'sent_chunk_size_bytes',
      'Bytes of the chunks of one series as they are sent.',
      CHUNK_SIZES,
    );
    this.postingsSize = byTenant(
      'postings_size_bytes',
      'Bytes of the postings of a call for series.',
      POSTINGS_SIZES,
    );
    this.queriesDropped = counters(
      'queries_dropped_total',
      'Calls that were refused because of a limit.',
      ['reason'],
    );
    this.seriesRefetches = counters(
      'series_refetches_total',
      'Series entries that were longer than expected and had to be fetched again.',
    );
    this.chunkRefetches = counters(
      'chunk_refetches_total',
      'Chunks that were longer than expected and had to be fetched again.',
    );
    this.emptyPostings = counters('empty_postings_total', 'Blocks in which no series was found.');
    this.lazyExpanded = counter(
      'lazy_expanded_postings_total',
      'Times that postings were expanded lazily.',
    );
    this.lazyGroups = metrics.counterFamily(
      `${PREFIX}lazy_expanded_posting_groups_total`,
      'Groups of postings that were not fetched, by reason.',
      ['reason'],
    );
    this.lazyBytes = counter(
      'lazy_expanded_posting_size_bytes_total',
      'Bytes of postings that were not fetched.',
    );
    this.lazyOverfetched = counter(
      'lazy_expanded_posting_series_overfetched_size_bytes_total',
      'Bytes of series that were fetched for nothing because postings were expanded lazily.',
    );
    this.seriesFetchDuration = byTenant(
      'series_fetch_duration_seconds',
      'Time it takes to get a batch of series, from cache or bucket.',
      SECONDS,
    );
    this.seriesFetchDurationSum = byTenant(
      'series_fetch_duration_sum_seconds',
      'Time it takes to get all series of a block, from cache or bucket.',
      SECONDS,
    );
    this.postingsFetchDuration = byTenant(
      'postings_fetch_duration_seconds',
      'Time it takes to get the postings of a block, from cache or bucket.',
      SECONDS,
    );
    this.chunksFetchDuration = byTenant(
      'chunks_fetch_duration_seconds',
      'Time that requests for the chunks of a block took, added up.',
      SECONDS,
    );
    this.chunksFetchDurationSum = byTenant(
      'chunks_fetch_duration_sum_seconds',
      'Time it takes to get the chunks of a block.',
      SECONDS,
    );
    this.gateInFlight = metrics.gauge(
      `${PREFIX}series_gate_queries_in_flight`,
      'Calls for series that have their turn.',
    );
    metrics
      .gauge(`${PREFIX}series_gate_queries_max`, 'Calls for series that may have it at once.')
      .set(gateSize);
    this.gateTotal = counter('series_gate_queries_total', 'Calls for series that had their turn.');
    this.gateDuration = metrics.histogram(
      `${PREFIX}series_gate_queries_duration_seconds`,
      'How long calls for series waited for their turn.',
      GATE_SECONDS,
    );
    this.header = headerMetrics(metrics);
    this.pendingRequests = metrics.gauge(
      'thanos_store_server_pending_series_requests',
      'Calls for series that are under way.',
    );
    this.seriesRequested = metrics.histogram(
      'thanos_store_server_series_requested',
      'Series that calls were answered with.',
      exponential(1, 10, 7),
    );
    this.chunksRequested = metrics.histogram(
      'thanos_store_server_chunks_requested',
      'Chunks that calls were answered with.',
      [1, 100, 1000, 10_000, 100_000, 10_000_000, 100_000_000, 1_000_000_000],
    );
  }
}

/** The tenant of calls that name none. */
export const DEFAULT_TENANT = 'default-tenant';

function headerMetrics(metrics: MetricsRegistry): HeaderMetrics {
  const name = (what: string): string => `${PREFIX}indexheader_${what}`;
  const download = metrics.histogram(
    name('download_duration_seconds'),
    'Time it takes to make an index-header from the bucket.',
    LOAD_SECONDS,
  );
  const load = metrics.histogram(
    name('load_duration_seconds'),
    'Time it takes to open an index-header.',
    HEADER_SECONDS,
  );
  const lazyLoads = metrics.counter(name('lazy_load_total'), 'Index-headers opened by a query.');
  const lazyLoadFailures = metrics.counter(
    name('lazy_load_failed_total'),
    'Index-headers that a query failed to open.',
  );
  const lazyLoad = metrics.histogram(
    name('lazy_load_duration_seconds'),
    'Time it takes a query to open an index-header.',
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 120, 300],
  );
  const unloads = metrics.counter(
    name('lazy_unload_total'),
    'Index-headers that were closed because nobody used them.',
  );
  const unloadFailures = metrics.counter(
    name('lazy_unload_failed_total'),
    'Index-headers that failed to be closed.',
  );
  return {
    onDownload: (seconds) => download.observe(seconds),
    onLoad: (seconds) => load.observe(seconds),
    onLazyLoad: (seconds) => {
      lazyLoads.inc();
      lazyLoad.observe(seconds);
    },
    onLazyLoadFailed: () => {
      lazyLoads.inc();
      lazyLoadFailures.inc();
    },
    onLazyUnload: () => unloads.inc(),
    onLazyUnloadFailed: () => unloadFailures.inc(),
  };
}
