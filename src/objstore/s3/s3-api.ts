/** The interface of S3 and of the stores that took it over: paths, queries, documents. What differs is passed in. */
import { createHash } from 'node:crypto';
import type { BucketProvider } from '../bucket.ts';
import type {
  ListPage,
  ListQuestion,
  MultipartApi,
  ObjectApi,
  PartedUpload,
  PartToUpload,
  RetryPolicy,
  Send,
  StoreAnswer,
  StoreFailure,
  StoreHeaders,
  StoreRequest,
  UploadedPart,
  UploadLimits,
} from '../http/object-api.ts';
import { hasStoreCode, headerText } from '../http/object-client.ts';
import { bytesPayload, type Payload } from '../http/payload.ts';
import { isRetriedStatus, storeError } from '../http/store-error.ts';
import { CodedError } from '../../lib/errors.ts';
import { type StoreDocuments, XML_DOCUMENTS } from './s3-documents.ts';

/** What differs between stores, and between buckets. */
export interface S3ApiOptions extends Pick<
  ObjectApi,
  'sign' | 'recover' | 'accessHint' | 'limits' | 'retries'
> {
  readonly provider: BucketProvider;
  readonly bucket: string;
  readonly listVersion: 'v1' | 'v2';
  /** Uploads in parts, where they are not those of S3. */
  readonly multipart?: MultipartApi;
  /** Parameters of a page of a listing, where they are not those of S3. */
  readonly listQuery?: (question: ListQuestion) => Readonly<Record<string, string>>;
  /** How answers and the ends of uploads are written; S3's XML by default. */
  readonly documents?: StoreDocuments;
  /** Headers of requests that begin an object. */
  readonly writeHeaders?: Readonly<Record<string, string>>;
  /** Headers of requests that read an object or write a part of one. */
  readonly readHeaders?: Readonly<Record<string, string>>;
}

/** Codes by which a store says that it may be better later. Behaviour: minio-go retry.go. */
const RETRIED_CODES = new Set([
  'RequestError',
  'RequestTimeout',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'InternalError',
  'SlowDown',
  'ServiceUnavailable',
]);
const NOT_FOUND_CODES = new Set(['NoSuchKey', 'NotFound']);

const PAGE = '1000';
const CONTENT_TYPE = 'application/octet-stream';
/** limit: tries to put an object together that the store fails to in an answer of 200. */
const COMPLETIONS_MAX = 3;

/** The requests of one bucket. */
export class S3Api implements ObjectApi {
  readonly provider: BucketProvider;
  readonly name: string;
  readonly limits: UploadLimits;
  readonly retries: RetryPolicy;
  readonly multipart: MultipartApi;
  readonly sign: ObjectApi['sign'];
  readonly recover: NonNullable<ObjectApi['recover']>;
  readonly accessHint: NonNullable<ObjectApi['accessHint']>;
  readonly #options: S3ApiOptions;
  readonly #documents: StoreDocuments;

  constructor(options: S3ApiOptions) {
    this.#options = options;
    this.#documents = options.documents ?? XML_DOCUMENTS;
    this.provider = options.provider;
    this.name = options.bucket;
    this.limits = options.limits;
    this.retries = options.retries;
    this.sign = options.sign;
    this.recover = options.recover ?? ((): Promise<boolean> => Promise.resolve(false));
    this.accessHint = options.accessHint ?? ((): string => '');
    this.multipart = options.multipart ?? {
      begin: (name, contentType, send) => this.#begin(name, contentType, send),
      upload: (upload, part, send) => this.#uploadPart(upload, part, send),
      complete: (upload, parts, send) => this.#complete(upload, parts, send),
      abort: (upload, _, send) => this.#abort(upload, send),
    };
  }

