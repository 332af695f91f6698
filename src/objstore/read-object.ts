/** Whole objects that are small: metas, markers, configuration. */
import { CodedError } from '../lib/errors.ts';
import type { Bucket, RequestOptions } from './bucket.ts';

/** limit: 64 MiB, so that an object of the wrong name does not fill the memory; a meta.json has some KiB. */
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * The content of an object.
 * @throws CodedError not_found; too_large beyond 64 MiB; what {@link Bucket} says.
 */
export async function readObject(
  bucket: Bucket,
  name: string,
  options?: RequestOptions,
): Promise<Uint8Array> {
  await using stream = await bucket.get(name, options);
  if (stream.size > BYTES_MAX) {
    const message = `object ${JSON.stringify(name)} has ${stream.size} of at most ${BYTES_MAX} bytes`;
    throw new CodedError('too_large', message);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
