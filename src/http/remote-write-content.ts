/** Which bodies a remote write endpoint takes. Texts: client_golang exp/api/remote, which Prometheus' handler is made of. */
import type { RemoteWriteVersion } from './write-service.ts';

/** Messages by version. */
const MESSAGES: ReadonlyMap<string, RemoteWriteVersion> = new Map([
  ['prometheus.WriteRequest', 1],
  ['io.prometheus.write.v2.Request', 2],
]);
const MEDIA_TYPE = 'application/x-protobuf';

/** What a request's headers say about its body: which version it is, or the text of a 415. */
export type ContentVerdict =
  | { readonly version: RemoteWriteVersion; readonly refusal?: undefined }
  | { readonly refusal: string };

const V1: ContentVerdict = { version: 1 };

/** Judges the headers of a request. Absent ones are fine and mean 1.0. */
export function judgeContent(
  contentType: string | undefined,
  contentEncoding: string | undefined,
): ContentVerdict {
  // Nearly every request of 1.0 has just these two.
  if (contentType === MEDIA_TYPE && contentEncoding === 'snappy') return V1;
  const refusal = refuseEncoding(contentEncoding);
  return refusal === undefined ? judgeType(contentType) : { refusal };
}

function refuseEncoding(encoding: string | undefined): string | undefined {
  if (encoding === undefined || encoding === '' || encoding === 'snappy') return undefined;
  return `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable`;
}

function judgeType(contentType: string | undefined): ContentVerdict {
  if (contentType === undefined || contentType === '') return V1;
  const trimmed = contentType.trim();
  const [media, ...parameters] = trimmed.split(';');
  if (media !== MEDIA_TYPE) {
    const refusal = `expected ${MEDIA_TYPE} as the first (media) part, got ${trimmed} content-type`;
    return { refusal };
  }
  for (const parameter of parameters) {
    const [key, message, ...rest] = parameter.split('=');
    if (message === undefined || rest.length > 0) {
      const refusal = `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${parameter} in ${trimmed} content-type`;
      return { refusal };
    }
    // compat: Go overlooks a name behind a space and takes the body for 1.0.
    if (key?.trim() === 'proto') return judgeMessage(message, trimmed);
  }
  return V1;
}

function judgeMessage(message: string, contentType: string): ContentVerdict {
  const version = MESSAGES.get(message);
  if (version !== undefined) return { version };
  const known = [...MESSAGES.keys()].join(', ');
  const refusal = `got ${contentType} content type; unknown type for remote write protobuf message ${message}, supported: ${known}`;
  return { refusal };
}
