/** What a store gateway is made of. */
import type { CachingBucketConfig } from '../../bucket/caching-bucket/config.ts';
import type { BlockDiscoveryStrategy } from '../../bucket/fetch/block-lister.ts';
import type { IndexCacheConfig } from '../../bucket/index-cache/config.ts';
import type { StatusSource } from '../../http/api-status.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { TimeOrDuration } from '../../lib/time-or-duration.ts';
import type { Tracer } from '../../lib/tracing.ts';
import type { RelabelRule } from '../../model/relabel.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { GrpcRequestLog } from '../../ops/grpc-request-log.ts';
import type { HttpRequestLog } from '../../ops/http-request-log.ts';
import type { ServerTls } from '../../ops/tls-files.ts';
import type { WebConfig } from '../../ops/web-config.ts';
import type { SizeEstimates } from './loaded-block.ts';
import type { CallLimits, LazySettings } from './store-options.ts';

/** Settings of the process, from its flags. */
export interface GatewayOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly requestLogs: {
    readonly http: HttpRequestLog | undefined;
    readonly grpc: GrpcRequestLog | undefined;
  };
  /** Is closed in the end. */
  readonly bucket: Bucket;
  /** A cache in front of it; undefined for none. */
  readonly cachingBucket: CachingBucketConfig | undefined;
  /** Undefined keeps everything in memory. */
  readonly dataDir: string | undefined;
  readonly http: {
    readonly address: string;
    readonly gracePeriodMs: number;
    readonly web: WebConfig | undefined;
    /** Whether the API of blocks is served. */
    readonly blocksApi: boolean;
    /** The external label by which a viewer groups blocks. */
    readonly groupLabel: string;
    readonly disableAdminOperations: boolean;
    readonly disableCors: boolean;
  };
  readonly grpc: {
    readonly address: string;
    readonly gracePeriodMs: number;
    readonly maxConnectionAgeMs: number;
    readonly tls: ServerTls | undefined;
  };
  readonly sync: {
    readonly intervalMs: number;
    readonly strategy: BlockDiscoveryStrategy;
    readonly blockConcurrency: number;
    readonly metaConcurrency: number;
    readonly minTime: TimeOrDuration;
    readonly maxTime: TimeOrDuration;
    readonly selectorRules: readonly RelabelRule[];
    readonly consistencyDelayMs: number;
    readonly ignoreDeletionMarksDelayMs: number;
  };
  readonly headers: {
    readonly sampling: number;
    readonly lazy: boolean;
    readonly lazyDownload: boolean;
    readonly idleMs: number;
  };
  readonly estimates: SizeEstimates;
  readonly limits: CallLimits;
  readonly lazyPostings: LazySettings;
  readonly batchSize: number;
  readonly maxConcurrent: number;
  /** Bytes of chunks that all calls may hold. */
  readonly chunkPoolBytes: number;
  /** Undefined for none. */
  readonly indexCache: IndexCacheConfig | undefined;
  /** Compiled matchers that are kept; 0 for none. */
  readonly matcherCacheSize: number;
  readonly status: StatusSource;
}
