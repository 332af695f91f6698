/** The metrics of meta fetchers: names, labels and values at the start as thanos pkg/block/fetcher.go has them. */
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import type { BaseFetcherMetrics } from './base-fetcher.ts';
import type { Modification, SyncState } from './meta-filter.ts';

/** The states that have a value before the first sync. */
const STATES: readonly SyncState[] = [
  'corrupted-meta-json',
  'no-meta-json',
  'loaded',
  'too-fresh',
  'failed',
  'label-excluded',
  'time-excluded',
  'duplicate',
  'marked-for-deletion',
  'marked-for-no-compact',
  'parquet-migrated',
];

const MODIFICATIONS: readonly Modification[] = ['replica-label-removed'];

const DURATION_BUCKETS = [0.01, 1, 10, 100, 300, 600, 1000];

/** What precedes `blocks_meta_…`: `thanos_bucket_ui` without underscore for block viewers, nothing for replicate. */
export type MetricPrefix = 'thanos_' | 'thanos_bucket_ui' | '';

/** Registers what a base fetcher counts; once a registry and prefix. */
export function registerBaseFetcherMetrics(
  registry: MetricsRegistry,
  prefix: MetricPrefix = 'thanos_',
): BaseFetcherMetrics {
  return {
    syncs: registry.counter(
      `${prefix}blocks_meta_base_syncs_total`,
      'Looks at the blocks of the bucket.',
    ),
    cacheBusts: registry.counter(
      `${prefix}blocks_meta_base_cache_busts_total`,
      'Metas in the cache that were read again because the bucket had a newer one.',
    ),
  };
}

/** Registers the consistency delay as a value to look up; once a registry. */
export function registerConsistencyDelay(registry: MetricsRegistry, delayMs: number): void {
  const help = 'How old blocks must be to be seen, in seconds.';
  registry.gauge('thanos_consistency_delay_seconds', help).set(delayMs / 1000);
}

/** The figures of one sync. Nothing of it shows before {@link FetchMetrics.publish}. */
export class SyncFigures {
  readonly synced = new Map<SyncState, number>();
  readonly modified = new Map<Modification, number>();

  /** Adds to the blocks in a state. */
  addSynced(state: SyncState, count: number): void {
    this.synced.set(state, (this.synced.get(state) ?? 0) + count);
  }

  /** Adds to the modified blocks. */
  addModified(modification: Modification, count: number): void {
    this.modified.set(modification, (this.modified.get(modification) ?? 0) + count);
  }
}

/** What a fetcher with filters counts; once a registry and prefix. */
export class FetchMetrics {
  readonly syncs: Counter;
  readonly syncFailures: Counter;
  readonly syncDuration: Histogram;
  readonly #synced: StateGauges<SyncState>;
  readonly #modified: StateGauges<Modification>;

  constructor(registry: MetricsRegistry, prefix: MetricPrefix = 'thanos_') {
    const name = (rest: string): string => `${prefix}blocks_meta_${rest}`;
    this.syncs = registry.counter(name('syncs_total'), 'Syncs of the view of the bucket.');
    this.syncFailures = registry.counter(
      name('sync_failures_total'),
      'Syncs that failed, or that gave an incomplete view.',
    );
    this.syncDuration = registry.histogram(
      name('sync_duration_seconds'),
      'How long syncs take, in seconds.',
      DURATION_BUCKETS,
    );
    this.#synced = new StateGauges(
      registry.gaugeFamily(name('synced'), 'Blocks by what became of them.', ['state']),
      STATES,
    );
    this.#modified = new StateGauges(
      registry.gaugeFamily(name('modified'), 'Blocks whose meta was changed on the way.', [
        'modified',
      ]),
      MODIFICATIONS,
    );
  }

  /** Shows the figures of a sync in place of those of the one before it. */
  publish(figures: SyncFigures): void {
    this.#synced.publish(figures.synced);
    this.#modified.publish(figures.modified);
  }
}

/** Gauges that change together. */
class StateGauges<S extends string> {
  readonly #family: Family<Gauge>;
  readonly #states: Set<S>;

  constructor(family: Family<Gauge>, states: readonly S[]) {
    this.#family = family;
    this.#states = new Set(states);
    for (const state of states) family.with(state).set(0);
  }

  publish(counts: ReadonlyMap<S, number>): void {
    for (const state of counts.keys()) this.#states.add(state);
    for (const state of this.#states) this.#family.with(state).set(counts.get(state) ?? 0);
  }
}
