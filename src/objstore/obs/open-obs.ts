/** Buckets of Huawei Cloud OBS. Signature: OBS API reference, "Authentication of signature in a header". */
import { isIP } from 'node:net';
import type { Bucket } from '../bucket.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { endpointOrigin, openS3Like } from '../s3/open-s3-like.ts';
import { authorizeV2, type V2Dialect } from '../s3/sign-v2.ts';
import type { ObsConfig } from './obs-config.ts';

/** Bytes of a part, and further tries, as Go's client has them. */
const [PART_BYTES, RETRIES] = [100 * 1024 * 1024, 3];

/** Opens a bucket. Nothing is asked of the store yet. @throws CodedError bad_data for a bad certificate file. */
export function openObs(config: ObsConfig, options: OpenOptions): Promise<Bucket> {
  const { bucket, accessKey, secretKey, maxRetries } = config;
  const url = endpointOrigin(config.endpoint, 'https');
  const isPath = isIP(url.hostname.replaceAll(/[[\]]/g, '')) !== 0;
  const host = isPath ? url.host : `${bucket}.${url.host}`;
  return openS3Like(
    {
      provider: 'OBS',
      bucket,
      origin: `${url.protocol}//${host}`,
      basePath: isPath ? `/${bucket}` : '',
      bucketPath: isPath ? `/${bucket}/` : '/',
      http: config.http,
      triesMax: 1 + (maxRetries > 0 ? maxRetries : RETRIES),
      partBytes: PART_BYTES,
      authorize: (request, now) => {
        const date = new Date(now).toUTCString();
        const headers = { ...request.headers, date };
        // Where the bucket is part of the host, its path has a slash that the request's own has, too.
        const resource = isPath ? request.path : `/${bucket}${request.path}`;
        const credentials = { accessKey, secretKey, sessionToken: '' };
        const authorization = authorizeV2({ ...request, headers }, resource, credentials, OBS_V2);
        return { date, authorization };
      },
    },
    options,
  );
}

/** How signatures differ from those of S3. */
export const OBS_V2: V2Dialect = {
  scheme: 'OBS',
  headerPrefix: 'x-obs-',
  subresources: new Set(),
};
