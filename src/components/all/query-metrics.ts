/** Metrics of queries: those of Prometheus' engine with the labels that Thanos gives them, and of Thanos' gate. */
import type { QueryStatistics, QueryTimings } from '../../http/query-stats.ts';
import type { Counter, Gauge, Histogram, MetricsRegistry, Summary } from '../../lib/metrics.ts';

/** Seconds; Thanos' buckets of the gate's histogram. */
const WAIT_BUCKETS = [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];

/** Seconds; Prometheus' buckets and quantiles of the parts of a query. */
const SLICE_BUCKETS = [0.01, 0.1, 1, 10];
const SLICE_QUANTILES = [0.5, 0.9, 0.99];

/** The slices of a query by their names in its statistics. */
const SLICES = {
  execQueueTime: 'queue_time',
  queryPreparationTime: 'prepare_time',
  innerEvalTime: 'inner_eval',
  resultSortTime: 'result_sort',
} as const satisfies Partial<Record<keyof QueryTimings, string>>;

type Slice = keyof typeof SLICES;

const ENGINE_LABELS = ['engine', 'mode'];
const ENGINE_VALUES = ['prometheus', 'local'] as const;

/** What happens at the gate. */
export interface GateMetrics {
  readonly inFlight: Gauge;
  readonly entered: Counter;
  readonly waited: Histogram;
}

/** Registers the metrics of the gate in front of everything that is asked of the storage. */
export function registerGate(metrics: MetricsRegistry, size: number): GateMetrics {
  const name = 'thanos_query_concurrent_gate_queries';
  metrics.gauge(`${name}_max`, 'Number of maximum concurrent queries.').set(size);
  return {
    inFlight: metrics.gauge(`${name}_in_flight`, 'Number of queries that are currently in flight.'),
    entered: metrics.counter(`${name}_total`, 'Total number of queries.'),
    waited: metrics.histogram(
      `${name}_duration_seconds`,
      'How many seconds it took for queries to wait at the gate.',
      WAIT_BUCKETS,
    ),
  };
}

/** The engine's metrics. */
export class EngineMetrics {
  /** Queries that run or wait. */
  readonly queries: Gauge;
  readonly logEnabled: Gauge;
  readonly logFailures: Counter;
  readonly #samples: Counter;
  readonly #slices: Record<Slice, { readonly summary: Summary; readonly histogram: Histogram }>;

  constructor(metrics: MetricsRegistry, concurrentMax: number) {
    const gauge = (name: string, help: string) =>
      metrics.gaugeFamily(`prometheus_engine_${name}`, help, ENGINE_LABELS).with(...ENGINE_VALUES);
    const counter = (name: string, help: string) =>
      metrics
        .counterFamily(`prometheus_engine_${name}`, help, ENGINE_LABELS)
        .with(...ENGINE_VALUES);
    this.queries = gauge('queries', 'The current number of queries being executed or waiting.');
    gauge('queries_concurrent_max', 'The max number of concurrent queries.').set(concurrentMax);
    this.logEnabled = gauge('query_log_enabled', 'State of the query log.');
    this.logFailures = counter('query_log_failures_total', 'The number of query log failures.');
    this.#samples = counter(
      'query_samples_total',
      'The total number of samples loaded by all queries (full window per step for range-vector).',
    );
    this.#slices = registerSlices(metrics);
  }

  /** Counts what a query cost; the time in the queue is counted by {@link queued}. */
  ran({ timings, samples }: QueryStatistics): void {
    for (const slice of ['queryPreparationTime', 'innerEvalTime', 'resultSortTime'] as const) {
      const seconds = timings[slice];
      // Only a matrix is sorted.
      if (seconds !== undefined && seconds > 0) this.#observe(slice, seconds);
    }
    this.#samples.inc(samples?.totalQueryableSamples ?? 0);
  }

  /** Counts how long a query waited, also one that never ran. */
  queued(seconds: number): void {
    this.#observe('execQueueTime', seconds);
  }

  #observe(slice: Slice, seconds: number): void {
    const { summary, histogram } = this.#slices[slice];
    summary.observe(seconds);
    histogram.observe(seconds);
  }
}

function registerSlices(
  metrics: MetricsRegistry,
): Record<Slice, { readonly summary: Summary; readonly histogram: Histogram }> {
  const labels = [...ENGINE_LABELS, 'slice'];
  const summaries = metrics.summaryFamily(
    'prometheus_engine_query_duration_seconds',
    'Query timings',
    SLICE_QUANTILES,
    labels,
  );
  const histograms = metrics.histogramFamily(
    'prometheus_engine_query_duration_histogram_seconds',
    'The duration of various parts of PromQL query execution.',
    SLICE_BUCKETS,
    labels,
  );
  const cells = (slice: Slice) => ({
    summary: summaries.with(...ENGINE_VALUES, SLICES[slice]),
    histogram: histograms.with(...ENGINE_VALUES, SLICES[slice]),
  });
  return {
    execQueueTime: cells('execQueueTime'),
    queryPreparationTime: cells('queryPreparationTime'),
    innerEvalTime: cells('innerEvalTime'),
    resultSortTime: cells('resultSortTime'),
  };
}
