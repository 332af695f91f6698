/**
 * `--objstore.config` and `--objstore.config-file`: `{type, config, prefix}`. Behaviour: objstore client/factory.go;
 * docs/storage.md describes it. What one type of bucket needs is loaded when it is asked for.
 */
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { nopLogger } from '../lib/log.ts';
import type { PathOrContent } from '../lib/path-or-content.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import type { StrictYaml, YamlSource } from '../lib/strict-yaml.ts';
import { parseStrictYaml } from '../lib/strict-yaml.ts';
import { type Bucket, directoryPrefix } from './bucket.ts';
import { type AzureConfig, readAzureConfig } from './azure/azure-config.ts';
import { type BosConfig, readBosConfig } from './bos/bos-config.ts';
import { type CosConfig, readCosConfig } from './cos/cos-config.ts';
import { FilesystemBucket } from './filesystem.ts';
import { type GcsConfig, readGcsConfig } from './gcs/gcs-config.ts';
import { hedgedBucket } from './hedged.ts';
import { type HedgingConfig, hedgingField } from './hedging-config.ts';
import { type ObsConfig, readObsConfig } from './obs/obs-config.ts';
import { type OciConfig, readOciConfig } from './oci/oci-config.ts';
import { type OssConfig, readOssConfig } from './oss/oss-config.ts';
import { prefixedBucket } from './prefixed.ts';
import { readS3Config, type S3Config } from './s3/s3-config.ts';
import { readSwiftConfig, type SwiftConfig } from './swift/swift-config.ts';

/** Configuration of one type of bucket, complete and checked. */
type TypedConfig =
  | { readonly type: 'FILESYSTEM'; readonly config: FilesystemConfig }
  | { readonly type: 'S3'; readonly config: S3Config }
  | { readonly type: 'GCS'; readonly config: GcsConfig }
  | { readonly type: 'AZURE'; readonly config: AzureConfig }
  | { readonly type: 'SWIFT'; readonly config: SwiftConfig }
  | { readonly type: 'COS'; readonly config: CosConfig }
  | { readonly type: 'ALIYUNOSS'; readonly config: OssConfig }
  | { readonly type: 'BOS'; readonly config: BosConfig }
  | { readonly type: 'OBS'; readonly config: ObsConfig }
  | { readonly type: 'OCI'; readonly config: OciConfig };

/** Configuration of a bucket, complete and checked. */
export type BucketConfig = TypedConfig & {
  /** Without slashes at its ends; '' for none. */
  readonly prefix: string;
  /** Whether reads that are slow are asked for a second time. */
  readonly hedging?: HedgingConfig;
};

/** Where a bucket of type FILESYSTEM lies. */
export interface FilesystemConfig {
  /** A relative path is relative to where the process was started. */
  readonly directory: string;
}

/** The names of types, as messages list them. */
const TYPES = [
  'FILESYSTEM',
  'S3',
  'GCS',
  'AZURE',
  'SWIFT',
  'COS',
  'ALIYUNOSS',
  'BOS',
  'OBS',
  'OCI',
];

/**
 * The bucket that the two flags describe; undefined when none does.
 * @throws CodedError bad_data with file, line and field.
 */
export async function readBucketConfig(flags: PathOrContent): Promise<BucketConfig | undefined> {
  const source = await readPathOrContent(flags);
  return source === undefined ? undefined : parseBucketConfig(source);
}

/** Reads the text of a configuration. @throws CodedError as {@link readBucketConfig}. */
export async function parseBucketConfig(source: YamlSource): Promise<BucketConfig> {
  const yaml = await parseStrictYaml(source);
  const given = yaml.read([], (z) =>
    z.strictObject({
      type: z.string().optional(),
      config: z.unknown().optional(),
      prefix: z.string().optional(),
      hedging_config: hedgingField(z),
    }),
  );
  const typed = readTyped(yaml, given.type ?? '');
  const hedging = given.hedging_config;
  return {
    ...typed,
    prefix: trimPrefix(yaml, given.prefix ?? ''),
    ...(hedging === undefined ? {} : { hedging }),
  };
}

