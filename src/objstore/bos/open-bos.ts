/** Buckets of Baidu Object Storage. Signature: Baidu Cloud, "Authentication mechanism" (bce-auth-v1). */
import { createHmac } from 'node:crypto';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Bucket } from '../bucket.ts';
import { DEFAULT_HTTP_CONFIG } from '../http/http-config.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { endpointOrigin, openS3Like } from '../s3/open-s3-like.ts';
import { canonicalQuery, type SignableRequest, uriEncode } from '../s3/sign-v4.ts';
import type { BosConfig } from './bos-config.ts';
import { BOS_DOCUMENTS } from './bos-documents.ts';

/** Bytes of a part, and tries, as Go's client has them. */
const [PART_BYTES, TRIES] = [128 * 1024 * 1024, 4];
/** Seconds for which a signature holds. */
const LIFETIME_S = 1800;

/** Opens a bucket. Nothing is asked of the store yet. */
export function openBos(config: BosConfig, options: OpenOptions): Promise<Bucket> {
  const { bucket, accessKey, secretKey } = config;
  return openS3Like(
    {
      provider: 'BOS',
      bucket,
      // compat: without TLS when the endpoint has no scheme, as Baidu's client for Go.
      origin: endpointOrigin(config.endpoint, 'http').origin,
      basePath: `/${uriEncode(bucket)}`,
      bucketPath: `/${uriEncode(bucket)}`,
      http: DEFAULT_HTTP_CONFIG,
      triesMax: TRIES,
      partBytes: PART_BYTES,
      documents: BOS_DOCUMENTS,
      listQuery: ({ prefix, recursive, next }) => ({
        maxKeys: '1000',
        prefix,
        ...(recursive ? {} : { delimiter: '/' }),
        ...(next === undefined ? {} : { marker: next }),
      }),
      authorize: (request, now) => {
        const date = bosDate(now);
        const headers = { ...request.headers, 'x-bce-date': date };
        const authorization = authorizeBos({ ...request, headers }, { accessKey, secretKey, date });
        return { 'x-bce-date': date, authorization };
      },
    },
    options,
  );
}

/** `2015-04-27T08:23:49Z`. */
function bosDate(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+/, '');
}

/** The value of the Authorization header; all headers are signed. */
export function authorizeBos(
  { method, path, query, headers }: SignableRequest,
  key: { readonly accessKey: string; readonly secretKey: string; readonly date: string },
): string {
  const session = `bce-auth-v1/${key.accessKey}/${key.date}/${LIFETIME_S}`;
  const lines = Object.entries(headers)
    .map(([name, value]) => `${uriEncode(name)}:${uriEncode(value.trim())}`)
    .toSorted(compareUtf8);
  const canonical = [method, path, canonicalQuery(query), lines.join('\n')].join('\n');
  const signature = hmac(hmac(key.secretKey, session), canonical);
  const names = lines.map((line) => line.slice(0, line.indexOf(':')));
  return `${session}/${names.join(';')}/${signature}`;
}

function hmac(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}
