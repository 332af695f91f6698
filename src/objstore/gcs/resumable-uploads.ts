/**
 * Uploads in parts as Google has them: one session, whose parts come in order. Unlike those of S3 they need no further
 * permissions. Facts: Cloud Storage XML API, "Resumable uploads".
 */
import { CodedError } from '../../lib/errors.ts';
import type { MultipartApi, PartToUpload, PartedUpload, Send } from '../http/object-api.ts';
import { headerText } from '../http/object-client.ts';
import { bytesPayload } from '../http/payload.ts';

/** Parts but the last are multiples of this. */
export const CHUNK_UNIT_BYTES = 256 * 1024;

const CONTENT_TYPE = 'application/octet-stream';
const NOTHING = bytesPayload(new Uint8Array());

/** The uploads of a bucket. */
export function resumableUploads(): MultipartApi {
  /** Sessions whose last part has arrived, which puts the object together. */
  const ended = new Set<string>();
  return {
    begin: async (name, contentType, send) => {
      const { headers } = await send(
        {
          method: 'POST',
          object: name,
          headers: {
            'content-type': contentType ?? CONTENT_TYPE,
            'x-goog-resumable': 'start',
          },
          body: NOTHING,
        },
        'begin the upload of',
      );
      const location = headerText(headers, 'location') ?? '';
      const id = new URLSearchParams(location.slice(location.indexOf('?') + 1)).get('upload_id');
      if (id !== null && id !== '') return { name, id, contentType };
      throw new CodedError(
        'unavailable',
        `upload ${JSON.stringify(name)}: the store gives no session`,
      );
    },
    upload: async (upload, part, send) => {
      const { body, offset, isLast } = part;
      const end = offset + body.size;
      const total = isLast ? String(end) : '*';
      const range = `bytes ${offset}-${end - 1}/${total}`;
      const answer = await put(upload, part, range, send);
      if (answer.status !== 308) ended.add(upload.id);
      else if (headerText(answer.headers, 'range') !== `bytes=0-${end - 1}`) {
        const what = `upload part ${part.number} of ${JSON.stringify(upload.name)}`;
        throw new CodedError('unavailable', `${what}: the store has not taken all of it`);
      }
      return '';
    },
    complete: async (upload, parts, send) => {
      if (ended.delete(upload.id)) return;
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      const empty = { number: parts.length + 1, offset: size, body: NOTHING, isLast: true };
      const { status } = await put(upload, empty, `bytes */${size}`, send);
      if (status !== 308) return;
      const what = `complete the upload of ${JSON.stringify(upload.name)}`;
      throw new CodedError('unavailable', `${what}: the store wants more than ${size} bytes`);
    },
    abort: async ({ name, id }, _, send) => {
      ended.delete(id);
      await send(
        {
          method: 'DELETE',
          object: name,
          query: { upload_id: id },
          // What Google answers, and when the session has gone.
          accepts: [499, 404, 410],
        },
        'give up the upload of',
      );
    },
  };
}

function put(
  { name, id }: PartedUpload,
  { number, body }: PartToUpload,
  range: string,
  send: Send,
): ReturnType<Send> {
  return send(
    {
      method: 'PUT',
      object: name,
      query: { upload_id: id },
      headers: { 'content-range': range },
      body,
      accepts: [308],
    },
    `upload part ${number} of`,
  );
}
