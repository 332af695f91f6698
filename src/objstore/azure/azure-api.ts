/** The interface of one container of Azure. Facts: Azure Storage REST API reference, "Blob Service". */
import { randomBytes } from 'node:crypto';
import { CodedError } from '../../lib/errors.ts';
import type {
  ListPage,
  ListQuestion,
  MultipartApi,
  ObjectApi,
  PartedUpload,
  RetryPolicy,
  Send,
  StoreAnswer,
  StoreFailure,
  StoreRequest,
  UploadLimits,
  WireRequest,
} from '../http/object-api.ts';
import { headerText } from '../http/object-client.ts';
import { bytesPayload, type Payload } from '../http/payload.ts';
import { isRetriedStatus } from '../http/store-error.ts';
import { canonicalQuery, uriEncode } from '../s3/sign-v4.ts';
import { children, childText, parseXml, tryXml, type XmlNode } from '../s3/s3-xml.ts';
import { authorizeSharedKey, type AzureTokens } from './azure-auth.ts';
import type { AzureConfig } from './azure-config.ts';

const VERSION = '2023-11-03';
const SCOPE = 'https://storage.azure.com/.default';
const CONTENT_TYPE = 'application/octet-stream';
/** limit: a block of 16 MiB; 50,000 of them are 780 GiB, and larger objects have larger blocks. */
const LIMITS: UploadLimits = {
  partBytes: 16 * 1024 * 1024,
  partsMax: 50_000,
  partsAtOnce: 4,
};

/** Codes by which Azure says that something may be better later. */
const RETRIED_CODES = new Set(['ServerBusy', 'InternalError', 'OperationTimedOut']);

/** The requests of one container. */
export class AzureApi implements ObjectApi {
  readonly provider = 'AZURE';
  readonly name: string;
  readonly limits = LIMITS;
  readonly retries: RetryPolicy;
  readonly multipart: MultipartApi;
  readonly #config: AzureConfig;
  readonly #tokens: AzureTokens | undefined;
  readonly #url: URL;
  readonly #path: string;

