/**
 * `--objstore.config` and `--objstore.config-file`: `{type, config, prefix}`. Behaviour: objstore client/factory.go;
 * docs/storage.md describes it.
 */
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { PathOrContent } from '../lib/path-or-content.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import type { StrictYaml, YamlSource } from '../lib/strict-yaml.ts';
import { parseStrictYaml } from '../lib/strict-yaml.ts';
import { type Bucket, directoryPrefix } from './bucket.ts';
import { FilesystemBucket } from './filesystem.ts';
import { prefixedBucket } from './prefixed.ts';

/** Configuration of a bucket, complete and checked. */
export interface BucketConfig {
  readonly type: 'FILESYSTEM';
  readonly config: FilesystemConfig;
  /** Without slashes at its ends; '' for none. */
  readonly prefix: string;
}

/** Where a bucket of type FILESYSTEM lies. */
export interface FilesystemConfig {
  /** A relative path is relative to where the process was started. */
  readonly directory: string;
}

/** Types that Thanos has and this version does not. */
const NOT_YET = ['S3', 'GCS', 'AZURE', 'SWIFT', 'COS', 'ALIYUNOSS', 'BOS', 'OCI', 'OBS'];

/**
 * The bucket that the two flags describe; undefined when none does.
 * @throws CodedError bad_data with file, line and field; not_implemented for a type that is not here yet.
 */
export async function readBucketConfig(flags: PathOrContent): Promise<BucketConfig | undefined> {
  const source = await readPathOrContent(flags);
  return source === undefined ? undefined : parseBucketConfig(source);
}

/** Reads the text of a configuration. @throws CodedError as {@link readBucketConfig}. */
export async function parseBucketConfig(source: YamlSource): Promise<BucketConfig> {
  const yaml = await parseStrictYaml(source);
  const { type = '', prefix = '' } = yaml.read([], (z) =>
    z.strictObject({
      type: z.string().optional(),
      config: z.unknown().optional(),
      prefix: z.string().optional(),
    }),
  );
  checkType(yaml, type);
  const config = yaml.read(['config'], (z) => z.strictObject({ directory: z.string() }));
  if (config.directory === '') {
    throw yaml.errorAt(['config', 'directory'], 'is empty, expected the path of a directory');
  }
  return { type: 'FILESYSTEM', config, prefix: trimPrefix(yaml, prefix) };
}

function checkType(yaml: StrictYaml, type: string): void {
  const upper = type.toUpperCase();
  if (upper === 'FILESYSTEM') return;
  if (NOT_YET.includes(upper)) {
    const { message } = yaml.errorAt(
      ['type'],
      `buckets of type ${upper} are not implemented yet; expected FILESYSTEM`,
    );
    throw new CodedError('not_implemented', message);
  }
  throw yaml.errorAt(
    ['type'],
    type === ''
      ? 'missing, expected FILESYSTEM'
      : `bucket with type ${type.slice(0, 100)} is not supported, expected FILESYSTEM`,
  );
}

function trimPrefix(yaml: StrictYaml, prefix: string): string {
  const trimmed = prefix.replaceAll(/^\/+|\/+$/g, '');
  try {
    directoryPrefix(trimmed);
  } catch (thrown) {
    throw yaml.errorAt(['prefix'], errorText(thrown));
  }
  return trimmed;
}

/** Opens the bucket that a configuration describes. The caller closes it. Nothing is read or made yet. */
export function openBucket(config: BucketConfig, clock: Clock = systemClock): Bucket {
  return prefixedBucket(new FilesystemBucket(config.config.directory, clock), config.prefix);
}
