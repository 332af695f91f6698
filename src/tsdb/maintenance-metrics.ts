/** The metrics of maintenance, under Prometheus' names, for one tenant. */
import type { Counter, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';
import type { BlockCatalog } from './block-catalog.ts';

/** prometheus tsdb/compact.go: 1 s, doubled 13 times. */
const DURATION_BUCKETS = Array.from({ length: 14 }, (_, i) => 2 ** i);

/** Makes the families, once a process; `of` binds them to a tenant. */
export class MaintenanceFamilies {
  readonly #counter: (name: string, help: string) => (tenant: string) => Counter;
  readonly #gauge: (name: string, help: string) => (tenant: string) => Gauge;
  readonly #make: (tenant: string) => MaintenanceMetrics;

  constructor(metrics: MetricsRegistry) {
    this.#counter = (name, help) => {
      const family = metrics.counterFamily(`prometheus_tsdb_${name}`, help, ['tenant']);
      return (tenant) => family.with(tenant);
    };
    this.#gauge = (name, help) => {
      const family = metrics.gaugeFamily(`prometheus_tsdb_${name}`, help, ['tenant']);
      return (tenant) => family.with(tenant);
    };
    const seconds = metrics.histogramFamily(
      'prometheus_tsdb_compaction_duration_seconds',
      'Duration of compaction runs',
      DURATION_BUCKETS,
      ['tenant'],
    );
    this.#make = this.#families((tenant) => seconds.with(tenant));
  }

  /** The metrics of a tenant. */
  of(tenant: string): MaintenanceMetrics {
    return this.#make(tenant);
  }

  #families(seconds: (tenant: string) => Histogram): (tenant: string) => MaintenanceMetrics {
    const counter = this.#counter;
    const gauge = this.#gauge;
    const made = {
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
    const loaded = gauge('blocks_loaded', 'Blocks that are queried.');
    const broken = gauge('blocks_quarantined', 'Blocks that cannot be read.');
    const bytes = gauge('storage_blocks_bytes', 'Bytes of all blocks on disk.');
    const lowest = gauge('lowest_timestamp', 'Oldest time in blocks, ms.');
    return (tenant) => ({
      compactionsTriggered: made.compactionsTriggered(tenant),
      compactions: made.compactions(tenant),
      compactionsFailed: made.compactionsFailed(tenant),
      compactionSeconds: seconds(tenant),
      headTruncations: made.headTruncations(tenant),
      checkpoints: made.checkpoints(tenant),
      checkpointsFailed: made.checkpointsFailed(tenant),
      reloads: made.reloads(tenant),
      reloadsFailed: made.reloadsFailed(tenant),
      timeRetentions: made.timeRetentions(tenant),
      sizeRetentions: made.sizeRetentions(tenant),
      retentionsFailed: made.retentionsFailed(tenant),
      show: (catalog) => {
        const { blocks } = catalog;
        loaded(tenant).set(blocks.length);
        broken(tenant).set(catalog.broken.length);
        bytes(tenant).set(blocks.reduce((sum, block) => sum + block.bytes, 0));
        lowest(tenant).set(blocks[0]?.meta.minTime ?? 0);
      },
    });
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
