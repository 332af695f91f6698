/** `thanos all`: flags to settings. */
import { parseLabels } from '../ops/flag-labels.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import { createLogger } from '../ops/log.ts';
import type { LogFormat } from '../ops/log.ts';
import type { LogLevel } from '../lib/log.ts';
import type { FsyncPolicy } from '../tsdb/wal/group-commit.ts';
import { runAll } from '../components/all/all.ts';
import type { RunOutcome } from '../ops/run-group.ts';
import { formatDuration } from '../lib/duration.ts';
import type { BuildInfoData } from '../http/api-status.ts';

/** Runs the command until it ends. @throws CodedError bad_data for values that the grammar cannot check. */
export function runAllCommand(
  values: FlagValues,
  build: BuildInfoData,
  workerUrl: URL,
): Promise<RunOutcome> {
  const externalLabels = parseLabels(values.strings('label'));
  const log = createLogger({
    level: values.string('log.level') as LogLevel,
    format: values.string('log.format') as LogFormat,
  });
  log.info('starting thanos all', { version: build.version, node: process.versions.node });
  if (values.isSet('tsdb.retention')) {
    log.warn('--tsdb.retention is not applied yet: blocks are not cut, nothing is deleted');
  }
  return runAll({
    log,
    dataDir: values.string('data-dir'),
    tsdbPath: values.string('tsdb.path'),
    fsync: values.string('wal.fsync') as FsyncPolicy,
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
    maxSamples: values.number('query.max-samples'),
    status: {
      build,
      flags: values.show(),
      startTimeMs: Date.now() - Math.round(performance.now()),
      workingDirectory: process.cwd(),
      storageRetention: formatDuration(values.number('tsdb.retention')),
    },
    workerUrl,
  });
}
