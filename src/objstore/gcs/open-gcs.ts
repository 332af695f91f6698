/** Buckets of Google Cloud Storage, by its XML interface, which is S3's with tokens and uploads of its own. */
import { CodedError } from '../../lib/errors.ts';
import type { Bucket } from '../bucket.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import type { OpenOptions } from '../http/open-options.ts';
import type { WireRequest } from '../http/object-api.ts';
import { S3Api } from '../s3/s3-api.ts';
import { canonicalQuery, uriEncode } from '../s3/sign-v4.ts';
import type { GcsConfig } from './gcs-config.ts';
import { googleTokens } from './google-tokens.ts';
import { CHUNK_UNIT_BYTES, resumableUploads } from './resumable-uploads.ts';

const ORIGIN = 'https://storage.googleapis.com';
/** Go's client for Google sends so much in a request. */
const CHUNK_BYTES = 16 * 1024 * 1024;
/** Go's client goes on until it is stopped; here it ends after half a minute. Waits: gax-go. */
const RETRIES = { triesMax: 6, firstMs: 1000, mostMs: 30_000 };

/**
 * Opens a bucket. Nothing is asked of the store yet. STORAGE_EMULATOR_HOST of the environment is another store, without
 * access control.
 * @throws CodedError bad_data for bad credentials or certificates; unavailable when a package is missing.
 */
export async function openGcs(
  config: GcsConfig,
  options: OpenOptions & { readonly origin?: string },
): Promise<Bucket> {
  const { clock, log, env = process.env, sleep } = options;
  if (config.useGrpc) log.warn('use_grpc has no effect: requests go over HTTP');
  const dispatcher = await openAgent(config.http, env);
  const emulator = env['STORAGE_EMULATOR_HOST'] ?? '';
  const tokens =
    emulator === ''
      ? await googleTokens(config.serviceAccount, { dispatcher, clock, env }).catch(
          async (thrown: unknown): Promise<never> => {
            await dispatcher.destroy();
            throw thrown;
          },
        )
      : undefined;
  const origin = emulator === '' ? (options.origin ?? ORIGIN) : originOf(emulator);
  const bucketPath = `/${uriEncode(config.bucket)}`;
  const chunks = Math.ceil((config.chunkBytes || CHUNK_BYTES) / CHUNK_UNIT_BYTES);
  const api = new S3Api({
    provider: 'GCS',
    bucket: config.bucket,
    listVersion: 'v2',
    limits: { partBytes: chunks * CHUNK_UNIT_BYTES, partsMax: Infinity, partsAtOnce: 1 },
    retries: { ...RETRIES, ...(config.maxRetries > 0 ? { triesMax: config.maxRetries } : {}) },
    multipart: resumableUploads(),
    // Content that was stored compressed comes as it is stored.
    readHeaders: { 'accept-encoding': 'gzip' },
    sign: async (request, now): Promise<WireRequest> => {
      const { object, query = {} } = request;
      const path = object === undefined ? bucketPath : `${bucketPath}/${uriEncode(object, true)}`;
      const encoded = canonicalQuery(query);
      const headers: Record<string, string> = {
        ...request.headers,
        date: new Date(now).toUTCString(),
      };
      if (tokens !== undefined) headers['authorization'] = `Bearer ${await tokens.get()}`;
      return { origin, path: encoded === '' ? path : `${path}?${encoded}`, headers };
    },
    recover: ({ status }) => {
      if (status !== 401 || tokens === undefined) return Promise.resolve(false);
      tokens.expire();
      return Promise.resolve(true);
    },
  });
  return new HttpBucket(api, { dispatcher, clock, log, sleep });
}

function originOf(host: string): string {
  const url = /^https?:\/\//.test(host) ? host : `http://${host}`;
  if (URL.canParse(url)) return new URL(url).origin;
  throw new CodedError('bad_data', `STORAGE_EMULATOR_HOST is no host: ${JSON.stringify(host)}`);
}
