/**
 * The frame of WAL segments (docs/format/wal.md): pages of 32 KiB holding record fragments with a 7-byte header.
 * Prometheus tsdb/wlog/wlog.go is the format's home.
 */
import { crc32c } from '@node-rs/crc32';

/** Fragments never cross a page. */
export const PAGE_BYTES = 32768;
/** type and compression u8, length u16, crc32c of the fragment u32; big-endian. */
export const FRAGMENT_HEADER_BYTES = 7;
/** A segment is closed before a record that would take it over this size. */
export const SEGMENT_BYTES = 128 * 1024 * 1024;

/** The low three bits of a fragment's first byte. */
export const FRAGMENT = { pageTerm: 0, full: 1, first: 2, middle: 3, last: 4 } as const;
/** Those bits. */
export const FRAGMENT_TYPE_MASK = 0x07;
/** Set when the record is compressed with snappy. */
export const SNAPPY_FLAG = 0x08;
/** Set when it is compressed with zstd. */
export const ZSTD_FLAG = 0x10;

/** The checksum of a fragment. */
export function fragmentCrc(bytes: Uint8Array): number {
  return crc32c(bytes);
}

/** The file name of a segment: eight decimal digits. */
export function segmentName(index: number): string {
  return String(index).padStart(8, '0');
}

/** The index in a segment's file name, or undefined for another file. */
export function parseSegmentName(name: string): number | undefined {
  return /^\d{8,}$/.test(name) ? Number(name) : undefined;
}
