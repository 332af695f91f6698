/**
 * The layout of chunks_head/ files (docs/format/head-chunks.md): cut chunks of the head, in the order of cutting.
 * Prometheus tsdb/chunks/head_chunks.go is the format's home.
 */

/** First four bytes of a file, big-endian. */
export const HEAD_CHUNK_MAGIC = 0x0130bc91;
/** The byte behind it. */
export const HEAD_CHUNK_VERSION = 1;
/** Magic, version, three bytes of padding. */
export const FILE_HEADER_BYTES = 8;
/** ref u64, mint i64, maxt i64, encoding u8; then a uvarint of the data's length, the data, crc32c u32. */
export const ENTRY_HEADER_BYTES = 25;
/** crc32c of the entry before it. */
export const ENTRY_CRC_BYTES = 4;
/** A file is closed before an entry that would take it over this size. */
export const FILE_BYTES = 128 * 1024 * 1024;
/** Set in the encoding byte of out-of-order chunks. */
export const OUT_OF_ORDER_MASK = 0x80;
/** Encoding byte of XOR chunks. */
export const ENCODING_XOR = 1;

/** The file name of a sequence number: six decimal digits. */
export function headChunkFileName(sequence: number): string {
  return String(sequence).padStart(6, '0');
}

/** The sequence number in a file name, or undefined for another file. */
export function parseHeadChunkFileName(name: string): number | undefined {
  return /^\d{6,}$/.test(name) ? Number(name) : undefined;
}
