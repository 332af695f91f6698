/** What the calls of a store gateway share. */
import type { BufferPool } from '../../bucket/read/buffer-pool.ts';
import type { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import type { ByteBudget } from '../../bucket/read/limits.ts';
import type { ReadCache } from '../../bucket/read/stored-block.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Gate } from '../../lib/gate.ts';
import type { Logger } from '../../lib/log.ts';
import type { SeriesRun } from '../../bucket/read/series-run.ts';
import type { BucketStore } from './bucket-store.ts';
import type { LoadedBlock } from './loaded-block.ts';
import type { StoreMetrics } from './store-metrics.ts';

/** Limits of one call; 0 is none. */
export interface CallLimits {
  readonly series: number;
  readonly chunks: number;
  readonly bytes: number;
}

/** Lazy expansion of postings. */
export interface LazySettings {
  readonly enabled: boolean;
  readonly maxKeySeriesRatio: number;
}

/** What a call's answer has beside the series of the bucket: `thanos all` has a TSDB. */
export interface CallCompany {
  /** Further series, each stream in the order of labels. */
  readonly streams: readonly AsyncIterable<SeriesRun>[];
  /** Whether a block is left out, because its samples come from elsewhere. */
  readonly isHeld: (block: LoadedBlock) => boolean;
  /** Whether blocks that fail become warnings; otherwise they end the call. */
  readonly isTolerant: boolean;
  /** What is missing from the answer; streams add to it, and it is sent in the end. */
  readonly warnings: string[];
}

/** Everything that calls need. */
export interface StoreCallOptions {
  readonly store: BucketStore;
  readonly metrics: StoreMetrics;
  readonly cache: ReadCache | undefined;
  readonly framer: ChunkFramer;
  readonly pool: BufferPool;
  readonly budget: ByteBudget;
  readonly gate: Gate;
  readonly limits: CallLimits;
  readonly lazy: LazySettings;
  /** Entries that are read at a time. */
  readonly batchSize: number;
  /** The times that are served, ms, both inclusive. */
  readonly timeRange: () => { readonly mint: number; readonly maxt: number };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Which part of the series are taken to be left by each group of postings, as Thanos has it. */
export const SERIES_MATCH_RATIO = 0.5;
