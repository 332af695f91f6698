/** What S3 and its relatives write: listings, uploads in parts, errors. In XML, unless a store has it otherwise. */
import { CodedError } from '../../lib/errors.ts';
import type { ListPage, UploadedPart } from '../http/object-api.ts';
import { childText, children, parseXml, tryXml, type XmlNode } from './s3-xml.ts';

/** What an answer says about a failure; '' where it does not. */
export interface StoreErrorText {
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  readonly region: string;
}

/** How a store writes. Functions that throw throw CodedErrors `unavailable`. */
export interface StoreDocuments {
  /** @throws CodedError when it is not a whole one. */
  listing(text: string, bucket: string): ListPage;
  /** The id of an upload in parts; '' when there is none. @throws CodedError. */
  uploadId(text: string, where: string): string;
  /** What puts an object together. */
  completion(parts: readonly UploadedPart[]): {
    readonly text: string;
    readonly contentType: string;
  };
  /** Whether an answer says that the object has been put together. */
  isCompleted(text: string): boolean;
  /** Never throws: an answer may be anything. */
  error(text: string): StoreErrorText;
}

/** Those of S3. */
export const XML_DOCUMENTS: StoreDocuments = {
  listing: parseListing,
  uploadId: (text, where) =>
    childText(parseXml(text, 'InitiateMultipartUploadResult', where), 'UploadId'),
  completion: (parts) => ({ text: completionXml(parts), contentType: 'application/xml' }),
  isCompleted: (text) => tryXml(text, 'CompleteMultipartUploadResult') !== undefined,
  error: (text) => {
    const root = tryXml(text, 'Error');
    return {
      code: childText(root, 'Code'),
      message: childText(root, 'Message'),
      requestId: childText(root, 'RequestId'),
      region: childText(root, 'Region'),
    };
  },
};

/** A page of ListObjects, version 1 or 2. @throws CodedError unavailable. */
function parseListing(text: string, bucket: string): ListPage {
  const root = parseXml(text, 'ListBucketResult', `list the bucket ${bucket}`);
  const decode = childText(root, 'EncodingType') === 'url' ? decodeQuery : String;
  const objects = children(root, 'Contents').map((object) => {
    const size = childText(object, 'Size');
    const lastModified = Date.parse(childText(object, 'LastModified'));
    return {
      name: decode(childText(object, 'Key')),
      size: /^\d+$/.test(size) ? Number(size) : undefined,
      lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
    };
  });
  const directories = children(root, 'CommonPrefixes').map((one) =>
    decode(childText(one, 'Prefix')),
  );
  return { objects, directories, next: nextOf(root, { objects, directories }, decode) };
}

function nextOf(
  root: XmlNode,
  page: Pick<ListPage, 'objects' | 'directories'>,
  decode: (text: string) => string,
): string | undefined {
  if (childText(root, 'IsTruncated') !== 'true') return undefined;
  const token = childText(root, 'NextContinuationToken');
  if (token !== '') return token;
  const marker = decode(childText(root, 'NextMarker'));
  if (marker !== '') return marker;
  // Version 1 without a delimiter: the last name is the marker.
  const last = page.objects.at(-1)?.name ?? page.directories.at(-1);
  if (last === undefined) {
    throw new CodedError('unavailable', 'a page of a listing is empty, and there should be more');
  }
  return last;
}

/** As Go's url.QueryUnescape, which leaves a plus for a space. */
function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** The content of a CompleteMultipartUpload. */
function completionXml(
  parts: readonly { readonly number: number; readonly etag: string }[],
): string {
  const items = parts.map(
    ({ number, etag }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
  );
  return `<CompleteMultipartUpload>${items.join('')}</CompleteMultipartUpload>`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
