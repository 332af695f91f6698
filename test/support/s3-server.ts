/**
 * A small server of S3 over memory, and of stores that took its interface over. It can be slow, broken and hostile, and
 * that can be changed while it runs: what benches and tests of faults put behind a bucket of type S3.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { type StoredPage, StoredObjects } from './stored-objects.ts';
import type { SignatureCheck } from './s3-signatures.ts';
import { receivedRequest } from './signature-proxy.ts';

/** How the server behaves. All of it can be exchanged at any time. */
export interface S3Conditions {
  /** Wait before the first byte of an answer, in milliseconds. */
  firstByteMs: number;
  /** Of each answer; Infinity for no limit. */
  bytesPerSecond: number;
  /** Part of the requests, 0 to 1, that are answered by `failureStatus`. */
  failureRate: number;
  failureStatus: number;
  /** Headers of failures, as `retry-after`. */
  failureHeaders: Record<string, string>;
  /** Part of the reads whose body breaks off in the middle. */
  truncateRate: number;
  /** Part of the requests that are never answered. */
  hangRate: number;
  /** Part of the requests whose connection is cut before an answer, when the request has been carried out. */
  cutRate: number;
}

/** A fast and faultless server. */
export const GOOD_CONDITIONS: Readonly<S3Conditions> = {
  firstByteMs: 0,
  bytesPerSecond: Infinity,
  failureRate: 0,
  failureStatus: 503,
  failureHeaders: {},
  truncateRate: 0,
  hangRate: 0,
  cutRate: 0,
};

/** What a server may be. */
export interface S3ServerOptions {
  readonly conditions?: Partial<S3Conditions>;
  /** Refuses requests by their signatures; without it everything is let in. */
  readonly check?: SignatureCheck;
  /** Of the generator that decides about faults. */
  readonly seed?: number;
  /** Entries of a page of a listing. */
  readonly pageMax?: number;
  /** Whether the bucket is the first part of the path; otherwise the host is the bucket's. */
  readonly pathStyle?: boolean;
  /** How answers are written: as S3's, or as Baidu's. */
  readonly format?: 'xml' | 'json';
  /** Answers a request in place of the server. Returns whether it did. */
  readonly intercept?: (
    request: IncomingMessage,
    answer: ServerResponse,
  ) => boolean | Promise<boolean>;
}

/** A request that the server has seen. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

interface Upload {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

/** Starts a server on a free port of the loopback interface. */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const server = new S3Server(options);
  await server.listen();
  return server;
}

/** The server. */
export class S3Server implements AsyncDisposable {
  /** May be changed at any time. */
  readonly conditions: S3Conditions;
  /** Every request so far. */
  readonly seen: SeenRequest[] = [];
  /** What was wrong with signatures. */
  readonly refused: string[] = [];
  readonly objects = new StoredObjects();
  /** Uploads in parts that have neither ended nor been given up. */
  readonly uploads = new Map<string, Upload>();
  readonly #options: S3ServerOptions;
  readonly #random: Random;
  readonly #server: Server;

