/** What Baidu's store writes: the documents of S3 as JSON. Facts: BOS API reference. */
import { CodedError } from '../../lib/errors.ts';
import type { ListPage } from '../http/object-api.ts';
import type { StoreDocuments } from '../s3/s3-documents.ts';

interface BosListing {
  readonly isTruncated?: boolean;
  readonly nextMarker?: string;
  readonly contents?: readonly {
    readonly key: string;
    readonly size?: number;
    readonly lastModified?: string;
  }[];
  readonly commonPrefixes?: readonly { readonly prefix: string }[];
}

/** Documents of BOS. */
export const BOS_DOCUMENTS: StoreDocuments = {
  listing: (text, bucket) => parseListing(parseJson(text, `list the bucket ${bucket}`), bucket),
  uploadId: (text, where) => {
    const { uploadId } = parseJson(text, where) as { readonly uploadId?: unknown };
    return typeof uploadId === 'string' ? uploadId : '';
  },
  completion: (parts) => ({
    text: JSON.stringify({
      parts: parts.map(({ number, etag }) => ({
        partNumber: number,
        eTag: etag.replaceAll('"', ''),
      })),
    }),
    contentType: 'application/json; charset=utf-8',
  }),
  isCompleted: (text) => 'eTag' in tryJson(text),
  error: (text) => {
    const { code = '', message = '', requestId = '' } = tryJson(text);
    return { code, message, requestId, region: '' };
  },
};

function parseListing(given: object, bucket: string): ListPage {
  const { isTruncated, nextMarker, contents, commonPrefixes = [] } = given as BosListing;
  if (!Array.isArray(contents)) {
    throw new CodedError('unavailable', `list the bucket ${bucket}: the answer has no contents`);
  }
  const objects = (contents as NonNullable<BosListing['contents']>).map((object) => {
    const lastModified = Date.parse(object.lastModified ?? '');
    return {
      name: object.key,
      size: object.size,
      lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
    };
  });
  const directories = commonPrefixes.map(({ prefix }) => prefix);
  if (isTruncated !== true) return { objects, directories };
  const next = nextMarker ?? objects.at(-1)?.name;
  if (next === undefined || next === '') {
    throw new CodedError('unavailable', `list the bucket ${bucket}: a page does not say the next`);
  }
  return { objects, directories, next };
}

function parseJson(text: string, where: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  const shown = JSON.stringify(text.slice(0, 100));
  throw new CodedError('unavailable', `${where}: the answer is no JSON object: ${shown}`);
}

/** The texts of an answer that may be anything. */
function tryJson(text: string): Readonly<Record<string, string>> {
  try {
    const entries = Object.entries(parseJson(text, '')).filter(([, v]) => typeof v === 'string');
    return Object.fromEntries(entries) as Record<string, string>;
  } catch {
    return {};
  }
}
