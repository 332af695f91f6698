/** What commands of `tools bucket` share: opening the bucket of the flags, and reading its blocks in time. */
import { statSync } from 'node:fs';
import { systemClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { FlagSpec, FlagValues } from '../ops/flag-spec.ts';
import { withDeadline } from '../ops/deadline.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import type { CommandContext } from './command-tree.ts';
import { configOf } from './config-flags.ts';
import { fetchBlocks } from '../components/tools/fetch-blocks.ts';
import { openBucket, readBucketConfig } from '../objstore/config.ts';

const MINUTE_MS = 60_000;

/** The row of the flag that {@link withBlocks} needs. */
export const TIMEOUT_FLAG: FlagSpec = {
  name: 'timeout',
  kind: 'duration',
  default: '5m',
  help: 'Timeout to download metadata from remote storage.',
};

/** An open bucket, and its blocks by ULID, in order. */
export interface BucketBlocks {
  readonly bucket: Bucket;
  readonly metas: Map<string, BlockMeta>;
  /** Fires when the command is stopped or the timeout has passed. */
  readonly signal: AbortSignal;
}

/** Opens the bucket of the flags, reads its blocks, does the work and closes it. */
export async function withBlocks(
  { values, log, signal }: CommandContext,
  work: (blocks: BucketBlocks) => Promise<void>,
): Promise<void> {
  const timeoutMs = values.number('timeout');
  if (timeoutMs < MINUTE_MS) log.warn('Timeout less than 1m could lead to frequent failures');
  const bucket = await openFlagBucket(values, log);
  try {
    const limited = withDeadline(signal, timeoutMs, 'reading the metadata of blocks');
    const metas = await fetchBlocks(bucket, { clock: systemClock, log, signal: limited });
    await work({ bucket, metas, signal: limited });
  } finally {
    await bucket.close();
  }
}

/** The bucket of the flags. @throws CodedError bad_data when none is given or the configuration is wrong. */
async function openFlagBucket(values: FlagValues, log: Logger): Promise<Bucket> {
  const config = await readBucketConfig(configOf(values, 'objstore.config'));
  if (config === undefined) {
    throw new CodedError(
      'bad_data',
      'flag objstore.config-file or objstore.config is required for running this command and content cannot be empty.',
    );
  }
  if (config.type === 'FILESYSTEM') checkDirectory(config.config.directory, log);
  return openBucket(config, { log });
}

function checkDirectory(directory: string, log: Logger): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    throw new CodedError('bad_data', `the bucket ${directory} is not a directory`);
  }
  if (found === undefined) {
    log.warn('the directory of the bucket does not exist, so there are no blocks', { directory });
  }
}