  constructor(config: AzureConfig, tokens: AzureTokens | undefined) {
    this.name = config.container;
    this.retries = config.retries;
    this.#config = config;
    this.#tokens = tokens;
    this.#url = new URL(config.url);
    this.#path = `${this.#url.pathname.replace(/\/$/, '')}/${uriEncode(config.container)}`;
    this.multipart = {
      // Blocks belong to the name; their ids tell the uploads of one name apart.
      begin: (name, contentType) =>
        Promise.resolve({ name, contentType, id: randomBytes(12).toString('hex') }),
      upload: async (upload, { number, body }, send) => {
        const id = blockId(upload, number);
        const query = { comp: 'block', blockid: id };
        const request: StoreRequest = { method: 'PUT', object: upload.name, query, body };
        await send(request, `upload block ${number} of`);
        return id;
      },
      complete: async (upload, parts, send) => {
        const ids = parts.map(({ etag }) => `<Latest>${etag}</Latest>`).join('');
        const text = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids}</BlockList>`;
        await send(
          {
            method: 'PUT',
            object: upload.name,
            query: { comp: 'blocklist' },
            headers: {
              'content-type': 'application/xml',
              'x-ms-blob-content-type': upload.contentType ?? CONTENT_TYPE,
            },
            body: bytesPayload(Buffer.from(text)),
          },
          'complete the upload of',
        );
      },
      // Blocks that are in no list go by themselves, after a week.
      abort: () => Promise.resolve(),
    };
  }

  get(name: string): StoreRequest {
    return { method: 'GET', object: name };
  }

  head(name: string): StoreRequest {
    return { method: 'HEAD', object: name };
  }

  put(name: string, contentType: string | undefined, body: Payload): StoreRequest {
    const headers = {
      'content-type': contentType ?? CONTENT_TYPE,
      'x-ms-blob-type': 'BlockBlob',
    };
    return { method: 'PUT', object: name, headers, body };
  }

  async delete(name: string, send: Send): Promise<void> {
    const headers = { 'x-ms-delete-snapshots': 'include' };
    await send({ method: 'DELETE', object: name, headers }, 'delete');
  }

  async list({ prefix, recursive, next }: ListQuestion, send: Send): Promise<ListPage> {
    const query = {
      restype: 'container',
      comp: 'list',
      prefix,
      ...(recursive ? {} : { delimiter: '/' }),
      ...(next === undefined ? {} : { marker: next }),
    };
    const operation = prefix === '' ? 'list' : `list ${JSON.stringify(prefix)}`;
    const { body } = await send({ method: 'GET', query }, operation);
    const where = `list the container ${this.name}`;
    return parseListing(parseXml(textOf(body), 'EnumerationResults', where));
  }

  /** Makes sure that the container is there. Behaviour: objstore azure.go (NewBucketWithConfig). */
  async ensureContainer(send: Send): Promise<boolean> {
    const query = { restype: 'container' };
    const there = await send({ method: 'HEAD', query, accepts: [404] }, 'look for the container');
    if (there.status !== 404) return false;
    const request = { method: 'PUT', query, body: bytesPayload(new Uint8Array()) } as const;
    await send({ ...request, accepts: [409] }, 'make the container');
    return true;
  }

  async sign(request: StoreRequest, now: number): Promise<WireRequest> {
    const { method, object, query = {}, body } = request;
    const path = object === undefined ? this.#path : `${this.#path}/${uriEncode(object, true)}`;
    const headers: Record<string, string> = {
      ...request.headers,
      'x-ms-date': new Date(now).toUTCString(),
      'x-ms-version': VERSION,
    };
    const { auth } = this.#config;
    const parts = [canonicalQuery(query)];
    if (auth.kind === 'key') {
      const signed = { method, path, query, headers, length: body?.size ?? 0 };
      headers['authorization'] = authorizeSharedKey(signed, auth.account, auth.key);
    } else if (auth.kind === 'sas') parts.push(auth.query);
    else {
      const token = await this.#tokens?.getToken(SCOPE);
      if (token === null || token === undefined) {
        throw new CodedError('unavailable', 'Azure gives no token for storage');
      }
      headers['authorization'] = `Bearer ${token.token}`;
    }
    const full = parts.filter((part) => part !== '').join('&');
    return { origin: this.#url.origin, path: full === '' ? path : `${path}?${full}`, headers };
  }

  failure(request: StoreRequest, { status, headers, body }: StoreAnswer): StoreFailure {
    const root = tryXml(textOf(body), 'Error');
    const code = headerText(headers, 'x-ms-error-code') ?? childText(root, 'Code');
    // The message repeats the request's id and the time on lines of their own.
    const [message = ''] = childText(root, 'Message').split('\n');
    return {
      status,
      code,
      message,
      requestId: headerText(headers, 'x-ms-request-id') ?? '',
      notFound: request.object !== undefined && status === 404 && code === 'BlobNotFound',
      retriable: isRetriedStatus(status) || RETRIED_CODES.has(code),
    };
  }
}

/** All of one blob must be equally long. */
function blockId({ id }: PartedUpload, number: number): string {
  return Buffer.from(`${id}-${String(number).padStart(6, '0')}`).toString('base64');
}

/** Azure puts a byte order mark before its XML. */
function textOf(body: Buffer): string {
  return body.toString().replace(/^\uFEFF/, '');
}

function parseListing(root: XmlNode): ListPage {
  const [blobs] = children(root, 'Blobs');
  const objects = children(blobs, 'Blob').map((blob) => {
    const size = childText(blob, 'Properties', 'Content-Length');
    const lastModified = Date.parse(childText(blob, 'Properties', 'Last-Modified'));
    return {
      name: childText(blob, 'Name'),
      size: /^\d+$/.test(size) ? Number(size) : undefined,
      lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
    };
  });
  const directories = children(blobs, 'BlobPrefix').map((one) => childText(one, 'Name'));
  const next = childText(root, 'NextMarker');
  return { objects, directories, next: next === '' ? undefined : next };
}
