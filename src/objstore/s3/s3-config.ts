/** Configuration of type S3. Fields, defaults and refusals: objstore providers/s3/s3.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';

/** How objects are encrypted by the store. */
export type SseConfig =
  | { readonly type: 'SSE-S3' }
  | {
      readonly type: 'SSE-KMS';
      readonly keyId: string;
      readonly context: Readonly<Record<string, string>>;
    }
  /** The file holds 32 bytes. */
  | { readonly type: 'SSE-C'; readonly keyFile: string };

/** Configuration of a bucket of S3, complete and checked. */
export interface S3Config {
  readonly bucket: string;
  /** Host, with a port if need be. */
  readonly endpoint: string;
  /** '' when it is to be found out. */
  readonly region: string;
  readonly dualstack: boolean;
  readonly awsSdkAuth: boolean;
  /** '' when credentials come from elsewhere. */
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string;
  /** Without TLS. */
  readonly insecure: boolean;
  readonly signatureV2: boolean;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly http: HttpConfig;
  readonly trace: boolean;
  readonly listVersion: 'v1' | 'v2';
  readonly lookup: 'auto' | 'virtual-hosted' | 'path';
  readonly sendContentMd5: boolean;
  readonly multipart: boolean;
  /** Bytes. */
  readonly partSize: number;
  readonly sse: SseConfig | undefined;
  readonly stsEndpoint: string;
  /** Most tries of a request; 0 for the default. */
  readonly maxRetries: number;
}

const PART_SIZE = 64 * 1024 * 1024;
/** S3 refuses smaller and larger parts. */
const [PART_SIZE_MIN, PART_SIZE_MAX] = [5 * 1024 * 1024, 5 * 1024 ** 3];

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readS3Config(yaml: StrictYaml): S3Config {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, bool, int, texts } = fields;
    return z.strictObject({
      bucket: text(),
      endpoint: text(),
      region: text(),
      disable_dualstack: bool(),
      aws_sdk_auth: bool(),
      access_key: text(),
      insecure: bool(),
      signature_version2: bool(),
      secret_key: text(),
      session_token: text(),
      put_user_metadata: texts(),
      http_config: httpConfigField(fields),
      trace: z.strictObject({ enable: bool() }).optional(),
      list_objects_version: z.enum(['v1', 'v2']).optional(),
      bucket_lookup_type: z.enum(['auto', 'virtual-hosted', 'path']).optional(),
      send_content_md5: bool(true),
      disable_multipart: bool(),
      part_size: int(PART_SIZE),
      sse_config: z
        .strictObject({
          type: z.enum(['', 'SSE-S3', 'SSE-KMS', 'SSE-C']).optional(),
          kms_key_id: text(),
          kms_encryption_context: texts(),
          encryption_key: text(),
        })
        .optional(),
      sts_endpoint: text(),
      max_retries: int(0),
    });
  });
  const refuse = (field: string, what: string): never => {
    throw yaml.errorAt(['config', field], what);
  };
  if (given.endpoint === '') refuse('endpoint', 'no s3 endpoint in config file');
  if (/[/\s?#@]/.test(given.endpoint)) {
    refuse('endpoint', 'expected a host without a scheme and path, as s3.example.org:9000');
  }
  if (given.bucket === '') refuse('bucket', 'missing, expected the name of a bucket');
  if (given.aws_sdk_auth && given.access_key !== '') {
    refuse('aws_sdk_auth', 'aws_sdk_auth and access_key are mutually exclusive configurations');
  }
  const both = 'either both should be present in config or envvars/IAM should be used.';
  if (given.access_key === '' && given.secret_key !== '') {
    refuse(
      'secret_key',
      `no s3 access_key specified while secret_key is present in config file; ${both}`,
    );
  }
  if (given.access_key !== '' && given.secret_key === '') {
    refuse(
      'access_key',
      `no s3 secret_key specified while access_key is present in config file; ${both}`,
    );
  }
  const partSize = given.part_size === 0 ? PART_SIZE : given.part_size;
  if (partSize < PART_SIZE_MIN || partSize > PART_SIZE_MAX) {
    refuse(
      'part_size',
      `expected ${PART_SIZE_MIN} to ${PART_SIZE_MAX} bytes, is ${given.part_size}`,
    );
  }
  return {
    bucket: given.bucket,
    endpoint: given.endpoint,
    region: given.region,
    dualstack: !given.disable_dualstack,
    awsSdkAuth: given.aws_sdk_auth,
    accessKey: given.access_key,
    secretKey: given.secret_key,
    sessionToken: given.session_token,
    insecure: given.insecure,
    signatureV2: given.signature_version2,
    userMetadata: given.put_user_metadata,
    http: given.http_config,
    trace: given.trace?.enable ?? false,
    listVersion: given.list_objects_version ?? 'v2',
    lookup: given.bucket_lookup_type ?? 'auto',
    sendContentMd5: given.send_content_md5,
    multipart: !given.disable_multipart,
    partSize,
    sse: readSse(yaml, given.sse_config),
    stsEndpoint: given.sts_endpoint,
    maxRetries: given.max_retries,
  };
}

function readSse(
  yaml: StrictYaml,
  given:
    | {
        readonly type?: '' | 'SSE-S3' | 'SSE-KMS' | 'SSE-C' | undefined;
        readonly kms_key_id: string;
        readonly kms_encryption_context: Readonly<Record<string, string>>;
        readonly encryption_key: string;
      }
    | undefined,
): SseConfig | undefined {
  const at = ['config', 'sse_config'];
  switch (given?.type) {
    case undefined:
    case '':
      return undefined;
    case 'SSE-S3':
      return { type: 'SSE-S3' };
    case 'SSE-KMS':
      if (given.kms_key_id === '') {
        throw yaml.errorAt(at, "kms_key_id must be set if sse_config.type is set to 'SSE-KMS'");
      }
      return {
        type: 'SSE-KMS',
        keyId: given.kms_key_id,
        context: given.kms_encryption_context,
      };
    case 'SSE-C':
      if (given.encryption_key === '') {
        throw yaml.errorAt(at, "encryption_key must be set if sse_config.type is set to 'SSE-C'");
      }
      return { type: 'SSE-C', keyFile: given.encryption_key };
  }
}
