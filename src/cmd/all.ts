/** `thanos all`: flags to settings. */
import { join } from 'node:path';
import type { HashFunction } from '../bucket/block-files.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { openBucket, readBucketConfig } from '../objstore/config.ts';
import { parseLabels } from '../ops/flag-labels.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import { CodedError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Labels } from '../model/labels.ts';
import type { FsyncPolicy } from '../tsdb/wal/group-commit.ts';
import { runAll } from '../components/all/all.ts';
import type { RunOutcome } from '../ops/run-group.ts';
import type { Tracing } from '../ops/tracing/open-tracing.ts';
import type { WebConfig } from '../ops/web-config.ts';
import { formatDuration } from '../lib/duration.ts';
import type { PromqlEngine } from '../http/thanos-params.ts';
import { allCommand } from './all-flags.ts';
import { configOf } from './config-flags.ts';
import { promqlSettings } from './features.ts';
import type { ProgramFacts } from './program-facts.ts';
import type { GrpcListener, RequestLogs } from './process-setup.ts';
import {
  commandGrpc,
  commandLogger,
  commandRequestLogs,
  commandTracing,
  commandWeb,
  memoryBudget,
} from './process-setup.ts';

/** Its flags. */
export { allCommand as command } from './all-flags.ts';

/** What only the opening of files, keys and connections can tell. */
interface Setup {
  readonly bucket: Bucket;
  readonly grpc: GrpcListener;
  readonly web: WebConfig | undefined;
  readonly requestLogs: RequestLogs;
}

/** Runs the command until it ends. @throws CodedError bad_data for values that the grammar cannot check. */
export async function run(values: FlagValues, program: ProgramFacts): Promise<RunOutcome> {
  const externalLabels = parseLabels(values.strings('label'));
  if (values.number('query.max-concurrent') < 1) {
    throw new CodedError('bad_data', "flag '--query.max-concurrent': must be at least 1");
  }
  const log = commandLogger(values);
  for (const { name } of allCommand.flags.filter(({ idle }) => idle === true)) {
    if (values.isSet(name)) log.warn('flag has no effect', { flag: `--${name}` });
  }
  let tracing: Tracing | undefined;
  try {
    const memoryLimitBytes = memoryBudget(values, log);
    tracing = await commandTracing(values, log);
    const { build } = program;
    const setup = await openAll(values, log);
    log.info('starting thanos all', { version: build.version, node: process.versions.node });
    const { tracer } = tracing;
    return await runAll({
      ...options(values, { log, externalLabels, program, memoryLimitBytes }),
      ...setup,
      tracer,
    });
  } catch (error) {
    // The command line is fine, so this is no usage error.
    return { error, forced: false };
  } finally {
    await tracing?.close();
  }
}

async function openAll(values: FlagValues, log: Logger): Promise<Setup> {
  const grpc = await commandGrpc(values, log);
  const web = await commandWeb(values, log);
  const requestLogs = await commandRequestLogs(values, log);
  // A process that needs no bucket elsewhere keeps one beside its data.
  const config = (await readBucketConfig(configOf(values, 'objstore.config'))) ?? {
    type: 'FILESYSTEM',
    config: { directory: join(values.string('data-dir'), 'bucket') },
    prefix: '',
  };
  return { bucket: await openBucket(config, { log }), grpc, web, requestLogs };
}

interface Facts {
  readonly log: Logger;
  readonly externalLabels: Labels;
  readonly program: ProgramFacts;
  readonly memoryLimitBytes: number | undefined;
}

function options(values: FlagValues, { log, externalLabels, program, memoryLimitBytes }: Facts) {
  return {
    log,
    dataDir: values.string('data-dir'),
    tsdbPath: values.string('tsdb.path'),
    fsync: values.string('wal.fsync') as FsyncPolicy,
    outOfOrderWindowMs: values.number('tsdb.out-of-order.time-window'),
    exemplarsMax: values.number('tsdb.max-exemplars'),
    memorySnapshot: values.bool('tsdb.memory-snapshot-on-shutdown'),
    retention: {
      timeMs: values.number('tsdb.retention'),
      bytes: values.number('tsdb.max-retention-bytes'),
      asked: values.isSet('tsdb.retention') || values.isSet('tsdb.max-retention-bytes'),
    },
    blockReloadIntervalMs: values.number('tsdb.block-reload-interval'),
    uploadCompacted: values.bool('shipper.upload-compacted'),
    hash: values.string('hash-func') as HashFunction,
    externalLabels,
    replicaLabels: values.strings('query.replica-label'),
    httpAddress: values.string('http-address'),
    remoteWriteAddress: values.string('remote-write.address'),
    httpGracePeriodMs: values.number('http-grace-period'),
    maxBodyBytes: values.number('remote-write.max-body-size'),
    disableCors: values.bool('web.disable-cors'),
    queryTimeoutMs: values.number('query.timeout'),
    queryMaxConcurrent: values.number('query.max-concurrent'),
    lookbackDeltaMs: values.number('query.lookback-delta'),
    promqlEngine: values.string('query.promql-engine') as PromqlEngine,
    maxSamples: values.number('query.max-samples'),
    defaultStepMs: values.number('query.default-evaluation-interval'),
    activeQueryPath: values.string('query.active-query-path'),
    queryLogFile: values.string('query.log-file'),
    promql: promqlSettings(values.strings('enable-feature'), log),
    adminApi: values.bool('web.enable-admin-api'),
    remoteRead: {
      sampleLimit: values.number('storage.remote.read-sample-limit'),
      frameBytesMax: values.number('storage.remote.read-max-bytes-in-frame'),
    },
    remoteReadMaxConcurrent: values.number('storage.remote.read-concurrent-limit'),
    status: {
      build: program.build,
      flags: values.show(),
      startTimeMs: Date.now() - Math.round(performance.now()),
      workingDirectory: process.cwd(),
      storageRetention: formatDuration(values.number('tsdb.retention')),
      memoryLimitBytes,
    },
    workerUrl: program.workerUrl,
  };
}
