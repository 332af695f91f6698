/** Reads chunks_head/ files at start (docs/format/head-chunks.md): every entry's place, checksums verified. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import {
  ENTRY_CRC_BYTES,
  ENTRY_HEADER_BYTES,
  FILE_HEADER_BYTES,
  HEAD_CHUNK_MAGIC,
  HEAD_CHUNK_VERSION,
  headChunkFileName,
} from './head-chunk-format.ts';

/** One chunk of a file. */
export interface HeadChunkEntry {
  readonly ref: number;
  readonly mint: number;
  readonly maxt: number;
  /** The encoding byte as it stands, out-of-order flag included. */
  readonly encoding: number;
  /** How many samples the chunk says it holds: its first two bytes. */
  readonly count: number;
  /** Where the entry begins, and where its data do. */
  readonly start: number;
  readonly offset: number;
  readonly length: number;
}

/** What reading a file found. `problem` is set when the entries end before the file does. */
export interface HeadChunkScan {
  /** Where the last whole entry ends. */
  readonly soundEnd: number;
  readonly problem?: string;
}

/** Calls `onEntry` for each sound entry of a file, in order. */
export function scanHeadChunkFile(
  directory: string,
  sequence: number,
  onEntry: (entry: HeadChunkEntry) => void,
): HeadChunkScan {
  const bytes = readFileSync(join(directory, headChunkFileName(sequence)));
  if (bytes.length === 0) return { soundEnd: 0 };
  if (bytes.length < FILE_HEADER_BYTES || bytes.readUInt32BE(0) !== HEAD_CHUNK_MAGIC) {
    return { soundEnd: 0, problem: 'not a head chunks file' };
  }
  if (bytes[4] !== HEAD_CHUNK_VERSION) {
    return { soundEnd: 0, problem: `unknown head chunks version ${bytes[4]}` };
  }
  const cursor: ByteCursor = { bytes, pos: FILE_HEADER_BYTES, end: bytes.length };
  let soundEnd = FILE_HEADER_BYTES;
  while (cursor.pos < cursor.end) {
    const entry = readEntry(bytes, cursor);
    if (typeof entry === 'string') {
      // Preallocated files end in zeros, which is no damage.
      const rest = bytes.subarray(soundEnd);
      return rest.every((byte) => byte === 0) ? { soundEnd } : { soundEnd, problem: entry };
    }
    soundEnd = cursor.pos;
    onEntry(entry);
  }
  return { soundEnd };
}

/** Reads the entry at the cursor and moves it on; a text says why there is none. */
function readEntry(bytes: Buffer, cursor: ByteCursor): HeadChunkEntry | string {
  const start = cursor.pos;
  if (cursor.end - start < ENTRY_HEADER_BYTES + 1) return 'an entry reaches over the end';
  cursor.pos = start + ENTRY_HEADER_BYTES;
  let length: number;
  try {
    length = readUvarint(cursor);
  } catch (thrown) {
    if (thrown instanceof ShortBytesError) return 'an entry reaches over the end';
    throw thrown;
  }
  const offset = cursor.pos;
  const end = offset + length;
  if (length < 2 || end + ENTRY_CRC_BYTES > cursor.end) return 'an entry reaches over the end';
  if (crc32c(bytes.subarray(start, end)) !== bytes.readUInt32BE(end)) return 'checksum mismatch';
  cursor.pos = end + ENTRY_CRC_BYTES;
  return {
    ref: bytes.readUInt32BE(start) * 4294967296 + bytes.readUInt32BE(start + 4),
    mint: Number(bytes.readBigInt64BE(start + 8)),
    maxt: Number(bytes.readBigInt64BE(start + 16)),
    encoding: bytes[start + 24] as number,
    count: bytes.readUInt16BE(offset),
    start,
    offset,
    length,
  };
}
