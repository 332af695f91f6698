/** The interface of one container of Swift. Facts: OpenStack Object Storage API v1. */
import { CodedError } from '../../lib/errors.ts';
import type {
  ListPage,
  ListQuestion,
  MultipartApi,
  ObjectApi,
  RetryPolicy,
  Send,
  StoreAnswer,
  StoreFailure,
  StoreRequest,
  UploadLimits,
  WireRequest,
} from '../http/object-api.ts';
import { USUAL_WAITS } from '../http/backoff.ts';
import { headerText } from '../http/object-client.ts';
import type { Payload } from '../http/payload.ts';
import { isRetriedStatus } from '../http/store-error.ts';
import type { TokenCache } from '../http/token-cache.ts';
import { canonicalQuery, uriEncode } from '../s3/sign-v4.ts';
import type { SwiftSession } from './keystone.ts';
import { deleteLargeObject, segmentedUploads, SEGMENTS } from './large-objects.ts';
import type { SwiftConfig } from './swift-config.ts';

const CONTENT_TYPE = 'application/octet-stream';
const PAGE = 1000;

interface SwiftEntry {
  readonly name?: string;
  readonly subdir?: string;
  readonly bytes?: number;
  readonly last_modified?: string;
}

/** The requests of one container. */
export class SwiftApi implements ObjectApi {
  readonly provider = 'SWIFT';
  readonly name: string;
  readonly limits: UploadLimits;
  readonly retries: RetryPolicy;
  readonly multipart: MultipartApi;
  readonly #config: SwiftConfig;
  readonly #session: TokenCache<SwiftSession>;

  constructor(config: SwiftConfig, session: TokenCache<SwiftSession>) {
    this.name = config.container;
    // limit: a manifest has 1000 segments by default.
    this.limits = { partBytes: config.chunkBytes, partsMax: 1000, partsAtOnce: 4 };
    this.retries = {
      triesMax: config.retries + 1,
      ...USUAL_WAITS,
      tryMs: config.timeoutMs === Infinity ? undefined : config.timeoutMs,
    };
    this.#config = config;
    this.#session = session;
    this.multipart = segmentedUploads(config);
  }

  get(name: string): StoreRequest {
    return { method: 'GET', object: name };
  }

  head(name: string): StoreRequest {
    return { method: 'HEAD', object: name };
  }

  put(name: string, contentType: string | undefined, body: Payload): StoreRequest {
    const headers = { 'content-type': contentType ?? CONTENT_TYPE };
    return { method: 'PUT', object: name, headers, body };
  }

  delete(name: string, send: Send): Promise<void> {
    return deleteLargeObject(name, send);
  }

  async list({ prefix, recursive, next }: ListQuestion, send: Send): Promise<ListPage> {
    const query = {
      format: 'json',
      limit: String(PAGE),
      prefix,
      ...(recursive ? {} : { delimiter: '/' }),
      ...(next === undefined ? {} : { marker: next }),
    };
    const operation = prefix === '' ? 'list' : `list ${JSON.stringify(prefix)}`;
    const { body } = await send({ method: 'GET', query }, operation);
    const entries = parseEntries(body.toString(), `list the container ${this.name}`);
    const last = entries.at(-1);
    const hidesSegments = this.#config.segmentContainer === this.name;
    const isShown = (name: string): boolean => !hidesSegments || !SEGMENTS.test(name);
    return {
      objects: entries.flatMap(({ name, bytes, last_modified: modified }) => {
        if (name === undefined || !isShown(name)) return [];
        // Times are UTC and do not say so.
        const lastModified = Date.parse(`${modified?.replace(/(\.\d{3})\d*$/, '$1')}Z`);
        return [
          {
            name,
            size: bytes,
            lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
          },
        ];
      }),
      directories: entries.flatMap(({ subdir }) =>
        subdir === undefined || !isShown(subdir) ? [] : [subdir],
      ),
      // Not a full page is the last one; a full one may be, too.
      next: entries.length < PAGE ? undefined : (last?.name ?? last?.subdir),
    };
  }

  /** Makes sure that a container is there. Behaviour: objstore swift.go (ensureContainer). */
  async checkContainer(container: string, send: Send): Promise<void> {
    const request: StoreRequest = { method: 'HEAD', scope: container, accepts: [404] };
    const { status } = await send(request, 'verify the container');
    if (status === 404) {
      throw new CodedError('bad_data', `unable to find the expected container ${container}`);
    }
  }

  async sign({ object, query = {}, headers, scope }: StoreRequest): Promise<WireRequest> {
    const { token, storageUrl } = await this.#session.get();
    const { origin, pathname } = new URL(storageUrl);
    const container = `${pathname.replace(/\/$/, '')}/${uriEncode(scope ?? this.name)}`;
    const path = object === undefined ? container : `${container}/${uriEncode(object, true)}`;
    const encoded = canonicalQuery(query);
    return {
      origin,
      path: encoded === '' ? path : `${path}?${encoded}`,
      headers: { ...headers, 'x-auth-token': token },
    };
  }

  failure(request: StoreRequest, { status, headers, body }: StoreAnswer): StoreFailure {
    const requestId =
      headerText(headers, 'x-openstack-request-id') ?? headerText(headers, 'x-trans-id');
    return {
      status,
      code: '',
      // Pages of HTML: the text between the tags.
      message: body.toString().replaceAll(/<[^>]*>/g, ' '),
      requestId: requestId ?? '',
      // Swift says so in headers of its own; a proxy's page has none of them.
      notFound: request.object !== undefined && status === 404 && requestId !== undefined,
      retriable: isRetriedStatus(status),
    };
  }

  recover({ status }: StoreFailure): Promise<boolean> {
    if (status !== 401) return Promise.resolve(false);
    this.#session.expire();
    return Promise.resolve(true);
  }
}

function parseEntries(text: string, where: string): readonly SwiftEntry[] {
  if (text === '') return [];
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value as readonly SwiftEntry[];
  } catch {
    // Said below.
  }
  throw new CodedError('unavailable', `${where}: the answer is no JSON list`);
}
