/**
 * AWS Signature Version 2 for S3, which old stores want. Specification: Amazon S3 Developer Guide, "Signing and
 * Authenticating REST Requests".
 */
import { createHmac } from 'node:crypto';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Credentials } from './credentials.ts';
import type { SignableRequest } from './sign-v4.ts';

/** Query parameters that are part of what is signed. */
const SUBRESOURCES = new Set([
  'acl',
  'cors',
  'delete',
  'lifecycle',
  'location',
  'logging',
  'notification',
  'partNumber',
  'policy',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]);

/** How a vendor's signatures differ from Amazon's. */
export interface V2Dialect {
  /** The word before the key in the Authorization header. */
  readonly scheme: string;
  /** What the names of headers that are signed begin with. */
  readonly headerPrefix: string;
  /** Parameters that are signed besides those of S3. */
  readonly subresources: ReadonlySet<string>;
}

/** Amazon's own. */
export const AWS_V2: V2Dialect = {
  scheme: 'AWS',
  headerPrefix: 'x-amz-',
  subresources: new Set(),
};

/**
 * The value of the Authorization header. `resource` is the encoded path with the bucket at its start, also where the
 * bucket is part of the host's name.
 */
export function authorizeV2(
  request: SignableRequest,
  resource: string,
  credentials: Credentials,
  dialect: V2Dialect = AWS_V2,
): string {
  const toSign = stringToSignV2(request, resource, dialect);
  const signature = createHmac('sha1', credentials.secretKey).update(toSign).digest('base64');
  return `${dialect.scheme} ${credentials.accessKey}:${signature}`;
}

/** What is signed. */
function stringToSignV2(request: SignableRequest, resource: string, dialect: V2Dialect): string {
  const { method, headers, query } = request;
  const { headerPrefix, subresources } = dialect;
  const own = Object.keys(headers)
    .filter((name) => name.startsWith(headerPrefix))
    .toSorted(compareUtf8)
    .map((name) => `${name}:${(headers[name] ?? '').trim()}`);
  const parameters = Object.entries(query)
    .filter(([name]) => SUBRESOURCES.has(name) || subresources.has(name))
    .toSorted(([a], [b]) => compareUtf8(a, b))
    .map(([name, value]) => (value === undefined ? name : `${name}=${value}`));
  // A date in a header of the vendor's stands in for the usual one.
  const date = `${headerPrefix}date` in headers ? '' : (headers['date'] ?? '');
  return [
    method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    ...own,
    parameters.length === 0 ? resource : `${resource}?${parameters.join('&')}`,
  ].join('\n');
}
