/**
 * Compression of WAL records (docs/format/wal.md): snappy blocks or zstd frames. The size that a compressed record claims
 * is checked before memory is set aside for it.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressSync, uncompressSync } from 'snappy';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import { SNAPPY_FLAG, ZSTD_FLAG } from './page-format.ts';

/** How records are compressed. */
export type RecordCompression = 'none' | 'snappy' | 'zstd';

/** limit: bytes of a record, decompressed: four segments. Prometheus writes one commit, some MB at the most. */
export const RECORD_BYTES_MAX = 512 * 1024 * 1024;
/** A snappy element of three bytes copies 64 at the most: no block is larger than so many times its bytes. */
export const SNAPPY_GROWTH_MAX = 64 / 3;

/** A zstd frame begins with these bytes (RFC 8878, section 3.1.1). */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** The bytes of a record as they are in a segment. */
export function compressRecord(record: Uint8Array, compression: RecordCompression): Uint8Array {
  switch (compression) {
    case 'none':
      return record;
    case 'snappy':
      return compressSync(record, { copyOutputData: true });
    case 'zstd':
      return zstdCompressSync(record);
  }
}

/** What tells a compression in the first byte of a fragment. */
export function compressionFlag(compression: RecordCompression): number {
  if (compression === 'none') return 0;
  return compression === 'snappy' ? SNAPPY_FLAG : ZSTD_FLAG;
}

/** A record from its bytes in a segment; `flags` are those of its fragments. @throws Error with the reason. */
export function decompressRecord(bytes: Uint8Array, flags: number): Uint8Array {
  if ((flags & SNAPPY_FLAG) !== 0) {
    const claimed = snappySize(bytes);
    if (claimed > RECORD_BYTES_MAX || claimed > bytes.length * SNAPPY_GROWTH_MAX) {
      throw new Error(`${bytes.length} bytes of snappy claim to hold ${claimed}`);
    }
    const out = uncompressSync(bytes, { asBuffer: true, copyOutputData: true });
    return typeof out === 'string' ? Buffer.from(out) : out;
  }
  if ((flags & ZSTD_FLAG) === 0) return bytes;
  const claimed = zstdSize(bytes);
  if (claimed > RECORD_BYTES_MAX) {
    throw new Error(`${bytes.length} bytes of zstd claim to hold ${claimed}`);
  }
  // A frame that claims less, or nothing, grows while it is decompressed, up to the limit.
  return zstdDecompressSync(bytes, { maxOutputLength: RECORD_BYTES_MAX });
}

function snappySize(bytes: Uint8Array): number {
  try {
    return readUvarint({ bytes, pos: 0, end: bytes.length });
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
    throw new Error('snappy block without a size', { cause: thrown });
  }
}

/** The content size in the header of a zstd frame, 0 when it has none. */
function zstdSize(bytes: Uint8Array): number {
  if (ZSTD_MAGIC.some((byte, i) => bytes[i] !== byte)) throw new Error('no zstd frame');
  const descriptor = bytes[4] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  // Behind the descriptor: the window's size unless the frame is one segment, then the dictionary's number.
  const at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  if (bytes.length < at + sizeBytes) throw new Error('zstd frame without its header');
  let size = 0;
  for (let i = sizeBytes - 1; i >= 0; i--) size = size * 256 + (bytes[at + i] as number);
  return sizeBytes === 2 ? size + 256 : size;
}
