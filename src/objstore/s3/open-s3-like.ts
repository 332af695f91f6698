/** Makes the bucket of a store that took over the interface of S3 and has signatures of its own. */
import type { Bucket, BucketProvider } from '../bucket.ts';
import { USUAL_WAITS } from '../http/backoff.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import type { HttpConfig } from '../http/http-config.ts';
import type { OpenOptions } from '../http/open-options.ts';
import type { ListQuestion, WireRequest } from '../http/object-api.ts';
import { S3Api } from './s3-api.ts';
import type { StoreDocuments } from './s3-documents.ts';
import { canonicalQuery, type SignableRequest, uriEncode } from './sign-v4.ts';

/** A request with what signatures are made of. */
export interface LikeRequest extends SignableRequest {
  /** The name of the object, not encoded; '' for the bucket. */
  readonly object: string;
}

/** What differs between the stores. */
export interface LikeStore {
  readonly provider: BucketProvider;
  readonly bucket: string;
  /** `https://host`. */
  readonly origin: string;
  /** What stands before `/object`: nothing, or `/bucket`. */
  readonly basePath: string;
  /** The path of the bucket itself. */
  readonly bucketPath: string;
  readonly http: HttpConfig;
  /** Tries of one request. */
  readonly triesMax: number;
  /** Bytes. */
  readonly partBytes: number;
  readonly documents?: StoreDocuments;
  readonly listQuery?: (question: ListQuestion) => Readonly<Record<string, string>>;
  /** The headers that prove who we are. */
  readonly authorize: (request: LikeRequest, now: number) => Readonly<Record<string, string>>;
}

/** Opens a bucket. Nothing is asked of the store yet. @throws CodedError bad_data for a bad certificate file. */
export async function openS3Like(store: LikeStore, options: OpenOptions): Promise<Bucket> {
  const { clock, log, env = process.env, sleep } = options;
  const dispatcher = await openAgent(store.http, env);
  const { host, origin } = new URL(store.origin);
  const { documents, listQuery, authorize } = store;
  const api = new S3Api({
    provider: store.provider,
    bucket: store.bucket,
    listVersion: 'v1',
    ...(documents === undefined ? {} : { documents }),
    ...(listQuery === undefined ? {} : { listQuery }),
    limits: { partBytes: store.partBytes, partsMax: 10_000, partsAtOnce: 4 },
    retries: { triesMax: store.triesMax, ...USUAL_WAITS },
    sign: async (request, now): Promise<WireRequest> => {
      const { method, object = '', query = {} } = request;
      const path =
        object === '' ? store.bucketPath : `${store.basePath}/${uriEncode(object, true)}`;
      const headers = { host, ...request.headers };
      const own = authorize({ method, path, query, headers, object }, now);
      const encoded = canonicalQuery(query);
      return {
        origin,
        path: encoded === '' ? path : `${path}?${encoded}`,
        headers: { ...headers, ...own },
      };
    },
  });
  return new HttpBucket(api, { dispatcher, clock, log, sleep });
}

/** Splits `scheme://host[/]` as configured; the scheme is the default one when there is none. */
export function endpointOrigin(endpoint: string, scheme: 'http' | 'https'): URL {
  return new URL(/^https?:\/\//i.test(endpoint) ? endpoint : `${scheme}://${endpoint}`);
}
