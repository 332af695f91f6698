/**
 * The layout of chunk segment files, `chunks/000001` and up in a block (docs/format/block.md): chunks one behind the
 * other, found by the refs in the index. Prometheus tsdb/chunks/chunks.go is the format's home.
 */

/** The directory of a block that holds them. */
export const SEGMENTS_DIRECTORY = 'chunks';
/** First four bytes of a file, big-endian. */
export const SEGMENT_MAGIC = 0x85bd40dd;
/** The byte behind it. */
export const SEGMENT_VERSION = 1;
/** Magic, version, three bytes of padding. */
export const SEGMENT_HEADER_BYTES = 8;
/** A segment is closed before chunks that could take it over this size. */
export const SEGMENT_BYTES_MAX = 512 * 1024 * 1024;
/** The uvarint of a chunk's length, at its longest. */
export const LENGTH_BYTES_MAX = 5;
/** The encoding byte between length and data. */
export const ENCODING_BYTES = 1;
/** crc32c of encoding and data, behind the data. */
export const CHUNK_CRC_BYTES = 4;
/** Refs are segment · 2^32 + offset, segments counted from 0. */
export const SEGMENT_REFS = 4294967296;

/** The file name of a segment, counted from 0: six decimal digits from 000001 on. */
export function chunkSegmentName(segment: number): string {
  return String(segment + 1).padStart(6, '0');
}
