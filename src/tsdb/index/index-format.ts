/**
 * The layout of a block's index file (docs/format/index.md). Prometheus tsdb/index/index.go is the format's home.
 */

/** The file's name in the directory of a block. */
export const INDEX_FILE = 'index';
/** First four bytes, big-endian. */
export const INDEX_MAGIC = 0xbaaad700;
/** Magic and version. */
export const INDEX_HEADER_BYTES = 5;
/** Six u64 offsets and a crc32c, at the end of the file. */
export const TOC_BYTES = 6 * 8 + 4;
/** Every section's checksum, crc32c. */
export const CRC_BYTES = 4;
/** In version 2 series begin on multiples of this, and a ref is the multiple. */
export const SERIES_ALIGN = 16;
/** Postings begin on multiples of this in version 2. */
export const POSTINGS_ALIGN = 4;
/** Readers keep one of so many symbols and values in memory. */
export const SAMPLED_EVERY = 32;
/** limit: refs are u32, so that series end here: 64 GiB. */
export const SERIES_END_MAX = SERIES_ALIGN * 0xffffffff;
/** limit: a section's length is a u32. */
export const SECTION_BYTES_MAX = 0xffffffff;

/** Where the sections of an index begin; 0 for one that is not there. */
export interface Toc {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelIndicesTable: number;
  readonly postings: number;
  readonly postingsTable: number;
}