  constructor(options: S3ServerOptions) {
    this.#options = options;
    this.conditions = { ...GOOD_CONDITIONS, ...options.conditions };
    this.#random = new Random(options.seed ?? 1);
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, answer) => {
      this.#handle(request, answer).catch(() => answer.destroy());
    });
  }

  /** `127.0.0.1:port`, the endpoint of a configuration. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Listens on a free port, or on the one given: that of a server that has gone. */
  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.on('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** Cuts all connections that are open. */
  cutConnections(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push({ method, url, headers });
    if ((await this.#options.intercept?.(request, answer)) === true) return;
    const { firstByteMs, hangRate, failureRate, cutRate } = this.conditions;
    if (firstByteMs > 0) await sleep(firstByteMs, undefined, { ref: false });
    if (this.#happens(hangRate)) return;
    const body = await readAll(request);
    if (this.#happens(failureRate)) {
      const { failureStatus, failureHeaders } = this.conditions;
      answer.writeHead(failureStatus, failureHeaders);
      answer.end(errorXml('SlowDown', 'Please reduce your request rate.'));
      return;
    }
    const problem = await this.#options.check?.(receivedRequest(request), {
      sha256: createHash('sha256').update(body).digest('hex'),
      md5: createHash('md5').update(body).digest('base64'),
    });
    if (problem !== undefined) {
      this.refused.push(`${method} ${url}: ${problem}`);
      reply(answer, 403, errorXml('SignatureDoesNotMatch', 'The signature is another one.'));
      return;
    }
    const isCut = this.#happens(cutRate);
    await this.#route(request, isCut ? undefined : answer, body);
    if (isCut) answer.destroy();
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random.float() < rate;
  }

  /** Without an answer the request is carried out all the same. */
  async #route(
    request: IncomingMessage,
    answer: ServerResponse | undefined,
    body: Buffer,
  ): Promise<void> {
    const { method = '', headers } = request;
    const url = new URL(`http://host${request.url ?? ''}`);
    const [rawPath = ''] = (request.url ?? '').split('?');
    const skip = this.#options.pathStyle === false ? /^\// : /^\/[^/]*\/?/;
    const name = decodeURIComponent(rawPath.replace(skip, ''));
    const query = url.searchParams;
    const uploadId = query.get('uploadId');
    if (name === '') this.#bucket(query, answer);
    else if (method === 'POST' && query.has('uploads')) this.#begin(name, headers, answer);
    else if (uploadId !== null) {
      this.#part({ uploadId, number: Number(query.get('partNumber')), body, method }, answer);
    } else if (method === 'PUT') {
      const { etag } = this.objects.put(name, body, { headers: kept(headers) });
      reply(answer, 200, '', { etag: `"${etag}"` });
    } else if (method === 'DELETE') {
      this.objects.delete(name);
      reply(answer, 204, '');
    } else await this.#read(name, method, headers, answer);
  }

  #bucket(query: URLSearchParams, answer: ServerResponse | undefined): void {
    if (query.has('location')) {
      reply(answer, 200, '<LocationConstraint>us-east-1</LocationConstraint>');
      return;
    }
    const isV2 = query.get('list-type') === '2';
    const page = this.objects.list({
      prefix: query.get('prefix') ?? '',
      delimiter: query.get('delimiter') ?? '',
      after: query.get(isV2 ? 'continuation-token' : 'marker') ?? '',
      max: this.#options.pageMax ?? Number(query.get('max-keys') ?? 1000),
    });
    if (this.#options.format === 'json') {
      reply(answer, 200, jsonListing(page));
      return;
    }
    const { entries, next } = page;
    const isEncoded = query.get('encoding-type') === 'url';
    const encoding = isEncoded ? '<EncodingType>url</EncodingType>' : '';
    const text = (name: string): string => (isEncoded ? encodeURIComponent(name) : escapeXml(name));
    const xml = entries.map(([entry, object]) =>
      object === undefined
        ? `<CommonPrefixes><Prefix>${text(entry)}</Prefix></CommonPrefixes>`
        : `<Contents><Key>${text(entry)}</Key><LastModified>${new Date(object.lastModified).toISOString()}` +
          `</LastModified><ETag>&quot;${object.etag}&quot;</ETag><Size>${object.bytes.length}</Size></Contents>`,
    );
    const more =
      next === undefined
        ? ''
        : isV2
          ? `<NextContinuationToken>${escapeXml(next)}</NextContinuationToken>`
          : `<NextMarker>${text(next)}</NextMarker>`;
    reply(
      answer,
      200,
      `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
        `${encoding}<IsTruncated>${next !== undefined}</IsTruncated>${more}${xml.join('')}</ListBucketResult>`,
      { 'content-type': 'application/xml' },
    );
  }

  #begin(
    name: string,
    headers: IncomingMessage['headers'],
    answer: ServerResponse | undefined,
  ): void {
    const id = randomUUID();
    this.uploads.set(id, { name, headers: kept(headers), parts: new Map() });
    const root = 'InitiateMultipartUploadResult';
    const xml = `<${root}><UploadId>${id}</UploadId></${root}>`;
    reply(answer, 200, this.#options.format === 'json' ? JSON.stringify({ uploadId: id }) : xml);
  }

  #part(
    request: {
      readonly uploadId: string;
      readonly number: number;
      readonly body: Buffer;
      readonly method: string;
    },
    answer: ServerResponse | undefined,
  ): void {
    const { uploadId, number, body, method } = request;
    const upload = this.uploads.get(uploadId);
    if (upload === undefined) {
      reply(answer, 404, errorXml('NoSuchUpload', 'The upload does not exist.'));
    } else if (method === 'DELETE') {
      this.uploads.delete(uploadId);
      reply(answer, 204, '');
    } else if (method === 'PUT') {
      upload.parts.set(number, body);
      reply(answer, 200, '', { etag: `"${md5(body).toString('hex')}"` });
    } else {
      const numbers = [...body.toString().matchAll(/(?:<PartNumber>|"partNumber":)(\d+)/g)].map(
        (found) => Number(found[1]),
      );
      const parts = numbers.map((n) => upload.parts.get(n) ?? Buffer.alloc(0));
      const etag = `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-${parts.length}`;
      this.objects.put(upload.name, Buffer.concat(parts), { etag, headers: upload.headers });
      this.uploads.delete(uploadId);
      const root = 'CompleteMultipartUploadResult';
      const xml = `<${root}><ETag>&quot;${etag}&quot;</ETag></${root}>`;
      reply(answer, 200, this.#options.format === 'json' ? JSON.stringify({ eTag: etag }) : xml);
    }
  }

  async #read(
    name: string,
    method: string,
    asked: IncomingMessage['headers'],
    answer: ServerResponse | undefined,
  ): Promise<void> {
    const object = this.objects.get(name);
    if (object === undefined) {
      const [code, message] = ['NoSuchKey', 'The specified key does not exist.'] as const;
      const isJson = this.#options.format === 'json';
      const text = isJson ? JSON.stringify({ code, message }) : errorXml(code, message);
      reply(answer, 404, method === 'HEAD' ? '' : text);
      return;
    }
    const { bytes, etag, lastModified } = object;
    if (asked['if-match'] !== undefined && asked['if-match'] !== `"${etag}"`) {
      reply(answer, 412, errorXml('PreconditionFailed', 'The object is another one.'));
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(asked.range ?? '');
    const from = range === null ? 0 : Number(range[1]);
    const to = range === null || range[2] === '' ? bytes.length : Number(range[2]) + 1;
    if (range !== null && from >= bytes.length) {
      reply(answer, 416, errorXml('InvalidRange', 'The range is not satisfiable.'));
      return;
    }
    const part = bytes.subarray(from, to);
    answer?.writeHead(range === null ? 200 : 206, {
      etag: `"${etag}"`,
      'last-modified': new Date(lastModified).toUTCString(),
      'content-length': part.length,
      ...(range === null
        ? {}
        : { 'content-range': `bytes ${from}-${from + part.length - 1}/${bytes.length}` }),
    });
    if (method === 'HEAD') answer?.end();
    else if (answer !== undefined) await this.#send(part, answer);
  }

  async #send(bytes: Buffer, answer: ServerResponse): Promise<void> {
    const { bytesPerSecond, truncateRate } = this.conditions;
    const isCut = this.#happens(truncateRate);
    const whole = isCut ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes;
    const step = bytesPerSecond === Infinity ? whole.length : Math.ceil(bytesPerSecond / 50);
    for (let at = 0; at < whole.length && !answer.destroyed; at += step) {
      // What has not left when the connection is cut does not arrive.
      await new Promise((resolve) => answer.write(whole.subarray(at, at + step), resolve));
      if (at + step < whole.length) await sleep(20, undefined, { ref: false });
    }
    if (isCut) answer.destroy();
    else answer.end();
  }
}

function kept(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)] as const),
  );
}

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}

/** Sends a small answer. */
function reply(
  answer: ServerResponse | undefined,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  answer?.writeHead(status, { 'x-amz-request-id': 'REQUEST', ...headers });
  answer?.end(body);
}

/** A page as Baidu's store writes it. */
function jsonListing({ entries, next }: StoredPage): string {
  return JSON.stringify({
    contents: entries.flatMap(([key, object]) =>
      object === undefined
        ? []
        : [
            {
              key,
              size: object.bytes.length,
              eTag: object.etag,
              lastModified: new Date(object.lastModified).toISOString(),
            },
          ],
    ),
    commonPrefixes: entries.flatMap(([prefix, object]) =>
      object === undefined ? [{ prefix }] : [],
    ),
    isTruncated: next !== undefined,
    nextMarker: next,
  });
}

/** An error as S3 writes it. */
export function errorXml(code: string, message: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message><RequestId>REQUEST</RequestId></Error>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
