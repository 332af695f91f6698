/** Buckets of Alibaba Cloud OSS. Signature: OSS API reference, "Include signatures in the Authorization header" (V1). */
import { isIP } from 'node:net';
import type { Bucket } from '../bucket.ts';
import { DEFAULT_HTTP_CONFIG } from '../http/http-config.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { endpointOrigin, openS3Like } from '../s3/open-s3-like.ts';
import { authorizeV2, type V2Dialect } from '../s3/sign-v2.ts';
import type { OssConfig } from './oss-config.ts';

/** Bytes of a part, and tries, as Go's client has them. */
const [PART_BYTES, TRIES] = [128 * 1024 * 1024, 5];

/** Opens a bucket. Nothing is asked of the store yet. */
export function openOss(config: OssConfig, options: OpenOptions): Promise<Bucket> {
  const { bucket, accessKeyId, accessKeySecret } = config;
  // compat: without TLS when the endpoint has no scheme.
  const url = endpointOrigin(config.endpoint, 'http');
  const isPath = isIP(url.hostname.replaceAll(/[[\]]/g, '')) !== 0;
  const host = isPath ? url.host : `${bucket}.${url.host}`;
  return openS3Like(
    {
      provider: 'ALIYUNOSS',
      bucket,
      origin: `${url.protocol}//${host}`,
      basePath: isPath ? `/${bucket}` : '',
      bucketPath: isPath ? `/${bucket}/` : '/',
      http: DEFAULT_HTTP_CONFIG,
      triesMax: TRIES,
      partBytes: PART_BYTES,
      authorize: (request, now) => {
        const date = new Date(now).toUTCString();
        const headers = { ...request.headers, date };
        const credentials = {
          accessKey: accessKeyId,
          secretKey: accessKeySecret,
          sessionToken: '',
        };
        // Not encoded, unlike those of S3.
        const resource = `/${bucket}/${request.object}`;
        const authorization = authorizeV2({ ...request, headers }, resource, credentials, OSS_V1);
        return { date, authorization };
      },
    },
    options,
  );
}

/** How signatures differ from those of S3. */
export const OSS_V1: V2Dialect = {
  scheme: 'OSS',
  headerPrefix: 'x-oss-',
  subresources: new Set(),
};
