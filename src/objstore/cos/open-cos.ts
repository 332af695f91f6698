/** Buckets of Tencent Cloud Object Storage. Signature: COS API reference, "Request signature". */
import { createHash, createHmac } from 'node:crypto';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Bucket } from '../bucket.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { endpointOrigin, type LikeRequest, openS3Like } from '../s3/open-s3-like.ts';
import { uriEncode } from '../s3/sign-v4.ts';
import type { CosConfig } from './cos-config.ts';

/** Bytes of a part, and tries, as Go's client has them. */
const [PART_BYTES, TRIES] = [128 * 1024 * 1024, 3];
/** Seconds for which a signature holds. */
const LIFETIME_S = 3600;

/** Opens a bucket. Nothing is asked of the store yet. @throws CodedError bad_data for a bad certificate file. */
export function openCos(config: CosConfig, options: OpenOptions): Promise<Bucket> {
  const { origin, pathname } = endpointOrigin(config.url, 'https');
  const { secretId, secretKey, maxRetries } = config;
  return openS3Like(
    {
      provider: 'COS',
      bucket: config.bucket,
      origin,
      basePath: pathname.replace(/\/$/, ''),
      bucketPath: pathname,
      http: config.http,
      triesMax: maxRetries > 0 ? maxRetries : TRIES,
      partBytes: PART_BYTES,
      authorize: (request, now) => {
        const from = Math.floor(now / 1000);
        const keyTime = `${from};${from + LIFETIME_S}`;
        return { authorization: authorizeCos(request, { secretId, secretKey, keyTime }) };
      },
    },
    options,
  );
}

/** The value of the Authorization header; `keyTime` is `from;to` in seconds since the epoch. */
export function authorizeCos(
  { method, query, headers, object }: LikeRequest,
  key: { readonly secretId: string; readonly secretKey: string; readonly keyTime: string },
): string {
  const { secretId, secretKey, keyTime } = key;
  const parameters = signedList(query);
  const signed = signedList(headers);
  const format = [method.toLowerCase(), `/${object}`, parameters.pairs, signed.pairs, ''].join(
    '\n',
  );
  const toSign = ['sha1', keyTime, createHash('sha1').update(format).digest('hex'), ''].join('\n');
  const signKey = hmac(secretKey, keyTime);
  return [
    'q-sign-algorithm=sha1',
    `q-ak=${secretId}`,
    `q-sign-time=${keyTime}`,
    `q-key-time=${keyTime}`,
    `q-header-list=${signed.names}`,
    `q-url-param-list=${parameters.names}`,
    `q-signature=${hmac(signKey, toSign)}`,
  ].join('&');
}

/** Names in lower case and order, and the same with values. */
function signedList(values: Readonly<Record<string, string | undefined>>): {
  readonly names: string;
  readonly pairs: string;
} {
  const entries = Object.entries(values)
    .map(([name, value = '']) => [uriEncode(name).toLowerCase(), uriEncode(value)] as const)
    .toSorted(([a], [b]) => compareUtf8(a, b));
  return {
    names: entries.map(([name]) => name).join(';'),
    pairs: entries.map(([name, value]) => `${name}=${value}`).join('&'),
  };
}

function hmac(key: string, text: string): string {
  return createHmac('sha1', key).update(text).digest('hex');
}
