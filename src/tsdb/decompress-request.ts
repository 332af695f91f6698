/** Write requests as they come: snappy-compressed. */
import { uncompressSync } from 'snappy';
import { CodedError, errorText } from '../lib/errors.ts';
import { ShortBytesError, readUvarint } from '../lib/varint.ts';
import { SNAPPY_GROWTH_MAX } from './wal/record-compression.ts';

/**
 * Decompresses a body whose claimed size is checked before anything is allocated.
 * @throws CodedError bad_data, too_large.
 */
export function decompressRequest(body: Uint8Array, maxBytes: number): Uint8Array {
  let size: number;
  try {
    size = readUvarint({ bytes: body, pos: 0, end: Math.min(body.length, 5) });
  } catch (thrown) {
    if (thrown instanceof ShortBytesError)
      throw new CodedError('bad_data', 'snappy: corrupt input');
    throw thrown;
  }
  if (size > maxBytes) {
    throw new CodedError(
      'too_large',
      `write request of ${size} bytes decompressed exceeds ${maxBytes}`,
    );
  }
  // The decoder sets the claimed size aside before it looks further.
  if (size > body.length * SNAPPY_GROWTH_MAX)
    throw new CodedError('bad_data', 'snappy: corrupt input');
  try {
    const out = uncompressSync(body, { asBuffer: true, copyOutputData: true });
    return typeof out === 'string' ? Buffer.from(out) : out;
  } catch (thrown) {
    const text = errorText(thrown);
    throw new CodedError('bad_data', text.startsWith('snappy') ? text : `snappy: ${text}`);
  }
}
