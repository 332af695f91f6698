/**
 * Objects of Swift in segments: static ones, whose manifest lists them, and dynamic ones, whose manifest names what their
 * names begin with. Facts: OpenStack Object Storage API v1, "Large objects"; names of segments as ncw/swift has them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { isNotFound } from '../bucket.ts';
import type { MultipartApi, PartedUpload, Send, UploadedPart } from '../http/object-api.ts';
import { headerText } from '../http/object-client.ts';
import { bytesPayload } from '../http/payload.ts';
import type { SwiftConfig } from './swift-config.ts';

/** What names of segments, and their directory, look like: no listing shows them. */
export const SEGMENTS = /^segments\/(?:[0-9a-f]{3}\/[0-9a-f]+\/\d{16})?$/;

const CONTENT_TYPE = 'application/octet-stream';

/** The uploads of a container. */
export function segmentedUploads(config: SwiftConfig): MultipartApi {
  const container = config.segmentContainer;
  return {
    begin: (name, contentType) => {
      const hash = createHash('sha1').update(name).update(randomBytes(32)).digest('hex');
      return Promise.resolve({
        name,
        contentType,
        id: `segments/${hash.slice(0, 3)}/${hash.slice(3)}`,
      });
    },
    upload: async (upload, { number, body }, send) => {
      const { headers } = await send(
        { method: 'PUT', object: segmentName(upload, number), scope: container, body },
        `upload segment ${number} of ${JSON.stringify(upload.name)} as`,
      );
      return (headerText(headers, 'etag') ?? '').replaceAll('"', '');
    },
    complete: (upload, parts, send) =>
      config.useDynamicLargeObjects
        ? putDynamic(upload, container, send)
        : putStatic(upload, { container, parts }, send),
    abort: async (upload, parts, send) => {
      // One that was under way may have arrived, too.
      const numbers = new Set(parts.map(({ number }) => number));
      const last = Math.max(0, ...numbers);
      for (let number = 1; number <= last + 4; number++) {
        await removeSegment(segmentName(upload, number), container, send);
      }
    },
  };
}

function segmentName({ id }: PartedUpload, number: number): string {
  return `${id}/${String(number).padStart(16, '0')}`;
}

async function putStatic(
  { name, contentType, id }: PartedUpload,
  segments: { readonly container: string; readonly parts: readonly UploadedPart[] },
  send: Send,
): Promise<void> {
  const { container, parts } = segments;
  const manifest = parts.map(({ number, etag, size }) => ({
    path: `/${container}/${segmentName({ name, contentType, id }, number)}`,
    etag,
    size_bytes: size,
  }));
  await send(
    {
      method: 'PUT',
      object: name,
      query: { 'multipart-manifest': 'put' },
      headers: { 'content-type': contentType ?? CONTENT_TYPE },
      body: bytesPayload(Buffer.from(JSON.stringify(manifest))),
    },
    'write the manifest of',
  );
}

async function putDynamic(
  { name, contentType, id }: PartedUpload,
  container: string,
  send: Send,
): Promise<void> {
  await send(
    {
      method: 'PUT',
      object: name,
      headers: {
        'content-type': contentType ?? CONTENT_TYPE,
        'x-object-manifest': encodeURI(`${container}/${id}/`),
      },
      body: bytesPayload(new Uint8Array()),
    },
    'write the manifest of',
  );
}

/** Removes an object with its segments. Behaviour: ncw/swift LargeObjectDelete. @throws CodedError not_found. */
export async function deleteLargeObject(name: string, send: Send): Promise<void> {
  const { headers } = await send({ method: 'HEAD', object: name }, 'look for');
  const isStatic = headerText(headers, 'x-static-large-object')?.toLowerCase() === 'true';
  const dynamic = headerText(headers, 'x-object-manifest');
  const query = isStatic ? { 'multipart-manifest': 'delete' } : {};
  await send({ method: 'DELETE', object: name, query }, 'delete');
  if (dynamic !== undefined) await removeSegmentsOf(decodeURIComponent(dynamic), send);
}

async function removeSegmentsOf(manifest: string, send: Send): Promise<void> {
  const slash = manifest.indexOf('/');
  const [container, prefix] = [manifest.slice(0, slash), manifest.slice(slash + 1)];
  if (container === '' || prefix === '') return;
  for (;;) {
    const { body } = await send(
      { method: 'GET', scope: container, query: { format: 'json', prefix, limit: '1000' } },
      'list segments',
    );
    const entries = (body.length === 0 ? [] : JSON.parse(body.toString())) as readonly {
      readonly name: string;
    }[];
    if (entries.length === 0) return;
    for (const entry of entries) await removeSegment(entry.name, container, send);
  }
}

async function removeSegment(name: string, container: string, send: Send): Promise<void> {
  try {
    await send({ method: 'DELETE', object: name, scope: container }, 'delete the segment');
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
  }
}
