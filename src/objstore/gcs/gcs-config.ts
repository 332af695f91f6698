/** Configuration of type GCS. Fields, defaults and refusals: objstore providers/gcs/gcs.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';

/** Configuration of a bucket of Google's, complete and checked. */
export interface GcsConfig {
  readonly bucket: string;
  /** JSON; '' when credentials come from elsewhere. */
  readonly serviceAccount: string;
  /** Bytes of a request of an upload; 0 for the default. */
  readonly chunkBytes: number;
  /** Most tries of a request; 0 for the default. */
  readonly maxRetries: number;
  readonly http: HttpConfig;
  /** Asked for, and not there: requests go over HTTP. */
  readonly useGrpc: boolean;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readGcsConfig(yaml: StrictYaml): GcsConfig {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, bool, int } = fields;
    return z.strictObject({
      bucket: text(),
      service_account: text(),
      use_grpc: bool(),
      grpc_conn_pool_size: int(),
      http_config: httpConfigField(fields),
      chunk_size_bytes: int(),
      max_retries: int(),
    });
  });
  if (given.bucket === '') {
    throw yaml.errorAt(['config'], 'missing Google Cloud Storage bucket name for stored blocks');
  }
  return {
    bucket: given.bucket,
    serviceAccount: given.service_account,
    chunkBytes: given.chunk_size_bytes,
    maxRetries: given.max_retries,
    http: given.http_config,
    useGrpc: given.use_grpc,
  };
}
