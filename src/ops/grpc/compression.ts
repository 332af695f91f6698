/** The encodings of messages: `identity`, `gzip` and Thanos' `snappy`. Messages are some MB at most, so all is synchronous. */
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { errorText } from '../../lib/errors.ts';
import {
  TooLargeError,
  compressSnappyFrames,
  decompressSnappyFrames,
} from '../../lib/snappy-frames.ts';
import { GrpcError } from './status.ts';

/** How a side compresses what it sends. */
export type GrpcCompression = 'identity' | 'gzip' | 'snappy';

/** What both sides understand, as `grpc-accept-encoding` lists it. */
export const ACCEPTED_ENCODINGS = 'identity,gzip,snappy';

/** perf: level 1 packs three times as fast as zlib's own 6, for some percent more bytes. */
const GZIP_LEVEL = constants.Z_BEST_SPEED;

/** The encoding of that name, undefined when we do not have it. '' is identity. */
export function compressionOf(name: string): GrpcCompression | undefined {
  if (name === '' || name === 'identity') return 'identity';
  return name === 'gzip' || name === 'snappy' ? name : undefined;
}

/** The compressed bytes, in memory of their own. */
export function compressMessage(how: 'gzip' | 'snappy', bytes: Uint8Array): Uint8Array {
  return how === 'gzip' ? gzipSync(bytes, { level: GZIP_LEVEL }) : compressSnappyFrames(bytes);
}

/**
 * The bytes that were compressed.
 * @throws GrpcError ResourceExhausted above `bytesMax`, Internal for what is not compressed like this.
 */
export function decompressMessage(
  how: 'gzip' | 'snappy',
  bytes: Uint8Array,
  bytesMax: number,
): Uint8Array {
  try {
    return how === 'gzip'
      ? gunzipSync(bytes, { maxOutputLength: bytesMax })
      : decompressSnappyFrames(bytes, bytesMax);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : '';
    if (thrown instanceof TooLargeError || code === 'ERR_BUFFER_TOO_LARGE') {
      throw new GrpcError(
        'ResourceExhausted',
        `grpc: received message after decompression larger than max ${bytesMax}`,
      );
    }
    throw new GrpcError(
      'Internal',
      `grpc: failed to read decompressed data: ${errorText(thrown)}`,
      { cause: thrown },
    );
  }
}
