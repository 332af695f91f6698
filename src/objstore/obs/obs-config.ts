/** Configuration of type OBS (Huawei). Fields, defaults and refusals: objstore providers/obs/obs.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { checkEndpoint } from '../endpoint-field.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';

/** Configuration of a bucket of OBS, complete and checked. */
export interface ObsConfig {
  readonly bucket: string;
  /** A host, or a URL. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Most further tries of a request; 0 for the default. */
  readonly maxRetries: number;
  readonly http: HttpConfig;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readObsConfig(yaml: StrictYaml): ObsConfig {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, int } = fields;
    return z.strictObject({
      bucket: text(),
      endpoint: text(),
      access_key: text(),
      secret_key: text(),
      max_retries: int(),
      http_config: httpConfigField(fields),
    });
  });
  const { bucket, endpoint, access_key: accessKey, secret_key: secretKey } = given;
  const refuse = (what: string): never => {
    throw yaml.errorAt(['config'], what);
  };
  if (endpoint === '') refuse('no obs endpoint in config file');
  if (bucket === '') refuse('no obs bucket in config file');
  if (accessKey === '' && secretKey === '') refuse('no obs secret_key and access_key specified');
  if (accessKey === '') refuse('no obs access_key specified');
  if (secretKey === '') refuse('no obs secret_key specified');
  checkEndpoint(yaml, 'endpoint', endpoint);
  const { max_retries: maxRetries, http_config: http } = given;
  return { bucket, endpoint, accessKey, secretKey, maxRetries, http };
}
