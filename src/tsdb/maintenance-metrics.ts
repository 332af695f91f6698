/** The metrics of maintenance, under Prometheus' names, for one tenant. */
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';
import type { BlockCatalog } from './block-catalog.ts';

/** prometheus tsdb/compact.go: 1 s, doubled 13 times. */
const DURATION_BUCKETS = Array.from({ length: 14 }, (_, i) => 2 ** i);

/** The families, made once a process; {@link MaintenanceFamilies.of} binds them to a tenant. */
export class MaintenanceFamilies {
  readonly #counters;
  readonly #gauges;
  readonly #seconds: Family<Histogram>;

  constructor(metrics: MetricsRegistry) {
    const counter = (name: string, help: string): Family<Counter> =>
      metrics.counterFamily(`prometheus_tsdb_${name}`, help, ['tenant']);
    const gauge = (name: string, help: string): Family<Gauge> =>
      metrics.gaugeFamily(`prometheus_tsdb_${name}`, help, ['tenant']);
    this.#counters = {
      compactionsTriggered: counter('compactions_triggered_total', 'Block cuts that were begun.'),
      compactions: counter('compactions_total', 'Blocks that were made.'),
      compactionsFailed: counter('compactions_failed_total', 'Block cuts that failed.'),
      headTruncations: counter('head_truncations_total', 'Truncations of the head.'),
      checkpoints: counter('checkpoint_creations_total', 'WAL checkpoints that were made.'),
      checkpointsFailed: counter(
        'checkpoint_creations_failed_total',
        'WAL checkpoints that failed.',
      ),
      reloads: counter('reloads_total', 'Times that blocks were read from disk anew.'),
      reloadsFailed: counter('reloads_failures_total', 'Times that blocks could not be read anew.'),
      timeRetentions: counter('time_retentions_total', 'Blocks removed for being too old.'),
      sizeRetentions: counter('size_retentions_total', 'Blocks removed for taking too much space.'),
      retentionsFailed: counter('retentions_failed_total', 'Rounds of retention that failed.'),
    };
    this.#gauges = {
      loaded: gauge('blocks_loaded', 'Blocks that are queried.'),
      quarantined: gauge('blocks_quarantined', 'Blocks that cannot be read.'),
      bytes: gauge('storage_blocks_bytes', 'Bytes of all blocks on disk.'),
      lowest: gauge('lowest_timestamp', 'Oldest time in blocks, ms.'),
    };
    this.#seconds = metrics.histogramFamily(
      'prometheus_tsdb_compaction_duration_seconds',
      'Duration of compaction runs',
      DURATION_BUCKETS,
      ['tenant'],
    );
  }

  /** The metrics of a tenant. */
  of(tenant: string): MaintenanceMetrics {
    const counters = this.#counters;
    const { loaded, quarantined, bytes, lowest } = this.#gauges;
    return {
      compactionsTriggered: counters.compactionsTriggered.with(tenant),
      compactions: counters.compactions.with(tenant),
      compactionsFailed: counters.compactionsFailed.with(tenant),
      compactionSeconds: this.#seconds.with(tenant),
      headTruncations: counters.headTruncations.with(tenant),
      checkpoints: counters.checkpoints.with(tenant),
      checkpointsFailed: counters.checkpointsFailed.with(tenant),
      reloads: counters.reloads.with(tenant),
      reloadsFailed: counters.reloadsFailed.with(tenant),
      timeRetentions: counters.timeRetentions.with(tenant),
      sizeRetentions: counters.sizeRetentions.with(tenant),
      retentionsFailed: counters.retentionsFailed.with(tenant),
      show: ({ blocks, broken }) => {
        loaded.with(tenant).set(blocks.length);
        quarantined.with(tenant).set(broken.length);
        bytes.with(tenant).set(blocks.reduce((sum, block) => sum + block.bytes, 0));
        lowest.with(tenant).set(blocks[0]?.meta.minTime ?? 0);
      },
    };
  }
}

/** What maintenance counts. */
export interface MaintenanceMetrics {
  readonly compactionsTriggered: Counter;
  readonly compactions: Counter;
  readonly compactionsFailed: Counter;
  readonly compactionSeconds: Histogram;
  readonly headTruncations: Counter;
  readonly checkpoints: Counter;
  readonly checkpointsFailed: Counter;
  readonly reloads: Counter;
  readonly reloadsFailed: Counter;
  readonly timeRetentions: Counter;
  readonly sizeRetentions: Counter;
  readonly retentionsFailed: Counter;
  /** Sets the gauges to what the catalog says. */
  show(catalog: BlockCatalog): void;
}
