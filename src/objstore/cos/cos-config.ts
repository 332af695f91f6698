/** Configuration of type COS (Tencent). Fields, defaults and refusals: objstore providers/cos/cos.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { checkEndpoint } from '../endpoint-field.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';

/** Configuration of a bucket of COS, complete and checked. */
export interface CosConfig {
  /** Without the application's id. */
  readonly bucket: string;
  /** The URL of the bucket. */
  readonly url: string;
  readonly secretId: string;
  readonly secretKey: string;
  /** Most tries of a request; 0 for the default. */
  readonly maxRetries: number;
  readonly http: HttpConfig;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readCosConfig(yaml: StrictYaml): CosConfig {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, int } = fields;
    return z.strictObject({
      bucket: text(),
      region: text(),
      app_id: text(),
      endpoint: text(),
      secret_key: text(),
      secret_id: text(),
      max_retries: int(),
      http_config: httpConfigField(fields),
    });
  });
  const { bucket, region, app_id: appId, endpoint } = given;
  const keys = given.secret_id !== '' && given.secret_key !== '';
  if (endpoint !== '') {
    if (!keys) throw yaml.errorAt(['config'], 'secret_id or secret_key is empty');
    checkEndpoint(yaml, 'endpoint', endpoint);
  } else if (bucket === '' || appId === '' || region === '' || !keys) {
    throw yaml.errorAt(
      ['config'],
      'insufficient cos configuration information: expected bucket, app_id, region, secret_id and secret_key',
    );
  }
  return {
    bucket,
    url: endpoint || `https://${bucket}-${appId}.cos.${region}.myqcloud.com`,
    secretId: given.secret_id,
    secretKey: given.secret_key,
    maxRetries: given.max_retries,
    http: given.http_config,
  };
}