function readTyped(yaml: StrictYaml, type: string): TypedConfig {
  switch (type.toUpperCase()) {
    case 'FILESYSTEM':
      return { type: 'FILESYSTEM', config: readFilesystemConfig(yaml) };
    case 'S3':
      return { type: 'S3', config: readS3Config(yaml) };
    case 'GCS':
      return { type: 'GCS', config: readGcsConfig(yaml) };
    case 'AZURE':
      return { type: 'AZURE', config: readAzureConfig(yaml) };
    case 'SWIFT':
      return { type: 'SWIFT', config: readSwiftConfig(yaml) };
    case 'COS':
      return { type: 'COS', config: readCosConfig(yaml) };
    case 'ALIYUNOSS':
      return { type: 'ALIYUNOSS', config: readOssConfig(yaml) };
    case 'BOS':
      return { type: 'BOS', config: readBosConfig(yaml) };
    case 'OBS':
      return { type: 'OBS', config: readObsConfig(yaml) };
    case 'OCI':
      return { type: 'OCI', config: readOciConfig(yaml) };
    default: {
      const expected = `expected ${TYPES.slice(0, -1).join(', ')} or ${TYPES.at(-1)}`;
      throw yaml.errorAt(
        ['type'],
        type === ''
          ? `missing, ${expected}`
          : `bucket with type ${type.slice(0, 100)} is not supported, ${expected}`,
      );
    }
  }
}

function readFilesystemConfig(yaml: StrictYaml): FilesystemConfig {
  const config = yaml.read(['config'], (z) => z.strictObject({ directory: z.string() }));
  if (config.directory !== '') return config;
  throw yaml.errorAt(['config', 'directory'], 'is empty, expected the path of a directory');
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

/** What a bucket works with besides its configuration. */
export interface OpenBucketOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Where credentials and proxies may be configured; that of the process by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens the bucket that a configuration describes. The caller closes it. Some types ask their store whether it is
 * there, as the Go clients do; no object is read or made yet.
 * @throws CodedError bad_data when a file that is configured cannot be used; unavailable when a package is missing, or
 * the store must be asked and does not answer.
 */
export async function openBucket(
  config: BucketConfig,
  { clock = systemClock, log = nopLogger, env = process.env }: OpenBucketOptions = {},
): Promise<Bucket> {
  const bucket = await openTyped(config, { clock, log, env });
  const hedged =
    config.hedging === undefined ? bucket : hedgedBucket(bucket, config.hedging, clock);
  return prefixedBucket(hedged, config.prefix);
}

async function openTyped(
  { type, config }: TypedConfig,
  options: Required<OpenBucketOptions>,
): Promise<Bucket> {
  switch (type) {
    case 'FILESYSTEM':
      return new FilesystemBucket(config.directory, options.clock);
    case 'S3':
      return (await import('./s3/open-s3.ts')).openS3(config, options);
    case 'GCS':
      return (await import('./gcs/open-gcs.ts')).openGcs(config, options);
    case 'AZURE':
      return (await import('./azure/open-azure.ts')).openAzure(config, options);
    case 'SWIFT':
      return (await import('./swift/open-swift.ts')).openSwift(config, options);
    case 'COS':
      return (await import('./cos/open-cos.ts')).openCos(config, options);
    case 'ALIYUNOSS':
      return (await import('./oss/open-oss.ts')).openOss(config, options);
    case 'BOS':
      return (await import('./bos/open-bos.ts')).openBos(config, options);
    case 'OBS':
      return (await import('./obs/open-obs.ts')).openObs(config, options);
    case 'OCI':
      return (await import('./oci/open-oci.ts')).openOci(config, options);
  }
}
