/**
 * The blocks that a component works with: those of the bucket behind a list of filters, with figures about the rest.
 * Behaviour: thanos pkg/block/fetcher.go (MetaFetcher).
 */
import type { Clock } from '../../lib/clock.ts';
import { CodedError, errorCode, errorText } from '../../lib/errors.ts';
import { formatGoDuration } from '../../lib/go-duration.ts';
import type { Logger } from '../../lib/log.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import type { BlockMark, MarkKind } from '../markers.ts';
import type { BaseFetcher, BucketView } from './base-fetcher.ts';
import type { ListedBlock } from './block-lister.ts';
import { type FetchMetrics, SyncFigures } from './fetch-metrics.ts';
import type { FilterContext, MetaFilter } from './meta-filter.ts';

/** Marks by block. */
export type MarksOfKind = ReadonlyMap<string, BlockMark>;

/** The blocks of a sync, each map in the order of ULIDs. */
export interface FetchResult {
  /** What the filters have left. */
  readonly metas: ReadonlyMap<string, BlockMeta>;
  /** Blocks without meta.json (`not_found`) or with a broken one (`corrupt`), and why. */
  readonly partial: ReadonlyMap<string, CodedError>;
  /** What the listing said about every block, those that filters dropped and partial ones included. */
  readonly listed: ReadonlyMap<string, ListedBlock>;
  /** The marks that filters read; empty where none did. */
  readonly marks: Readonly<Record<MarkKind, MarksOfKind>>;
  /** Blocks that were dropped because others hold all that they hold. */
  readonly duplicates: readonly string[];
  /**
   * Says that the view is incomplete: the metas are right, and what is missing may be there all the same. Nobody may
   * conclude from it that a block has left.
   */
  readonly error?: CodedError;
}

/** What a fetcher is made of. */
export interface MetaFetcherOptions {
  readonly base: BaseFetcher;
  /** In the order in which blocks pass them. */
  readonly filters: readonly MetaFilter[];
  readonly metrics: FetchMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after each sync; with no metas and an error when it failed altogether. */
  readonly onChange?:
    | ((metas: readonly BlockMeta[], error: CodedError | undefined) => void)
    | undefined;
}

/** Syncs when asked. Syncs may run side by side; the one that ends last is the one that the metrics show. */
export class MetaFetcher {
  readonly #options: MetaFetcherOptions;

  constructor(options: MetaFetcherOptions) {
    this.#options = options;
  }

  /** @throws CodedError canceled; what the bucket says when it cannot be listed, or when a filter fails. */
  async fetch(signal?: AbortSignal): Promise<FetchResult> {
    const { metrics, clock, onChange } = this.#options;
    const figures = new SyncFigures();
    const start = clock.monotonic();
    let result: FetchResult | undefined;
    let failure: CodedError | undefined;
    metrics.syncs.inc();
    try {
      result = await this.#sync(figures, signal);
      failure = result.error;
      if (failure === undefined) this.#logSuccess(result, clock.monotonic() - start);
      return result;
    } catch (thrown) {
      failure =
        thrown instanceof CodedError
          ? thrown
          : new CodedError('internal', errorText(thrown), { cause: thrown });
      throw failure;
    } finally {
      metrics.syncDuration.observe((clock.monotonic() - start) / 1000);
      if (failure !== undefined) metrics.syncFailures.inc();
      metrics.publish(figures);
      onChange?.([...(result?.metas.values() ?? [])], failure);
    }
  }

  async #sync(figures: SyncFigures, signal: AbortSignal | undefined): Promise<FetchResult> {
    const { base, filters } = this.#options;
    const view = await base.fetch(signal);
    figures.addSynced('failed', view.failedCount);
    for (const { code } of view.partial.values()) {
      figures.addSynced(code === 'corrupt' ? 'corrupted-meta-json' : 'no-meta-json', 1);
    }
    const found = new Found();
    const context = this.#context(view, figures, found, signal);
    let { metas } = view;
    for (const filter of filters) {
      try {
        metas = await filter(metas, context);
      } catch (thrown) {
        // compat: Go's prefix.
        const text = `filter metas: ${errorText(thrown)}`;
        throw new CodedError(errorCode(thrown), text, { cause: thrown });
      }
    }
    figures.addSynced('loaded', metas.size);
    const { partial, listed, error } = view;
    const { marks, duplicates } = found;
    return { metas, partial, listed, marks, duplicates, ...(error !== undefined && { error }) };
  }

  #context(
    { listed }: BucketView,
    figures: SyncFigures,
    found: Found,
    signal: AbortSignal | undefined,
  ): FilterContext {
    const { clock, log } = this.#options;
    return {
      now: clock.now(),
      listed,
      log,
      signal,
      synced: (state, count) => figures.addSynced(state, count),
      modified: (modification, count) => figures.addModified(modification, count),
      marked: (kind, marks) => {
        found.marks[kind] = marks;
      },
      duplicates: (ulids) => found.duplicates.push(...ulids),
    };
  }

  #logSuccess({ metas, partial }: FetchResult, durationMs: number): void {
    const { base, log } = this.#options;
    log.info('successfully synchronized block metadata', {
      duration: formatGoDuration(durationMs),
      duration_ms: Math.floor(durationMs),
      cached: base.cachedCount,
      returned: metas.size,
      partial: partial.size,
    });
  }
}

/** What filters found on the way. */
class Found {
  readonly marks: Record<MarkKind, MarksOfKind> = {
    deletion: new Map(),
    'no-compact': new Map(),
    'no-downsample': new Map(),
  };
  readonly duplicates: string[] = [];
}
