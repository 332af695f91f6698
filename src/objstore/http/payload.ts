/** What a request sends: bytes of known length that can be read again, for checksums and for another try. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { throwIfAborted } from '../../lib/abort.ts';
import { CodedError, errorText } from '../../lib/errors.ts';

/** Content of a request. */
export interface Payload {
  /** Bytes. */
  readonly size: number;
  /** The content from its start; each chunk is valid until the next is asked for. */
  chunks(signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined>;
  /** The content where it lies in memory anyway. */
  readonly bytes?: Uint8Array;
}

/** limit: 256 KiB of a body between the disk or memory and the socket. */
const CHUNK_BYTES = 256 * 1024;

/** Bytes in memory, which must not change meanwhile. */
export function bytesPayload(bytes: Uint8Array): Payload {
  return {
    size: bytes.length,
    bytes,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        yield bytes.subarray(at, at + CHUNK_BYTES);
      }
    },
  };
}

/** A part of a file, which must not change meanwhile. Reading throws `unavailable` when the file is shorter. */
export function filePayload(path: string, offset: number, size: number): Payload {
  return {
    size,
    async *chunks(signal) {
      const handle = await open(path, 'r').catch((thrown: unknown): never => {
        throw new CodedError('unavailable', `read ${path}: ${errorText(thrown)}`, {
          cause: thrown,
        });
      });
      try {
        for (let done = 0; done < size;) {
          throwIfAborted(signal);
          // A buffer each: the socket may still hold the last one.
          const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, size - done));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset + done);
          if (bytesRead === 0) {
            throw new CodedError(
              'unavailable',
              `${path} ended at byte ${offset + done} of ${offset + size}`,
            );
          }
          yield buffer.subarray(0, bytesRead);
          done += bytesRead;
        }
      } finally {
        await handle.close();
      }
    },
  };
}

/** Names of checksums, as node:crypto has them. */
export type DigestAlgorithm = 'md5' | 'sha256';

/** Checksums of a payload by the names of their algorithms, in one pass. */
export async function digests(
  payload: Payload | undefined,
  algorithms: readonly DigestAlgorithm[],
  signal?: AbortSignal,
): Promise<Readonly<Record<DigestAlgorithm, Buffer>>> {
  const hashes = algorithms.map((name) => [name, createHash(name)] as const);
  if (payload !== undefined) {
    for await (const chunk of payload.chunks(signal)) {
      for (const [, hash] of hashes) hash.update(chunk);
    }
  }
  const none = Buffer.alloc(0);
  return {
    md5: none,
    sha256: none,
    ...Object.fromEntries(hashes.map(([name, hash]) => [name, hash.digest()])),
  };
}
