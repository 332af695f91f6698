/** Reads request bodies into memory of their own, so that it can be transferred to a worker. */
import type { IncomingMessage } from 'node:http';

/** A body could not be read: it is larger than allowed, or the client broke off. */
export type BodyFailure = 'too large' | 'aborted';

/**
 * Reads a body of at most `maxBytes`. `onBytes` hears how many bytes arrived. With a content length, each byte is
 * copied once, from the socket's buffer to its place.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer> | BodyFailure> {
  const header = request.headers['content-length'];
  const length = header === undefined ? undefined : Number(header);
  if (length !== undefined && length > maxBytes) return Promise.resolve('too large');
  return new Promise((resolve) => {
    // Not from Node's pool: the whole ArrayBuffer belongs to this body.
    let body = Buffer.allocUnsafeSlow(length ?? 16 * 1024);
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      if (size + chunk.length > maxBytes) {
        resolve('too large');
        return;
      }
      if (size + chunk.length > body.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(body.length * 2, size + chunk.length));
        grown.set(body.subarray(0, size));
        body = grown;
      }
      body.set(chunk, size);
      size += chunk.length;
      onBytes(chunk.length);
    });
    request.once('end', () => resolve(size === body.length ? body : body.subarray(0, size)));
    request.once('error', () => resolve('aborted'));
    request.once('close', () => resolve('aborted'));
  });
}
