/** Configuration of type ALIYUNOSS. Fields and refusals: objstore providers/oss/oss.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { checkEndpoint } from '../endpoint-field.ts';

/** Configuration of a bucket of OSS, complete and checked. */
export interface OssConfig {
  /** A host, or a URL. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readOssConfig(yaml: StrictYaml): OssConfig {
  const given = yaml.read(['config'], (z) => {
    const { text } = configFields(z);
    return z.strictObject({
      endpoint: text(),
      bucket: text(),
      access_key_id: text(),
      access_key_secret: text(),
    });
  });
  const config = {
    endpoint: given.endpoint,
    bucket: given.bucket,
    accessKeyId: given.access_key_id,
    accessKeySecret: given.access_key_secret,
  };
  if (config.endpoint === '' || config.bucket === '') {
    throw yaml.errorAt(['config'], 'aliyun oss endpoint or bucket is not present in config file');
  }
  if (config.accessKeyId === '' || config.accessKeySecret === '') {
    throw yaml.errorAt(
      ['config'],
      'aliyun oss access_key_id or access_key_secret is not present in config file',
    );
  }
  checkEndpoint(yaml, 'endpoint', config.endpoint);
  return config;
}
