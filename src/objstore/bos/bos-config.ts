/** Configuration of type BOS (Baidu). Fields and refusals: objstore providers/bos/bos.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { checkEndpoint } from '../endpoint-field.ts';

/** Configuration of a bucket of BOS, complete and checked. */
export interface BosConfig {
  readonly bucket: string;
  /** A host, or a URL. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readBosConfig(yaml: StrictYaml): BosConfig {
  const given = yaml.read(['config'], (z) => {
    const { text } = configFields(z);
    return z.strictObject({
      bucket: text(),
      endpoint: text(),
      access_key: text(),
      secret_key: text(),
    });
  });
  const { bucket, endpoint, access_key: accessKey, secret_key: secretKey } = given;
  if (bucket === '' || endpoint === '' || accessKey === '' || secretKey === '') {
    throw yaml.errorAt(
      ['config'],
      'insufficient BOS configuration information: expected bucket, endpoint, access_key and secret_key',
    );
  }
  checkEndpoint(yaml, 'endpoint', endpoint);
  return { bucket, endpoint, accessKey, secretKey };
}
