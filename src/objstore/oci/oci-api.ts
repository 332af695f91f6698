/** The interface of one bucket of Oracle's. Facts: Oracle Cloud Infrastructure API reference, "Object Storage Service". */
import { CodedError } from '../../lib/errors.ts';
import { jsonFields } from '../http/ask-service.ts';
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
import { hasStoreCode, headerText } from '../http/object-client.ts';
import { bytesPayload, type Payload } from '../http/payload.ts';
import { isRetriedStatus } from '../http/store-error.ts';
import { canonicalQuery, uriEncode } from '../s3/sign-v4.ts';
import type { OciConfig } from './oci-config.ts';
import { type OciIdentity, signOci } from './oci-signer.ts';

const JSON_TYPE = 'application/json';
const CONTENT_TYPE = 'application/octet-stream';

interface OciListing {
  readonly objects?: readonly {
    readonly name: string;
    readonly size?: number;
    readonly timeModified?: string;
  }[];
  readonly prefixes?: readonly string[];
  readonly nextStartWith?: string | null;
}

/** The requests of one bucket. */
export class OciApi implements ObjectApi {
  readonly provider = 'OCI';
  readonly name: string;
  readonly limits: UploadLimits;
  readonly retries: RetryPolicy;
  readonly multipart: MultipartApi;
  readonly #identity: OciIdentity;
  readonly #origin: string;
  /** Set when it is known; the question for it needs none. */
  namespace = '';

  constructor(config: OciConfig, identity: OciIdentity, origin: string) {
    this.name = config.bucket;
    this.limits = { partBytes: config.partBytes, partsMax: 10_000, partsAtOnce: 3 };
    this.retries = {
      triesMax: config.triesMax,
      firstMs: config.waitMs,
      mostMs: config.waitMs,
      tryMs: Math.min(config.clientTimeoutMs, config.http.responseHeaderTimeoutMs),
    };
    this.#identity = identity;
    this.#origin = origin;
    this.multipart = uploadsOf();
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

  async delete(name: string, send: Send): Promise<void> {
    await send({ method: 'DELETE', object: name }, 'delete');
  }

  async list({ prefix, recursive, next }: ListQuestion, send: Send): Promise<ListPage> {
    const query = {
      fields: 'name,size,timeModified',
      limit: '1000',
      prefix,
      ...(recursive ? {} : { delimiter: '/' }),
      ...(next === undefined ? {} : { start: next }),
    };
    const operation = prefix === '' ? 'list' : `list ${JSON.stringify(prefix)}`;
    const { body } = await send({ method: 'GET', query, scope: 'o' }, operation);
    const where = `list the bucket ${this.name}`;
    const {
      objects,
      prefixes = [],
      nextStartWith,
    } = jsonFields(body.toString(), where) as OciListing;
    if (!Array.isArray(objects)) {
      throw new CodedError('unavailable', `${where}: the answer has no objects`);
    }
    return {
      objects: (objects as NonNullable<OciListing['objects']>).map((object) => {
        const lastModified = Date.parse(object.timeModified ?? '');
        return {
          name: object.name,
          size: object.size,
          lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
        };
      }),
      directories: prefixes,
      next: nextStartWith ?? undefined,
    };
  }

  /** Asks for what stands before all names. @throws CodedError. */
  async findNamespace(send: Send): Promise<void> {
    const { body } = await send({ method: 'GET', scope: 'namespace' }, 'ask for the namespace');
    const found = body.toString().trim().replace(/^"|"$/g, '');
    if (!/^[\w-]+$/.test(found)) {
      throw new CodedError('unavailable', 'the answer to the question for the namespace is none');
    }
    this.namespace = found;
  }

  async sign(request: StoreRequest, now: number): Promise<WireRequest> {
    const { method, query = {}, body } = request;
    const encoded = canonicalQuery(query);
    const path = this.#path(request) + (encoded === '' ? '' : `?${encoded}`);
    const { host } = new URL(this.#origin);
    const contentType = request.headers?.['content-type'] ?? JSON_TYPE;
    // Content of objects is not signed, that of other requests is.
    const signed =
      method === 'POST' ? { bytes: body?.bytes ?? new Uint8Array(), contentType } : undefined;
    const date = new Date(now).toUTCString();
    const key = await this.#identity.current();
    const headers = signOci({ method, target: path, host, date, body: signed }, key);
    return { origin: this.#origin, path, headers: { ...request.headers, ...headers } };
  }

  #path({ object, scope }: StoreRequest): string {
    if (scope === 'namespace') return '/n/';
    const bucket = `/n/${uriEncode(this.namespace)}/b/${uriEncode(this.name)}`;
    const folder = `${bucket}/${scope ?? 'o'}`;
    return object === undefined ? folder : `${folder}/${uriEncode(object, true)}`;
  }

  failure(request: StoreRequest, { status, headers, body }: StoreAnswer): StoreFailure {
    const { code, message } = errorFields(body.toString());
    const isMissing = request.method === 'HEAD' || code === 'ObjectNotFound';
    return {
      status,
      code,
      message,
      requestId: headerText(headers, 'opc-request-id') ?? '',
      notFound: request.object !== undefined && status === 404 && isMissing,
      retriable: isRetriedStatus(status),
    };
  }
}

function errorFields(text: string): { readonly code: string; readonly message: string } {
  try {
    const { code, message } = jsonFields(text, '');
    return {
      code: typeof code === 'string' ? code : '',
      message: typeof message === 'string' ? message : '',
    };
  } catch {
    return { code: '', message: '' };
  }
}

function uploadsOf(): MultipartApi {
  return {
    begin: async (name, contentType, send) => {
      const details = { object: name, contentType: contentType ?? CONTENT_TYPE };
      const request = { method: 'POST', scope: 'u', body: json(details) } as const;
      const { body } = await send(request, `begin the upload of ${JSON.stringify(name)},`);
      const { uploadId } = jsonFields(body.toString(), `upload ${JSON.stringify(name)}`);
      if (typeof uploadId === 'string' && uploadId !== '') {
        return { name, id: uploadId, contentType };
      }
      throw new CodedError('unavailable', `upload ${JSON.stringify(name)}: no upload id`);
    },
    upload: async ({ name, id }, { number, body }, send) => {
      const { headers } = await send(
        {
          method: 'PUT',
          object: name,
          scope: 'u',
          query: { uploadId: id, uploadPartNum: String(number) },
          body,
        },
        `upload part ${number} of`,
      );
      const etag = headerText(headers, 'etag');
      if (etag !== undefined) return etag;
      const what = `upload part ${number} of ${JSON.stringify(name)}`;
      throw new CodedError('unavailable', `${what}: the store answers without an ETag`);
    },
    complete: async ({ name, id }, parts, send) => {
      const partsToCommit = parts.map(({ number, etag }) => ({ partNum: number, etag }));
      await send(
        {
          method: 'POST',
          object: name,
          scope: 'u',
          query: { uploadId: id },
          body: json({ partsToCommit }),
        },
        'complete the upload of',
      );
    },
    abort: async ({ name, id }, _, send) => {
      const query = { uploadId: id };
      try {
        await send({ method: 'DELETE', object: name, scope: 'u', query }, 'give up the upload of');
      } catch (thrown) {
        if (!hasStoreCode(thrown, 'NoSuchUpload', 'UploadNotFound')) throw thrown;
      }
    },
  };
}

function json(value: object): Payload {
  return bytesPayload(Buffer.from(JSON.stringify(value)));
}
