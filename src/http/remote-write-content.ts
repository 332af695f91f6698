/** Which bodies a remote write endpoint takes. Texts: Prometheus' remote write handler. */

const V1_MESSAGE = 'prometheus.WriteRequest';
const V2_MESSAGE = 'io.prometheus.write.v2.Request';
const MEDIA_TYPE = 'application/x-protobuf';

/**
 * What is wrong with a request's headers, as the text of a 415; undefined when they are fine. Absent headers are.
 * Remote write 2.0 is refused so that senders fall back to 1.0.
 */
export function refuseContent(
  contentType: string | undefined,
  contentEncoding: string | undefined,
): string | undefined {
  // Nearly every request has just these two.
  if (contentType === MEDIA_TYPE && contentEncoding === 'snappy') return undefined;
  return refuseEncoding(contentEncoding) ?? refuseType(contentType);
}

function refuseEncoding(encoding: string | undefined): string | undefined {
  if (encoding === undefined || encoding === '' || encoding === 'snappy') return undefined;
  return `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable`;
}

function refuseType(contentType: string | undefined): string | undefined {
  if (contentType === undefined || contentType.trim() === '') return undefined;
  const [media, ...parameters] = contentType.trim().split(';');
  if (media !== MEDIA_TYPE) {
    return `expected ${MEDIA_TYPE} as the first (media) part, got ${contentType} content-type`;
  }
  for (const parameter of parameters) {
    const [key, message, ...rest] = parameter.trim().split('=');
    if (message === undefined || rest.length > 0) {
      return `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${parameter} in ${contentType} content-type`;
    }
    if (key === 'proto') return refuseMessage(message, contentType);
  }
  return undefined;
}

function refuseMessage(message: string, contentType: string): string | undefined {
  if (message === V1_MESSAGE) return undefined;
  if (message === V2_MESSAGE) {
    return `${V2_MESSAGE} protobuf message is not accepted by this server; only accepts ${V1_MESSAGE}: remote write 2.0 is not implemented yet`;
  }
  return `got ${contentType} content type; unknown type for remote write protobuf message ${message}, supported: ${V1_MESSAGE}`;
}
