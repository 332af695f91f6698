/**
 * The layout of an index-header: what a store gateway keeps of a block's index on local disk (docs/format/index-header.md).
 * Format: thanos pkg/block/indexheader/binary_reader.go.
 */
import { readU32, readU64 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { INDEX_MAGIC, TOC_BYTES } from '../../tsdb/index/index-format.ts';
import type { Toc } from '../../tsdb/index/index-format.ts';

/** The file's name in the directory of a block. */
export const INDEX_HEADER_FILE = 'index-header';
/** First four bytes, big-endian. */
export const HEADER_MAGIC = 0xbaaad792;
/** The only version of the format. */
export const HEADER_VERSION = 1;
/** Magic, version, the index's version, and where its postings table begins. */
export const HEADER_BYTES = 4 + 1 + 1 + 8;
/** Two u64 offsets and a crc32c, at the end. */
export const HEADER_TOC_BYTES = 2 * 8 + 4;
/** compat: references of version 1 are offsets in the index, whose own header is so much shorter. */
export const V1_SYMBOL_SHIFT = HEADER_BYTES - 5;

/** What the two ends of an index-header say. */
export interface HeaderEnds {
  /** The version of the index. */
  readonly indexVersion: number;
  /** Where sections begin in the header. */
  readonly symbols: number;
  readonly postingsTable: number;
  /** The table of contents of the index itself. */
  readonly toc: Toc;
}

/** The first bytes of an index-header. */
export function encodeHeaderStart(indexVersion: number, indexPostingsTable: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32BE(HEADER_MAGIC, 0);
  bytes[4] = HEADER_VERSION;
  bytes[5] = indexVersion;
  bytes.writeBigUInt64BE(BigInt(indexPostingsTable), 6);
  return bytes;
}

/** The last bytes of an index-header: where its sections begin. */
export function encodeHeaderToc(symbols: number, postingsTable: number): Buffer {
  const bytes = Buffer.alloc(HEADER_TOC_BYTES);
  bytes.writeBigUInt64BE(BigInt(symbols), 0);
  bytes.writeBigUInt64BE(BigInt(postingsTable), 8);
  bytes.writeUInt32BE(crc32c(bytes, 0, 16), 16);
  return bytes;
}

/** Bytes at the end of a header that {@link decodeHeaderEnds} needs. */
export const HEADER_TAIL_BYTES = TOC_BYTES + HEADER_TOC_BYTES;

/**
 * Reads the first {@link HEADER_BYTES} and the last {@link HEADER_TAIL_BYTES} of a header of `size` bytes.
 * @throws CorruptionError.
 */
export function decodeHeaderEnds(
  start: Uint8Array,
  tail: Uint8Array,
  { size, path }: { readonly size: number; readonly path: string },
): HeaderEnds {
  const corrupt = (what: string, offset: number) => new CorruptionError(what, path, offset);
  if (readU32(start, 0) !== HEADER_MAGIC) throw corrupt('not an index-header', 0);
  if (start[4] !== HEADER_VERSION)
    throw corrupt(`unknown index-header version ${String(start[4])}`, 4);
  const indexVersion = start[5] as number;
  if (indexVersion < 1 || indexVersion > 3)
    throw corrupt(`unknown index version ${indexVersion}`, 5);
  if (crc32c(tail, TOC_BYTES, TOC_BYTES + 16) !== readU32(tail, TOC_BYTES + 16)) {
    throw corrupt('table of contents: checksum mismatch', size - HEADER_TOC_BYTES);
  }
  const symbols = readU64(tail, TOC_BYTES);
  const postingsTable = readU64(tail, TOC_BYTES + 8);
  const end = size - HEADER_TAIL_BYTES;
  if (symbols !== HEADER_BYTES || postingsTable < symbols || postingsTable > end) {
    throw corrupt('sections lie outside the file', size - HEADER_TOC_BYTES);
  }
  return { indexVersion, symbols, postingsTable, toc: decodeToc(tail, { path, at: end }) };
}

/**
 * The table of contents of an index: the first {@link TOC_BYTES} of `bytes`, which begin at `at` of `path`.
 * @throws CorruptionError.
 */
export function decodeToc(
  bytes: Uint8Array,
  { path, at }: { readonly path: string; readonly at: number },
): Toc {
  const end = TOC_BYTES - 4;
  if (bytes.length < TOC_BYTES || crc32c(bytes, 0, end) !== readU32(bytes, end)) {
    throw new CorruptionError('table of contents: checksum mismatch', path, at);
  }
  return {
    symbols: readU64(bytes, 0),
    series: readU64(bytes, 8),
    labelIndices: readU64(bytes, 16),
    labelIndicesTable: readU64(bytes, 24),
    postings: readU64(bytes, 32),
    postingsTable: readU64(bytes, 40),
  };
}

/** The version of an index by its first five bytes. @throws CorruptionError. */
export function decodeIndexVersion(bytes: Uint8Array, path: string): number {
  if (bytes.length < 5 || readU32(bytes, 0) !== INDEX_MAGIC) {
    throw new CorruptionError('not an index file', path, 0);
  }
  const version = bytes[4] as number;
  if (version < 1 || version > 3) {
    throw new CorruptionError(`unknown index version ${version}`, path, 4);
  }
  return version;
}
