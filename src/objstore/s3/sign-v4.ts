/**
 * AWS Signature Version 4 in the Authorization header. Specification: AWS General Reference, "Signing AWS API requests";
 * Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
 */
import { createHash, createHmac } from 'node:crypto';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Credentials } from './credentials.ts';

/** The hash that stands for content that is not signed. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** What is signed. */
export interface SignableRequest {
  readonly method: string;
  /** Encoded as it goes out. */
  readonly path: string;
  /** Not encoded; undefined stands for a parameter without a value. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Names in lower case, `host` among them. All are signed. */
  readonly headers: Readonly<Record<string, string>>;
}

/** By whom, when and for what. */
export interface V4Scope {
  readonly credentials: Credentials;
  readonly region: string;
  /** `s3`, `sts`. */
  readonly service: string;
  /** ms since the epoch. */
  readonly now: number;
  /** SHA-256 of the content in hex, or {@link UNSIGNED_PAYLOAD}. */
  readonly payloadHash: string;
}

/** `20130524T000000Z`. */
export function amzDate(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

/** The value of the Authorization header. `x-amz-date` must be among the headers. */
export function authorizeV4(request: SignableRequest, scope: V4Scope): string {
  const { credentials, region, service, now, payloadHash } = scope;
  const date = amzDate(now);
  const day = date.slice(0, 8);
  const names = Object.keys(request.headers).toSorted(compareUtf8);
  const canonical = [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...names.map((name) => `${name}:${trimAll(request.headers[name] ?? '')}`),
    '',
    names.join(';'),
    payloadHash,
  ].join('\n');
  const credentialScope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, credentialScope, sha256Hex(canonical)].join('\n');
  const key = signingKey(credentials.secretKey, day, region, service);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  return (
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${credentialScope}, ` +
    `SignedHeaders=${names.join(';')}, Signature=${signature}`
  );
}

/** Encodes all but letters, digits and `-._~`, and leaves slashes when asked to. */
export function uriEncode(text: string, keepSlashes = false): string {
  const encoded = encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return keepSlashes ? encoded.replaceAll('%2F', '/') : encoded;
}

/** A query, encoded and in the order that is signed. */
export function canonicalQuery(query: SignableRequest['query']): string {
  return Object.entries(query)
    .map(([name, value = '']) => [uriEncode(name), uriEncode(value)] as const)
    .toSorted((a, b) => compareUtf8(a[0], b[0]) || compareUtf8(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function trimAll(value: string): string {
  return value.trim().replaceAll(/ +/g, ' ');
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** perf: a key holds for a day and takes four HMACs, more than the rest of a signature. */
const keys = new Map<string, Buffer>();
/** limit: keys that are remembered; there is one a day and bucket. */
const KEYS_MAX = 16;

function signingKey(secret: string, day: string, region: string, service: string): Buffer {
  const name = [secret, day, region, service].join('\n');
  const known = keys.get(name);
  if (known !== undefined) return known;
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of [day, region, service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  if (keys.size >= KEYS_MAX) keys.clear();
  keys.set(name, key);
  return key;
}