  get(name: string): StoreRequest {
    return { method: 'GET', object: name, headers: this.#options.readHeaders ?? {} };
  }

  head(name: string): StoreRequest {
    return { method: 'HEAD', object: name, headers: this.#options.readHeaders ?? {} };
  }

  put(name: string, contentType: string | undefined, body: Payload): StoreRequest {
    return { method: 'PUT', object: name, headers: this.#writeHeaders(contentType), body };
  }

  async delete(name: string, send: Send): Promise<void> {
    await send({ method: 'DELETE', object: name }, 'delete');
  }

  async list(question: ListQuestion, send: Send): Promise<ListPage> {
    const { prefix } = question;
    const query = this.#options.listQuery?.(question) ?? this.#listQuery(question);
    const operation = prefix === '' ? 'list' : `list ${JSON.stringify(prefix)}`;
    const { body } = await send({ method: 'GET', query }, operation);
    return this.#documents.listing(body.toString(), this.name);
  }

  #listQuery({ prefix, recursive, next }: ListQuestion): Readonly<Record<string, string>> {
    const isV2 = this.#options.listVersion === 'v2';
    return {
      ...(isV2 ? { 'list-type': '2' } : {}),
      ...(next === undefined ? {} : { [isV2 ? 'continuation-token' : 'marker']: next }),
      ...(recursive ? {} : { delimiter: '/' }),
      'encoding-type': 'url',
      'max-keys': PAGE,
      prefix,
    };
  }

  failure(request: StoreRequest, { status, headers, body }: StoreAnswer): StoreFailure {
    const said = this.#documents.error(body.toString());
    const region = headerText(headers, 'x-amz-bucket-region') ?? said.region;
    return {
      status,
      code: said.code,
      message: said.message,
      requestId: said.requestId || requestIdOf(headers),
      // What is no answer of a store's, as a proxy's page, must not pass for "is not there".
      notFound:
        request.object !== undefined &&
        status === 404 &&
        (request.method === 'HEAD' || NOT_FOUND_CODES.has(said.code)),
      retriable: isRetriedStatus(status) || RETRIED_CODES.has(said.code),
      ...(region === '' ? {} : { details: { region } }),
    };
  }

  #writeHeaders(contentType = CONTENT_TYPE): Readonly<Record<string, string>> {
    return { 'content-type': contentType, ...this.#options.writeHeaders };
  }

  async #begin(name: string, contentType: string | undefined, send: Send): Promise<PartedUpload> {
    const { body } = await send(
      {
        method: 'POST',
        object: name,
        query: { uploads: undefined },
        headers: this.#writeHeaders(contentType),
      },
      'begin the upload of',
    );
    const where = `upload ${JSON.stringify(name)}, bucket ${this.name}`;
    const id = this.#documents.uploadId(body.toString(), where);
    if (id === '') throw new CodedError('unavailable', `${where}: the store gives no upload id`);
    return { name, id, contentType };
  }

  async #uploadPart(
    { name, id }: PartedUpload,
    { number, body }: PartToUpload,
    send: Send,
  ): Promise<string> {
    const { headers } = await send(
      {
        method: 'PUT',
        object: name,
        query: { partNumber: String(number), uploadId: id },
        headers: this.#options.readHeaders ?? {},
        body,
      },
      `upload part ${number} of`,
    );
    const etag = headerText(headers, 'etag');
    if (etag !== undefined) return etag;
    const what = `upload part ${number} of ${JSON.stringify(name)}, bucket ${this.name}`;
    throw new CodedError('unavailable', `${what}: the store answers without an ETag`);
  }

  async #complete(upload: PartedUpload, parts: readonly UploadedPart[], send: Send): Promise<void> {
    const { name, id } = upload;
    const { text, contentType } = this.#documents.completion(parts);
    const request: StoreRequest = {
      method: 'POST',
      object: name,
      query: { uploadId: id },
      headers: { 'content-type': contentType },
      body: bytesPayload(Buffer.from(text)),
    };
    for (let tries = 1; ; tries++) {
      let answer: StoreAnswer;
      try {
        answer = await send(request, 'complete the upload of');
      } catch (thrown) {
        // An answer may have been lost, and the request sent again.
        if (hasStoreCode(thrown, 'NoSuchUpload') && (await this.#isThere(name, parts, send))) {
          return;
        }
        throw thrown;
      }
      if (this.#documents.isCompleted(answer.body.toString())) return;
      const failure = this.failure(request, answer);
      if (tries < COMPLETIONS_MAX && (failure.retriable || failure.code === '')) continue;
      const context = { operation: 'complete the upload of', object: name, bucket: this.name };
      throw storeError(failure, { ...context, tries, hint: '' });
    }
  }

  /** Whether the object has just these parts: its ETag is the MD5 of theirs, unless it is encrypted. */
  async #isThere(name: string, parts: readonly UploadedPart[], send: Send): Promise<boolean> {
    const hash = createHash('md5');
    for (const { etag } of parts) hash.update(Buffer.from(etag.replaceAll('"', ''), 'hex'));
    const { headers } = await send(this.head(name), 'look for');
    const etag = headerText(headers, 'etag')?.replaceAll('"', '');
    return etag === `${hash.digest('hex')}-${parts.length}`;
  }

  async #abort({ name, id }: PartedUpload, send: Send): Promise<void> {
    try {
      await send(
        { method: 'DELETE', object: name, query: { uploadId: id } },
        'give up the upload of',
      );
    } catch (thrown) {
      if (!hasStoreCode(thrown, 'NoSuchUpload')) throw thrown;
    }
  }
}

/** Each vendor has a prefix of its own. */
function requestIdOf(headers: StoreHeaders): string {
  const names = ['x-amz-request-id', 'x-cos-request-id', 'x-oss-request-id'];
  const more = ['x-obs-request-id', 'x-bce-request-id', 'x-guploader-uploadid'];
  const found = [...names, ...more].map((name) => headerText(headers, name));
  return found.find((id) => id !== undefined) ?? '';
}
