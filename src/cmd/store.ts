/** `thanos store`: flags to settings. */
import { runGateway } from '../components/gateway/gateway.ts';
import type { CachingBucketConfig } from '../bucket/caching-bucket/config.ts';
import { parseCachingBucketConfig } from '../bucket/caching-bucket/config.ts';
import type { IndexCacheConfig } from '../bucket/index-cache/config.ts';
import { indexCacheOfSize, parseIndexCacheConfig } from '../bucket/index-cache/config.ts';
import type { BlockDiscoveryStrategy } from '../bucket/fetch/block-lister.ts';
import { systemClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import { parseTimeOrDuration, resolveTime } from '../lib/time-or-duration.ts';
import { parseRelabelConfig, SELECTOR_ACTIONS } from '../model/relabel-config.ts';
import { openBucket, readBucketConfig } from '../objstore/config.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import type { RunOutcome } from '../ops/run-group.ts';
import type { Tracer } from '../lib/tracing.ts';
import { configOf } from './config-flags.ts';
import type { ProgramFacts } from './program-facts.ts';
import {
  commandGrpc,
  commandLogger,
  commandRequestLogs,
  commandTracing,
  commandWeb,
  memoryBudget,
} from './process-setup.ts';

/** Samples of a chunk, by which a limit of samples becomes one of chunks. */
const SAMPLES_PER_CHUNK = 120;

/** Its flags. */
export { storeCommand as command } from './store-flags.ts';

/** Runs the command until it ends. Never rejects. */
export async function run(values: FlagValues, program: ProgramFacts): Promise<RunOutcome> {
  const log = commandLogger(values);
  try {
    const memoryLimitBytes = memoryBudget(values, log);
    const tracing = await commandTracing(values, log);
    try {
      return await runStore(values, program, { log, tracer: tracing.tracer, memoryLimitBytes });
    } finally {
      await tracing.close();
    }
  } catch (error) {
    return { error, forced: false };
  }
}

interface Setup {
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly memoryLimitBytes: number | undefined;
}

async function runStore(
  values: FlagValues,
  { build }: ProgramFacts,
  { log, tracer, memoryLimitBytes }: Setup,
): Promise<RunOutcome> {
  const clock = systemClock;
  const times = timeRange(values, clock.now());
  checkCounts(values);
  const config = await readBucketConfig(configOf(values, 'objstore.config'));
  if (config === undefined) {
    throw new CodedError(
      'bad_data',
      'flag objstore.config-file or objstore.config is required for running this command and content cannot be empty.',
    );
  }
  if ((await readPathOrContent(configOf(values, 'objstore-parquet.config'))) !== undefined) {
    throw new CodedError('not_implemented', '--objstore-parquet.config is not implemented yet');
  }
  const selector = await readPathOrContent(configOf(values, 'selector.relabel-config'));
  const selectorRules = await parseRelabelConfig(selector, SELECTOR_ACTIONS);
  const grpc = await commandGrpc(values, log);
  const web = await commandWeb(values, log);
  const requestLogs = await commandRequestLogs(values, log);
  const bucket = await openBucket(config, { clock, log });
  log.info('starting store node', { version: build.version, node: process.versions.node });
  return runGateway({
    log,
    clock,
    tracer,
    requestLogs,
    bucket,
    dataDir: values.bool('cache-index-header') ? values.string('data-dir') : undefined,
    http: {
      address: values.string('http-address'),
      gracePeriodMs: values.number('http-grace-period'),
      web,
      blocksApi: !values.bool('web.disable'),
      groupLabel: values.string('bucket-web-label'),
      disableAdminOperations: values.bool('disable-admin-operations'),
      disableCors: values.bool('web.disable-cors'),
    },
    grpc,
    sync: {
      ...times,
      intervalMs: values.number('sync-block-duration'),
      strategy: values.string('block-discovery-strategy') as BlockDiscoveryStrategy,
      blockConcurrency: values.number('block-sync-concurrency'),
      metaConcurrency: values.number('block-meta-fetch-concurrency'),
      selectorRules,
      consistencyDelayMs: values.number('consistency-delay'),
      ignoreDeletionMarksDelayMs: values.number('ignore-deletion-marks-delay'),
    },
    headers: {
      sampling: values.number('store.index-header-posting-offsets-in-mem-sampling'),
      lazy: values.bool('store.enable-index-header-lazy-reader'),
      lazyDownload: values.string('store.index-header-lazy-download-strategy') === 'lazy',
      idleMs: values.number('store.index-header-lazy-reader-idle-timeout'),
    },
    estimates: {
      seriesBytes: values.number('debug.estimated-max-series-size'),
      chunkBytes: values.number('debug.estimated-max-chunk-size'),
    },
    limits: {
      series: either(values, 'store.limits.request-series', 'store.grpc.touched-series-limit'),
      chunks: Math.floor(
        either(values, 'store.limits.request-samples', 'store.grpc.series-sample-limit') /
          SAMPLES_PER_CHUNK,
      ),
      bytes: values.number('store.grpc.downloaded-bytes-limit'),
    },
    lazyPostings: {
      enabled: values.bool('store.enable-lazy-expanded-postings'),
      maxKeySeriesRatio: values.number('store.posting-group-max-key-series-ratio'),
    },
    batchSize: values.number('debug.series-batch-size'),
    maxConcurrent: values.number('store.grpc.series-max-concurrency'),
    chunkPoolBytes: values.number('chunk-pool-size'),
    matcherCacheSize: values.number('matcher-cache-size'),
    indexCache: await indexCacheConfig(values),
    cachingBucket: await cachingBucketConfig(values),
    status: {
      build,
      flags: values.show(),
      startTimeMs: Date.now() - Math.round(performance.now()),
      workingDirectory: process.cwd(),
      storageRetention: '',
      memoryLimitBytes,
    },
  });
}

async function indexCacheConfig(values: FlagValues): Promise<IndexCacheConfig> {
  const source = await readPathOrContent(configOf(values, 'index-cache.config'));
  return source === undefined
    ? indexCacheOfSize(values.number('index-cache-size'))
    : parseIndexCacheConfig(source);
}

async function cachingBucketConfig(values: FlagValues): Promise<CachingBucketConfig | undefined> {
  const name = 'store.caching-bucket.config';
  const source = await readPathOrContent(configOf(values, name));
  if (source === undefined) return undefined;
  return parseCachingBucketConfig(source, values.string(`${name}-file`));
}

/** The value of a flag, or of the deprecated one that stands for it when only that is given. */
function either(values: FlagValues, name: string, deprecated: string): number {
  return values.isSet(name) || !values.isSet(deprecated)
    ? values.number(name)
    : values.number(deprecated);
}

function timeRange(values: FlagValues, now: number) {
  const [min, max] = [values.string('min-time'), values.string('max-time')];
  const minTime = parseTimeOrDuration(min);
  const maxTime = parseTimeOrDuration(max);
  if (resolveTime(minTime, now) > resolveTime(maxTime, now)) {
    throw new CodedError(
      'bad_data',
      `invalid argument: --min-time '${min}' can't be greater than --max-time '${max}'`,
    );
  }
  return { minTime, maxTime };
}

function checkCounts(values: FlagValues): void {
  const refuse = (text: string): never => {
    throw new CodedError('bad_data', text);
  };
  if (values.number('block-sync-concurrency') < 1) {
    refuse('validate config: the block sync concurrency must be equal or greater than 1.');
  }
  const concurrency = values.number('store.grpc.series-max-concurrency');
  if (concurrency < 0) {
    refuse(`max concurrency value cannot be lower than 0 (got ${concurrency})`);
  }
  for (const name of [
    'block-meta-fetch-concurrency',
    'debug.series-batch-size',
    'debug.estimated-max-series-size',
    'debug.estimated-max-chunk-size',
    'store.index-header-posting-offsets-in-mem-sampling',
  ]) {
    if (values.number(name) < 1) refuse(`flag '--${name}': must be at least 1`);
  }
}
