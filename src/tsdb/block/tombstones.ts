/**
 * The tombstones file of a block (docs/format/tombstones.md): time ranges of series that were deleted and are to be
 * passed over until the block is written anew. Prometheus tsdb/tombstones/tombstones.go is the format's home.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { onDisk } from '../../lib/on-disk.ts';
import {
  ShortBytesError,
  readUvarint,
  readVarint,
  writeUvarint,
  writeVarint,
} from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { writeFileDurably } from './durable-file.ts';

/** The file's name in the directory of the block. */
export const TOMBSTONES_FILE = 'tombstones';

const MAGIC = 0x0130ba30;
const VERSION = 1;
/** Magic and version. */
const HEADER_BYTES = 5;
const CRC_BYTES = 4;
/** Three numbers of ten bytes at the most. */
const STONE_BYTES_MAX = 30;

/** A deleted range in ms, both ends inclusive. */
export interface DeletedInterval {
  readonly mint: number;
  readonly maxt: number;
}

/** Deleted ranges by series ref as the index has it; those of a series are in time order and do not touch. */
export type Tombstones = ReadonlyMap<number, readonly DeletedInterval[]>;

/** No deletions. */
export const NO_TOMBSTONES: Tombstones = new Map();

/** The bytes of a tombstones file: series in the order of the map. */
export function encodeTombstones(tombstones: Tombstones): Uint8Array {
  let count = 0;
  for (const intervals of tombstones.values()) count += intervals.length;
  const bytes = new Uint8Array(HEADER_BYTES + count * STONE_BYTES_MAX + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  bytes[4] = VERSION;
  let at = HEADER_BYTES;
  for (const [ref, intervals] of tombstones) {
    for (const { mint, maxt } of intervals) {
      at = writeUvarint(bytes, at, ref);
      at = writeVarint(bytes, at, mint);
      at = writeVarint(bytes, at, maxt);
    }
  }
  // compat: the checksum leaves magic and version out, as Prometheus does.
  view.setUint32(at, crc32c(bytes, HEADER_BYTES, at));
  return bytes.subarray(0, at + CRC_BYTES);
}

/** Reads the bytes of a tombstones file; `path` is for messages. @throws CorruptionError. */
export function decodeTombstones(bytes: Uint8Array, path: string): Tombstones {
  const end = bytes.length - CRC_BYTES;
  if (end < HEADER_BYTES) throw new CorruptionError('not a tombstones file: too short', path, 0);
  if (readU32(bytes, 0) !== MAGIC) throw new CorruptionError('not a tombstones file', path, 0);
  if (bytes[4] !== VERSION) {
    throw new CorruptionError(`tombstones version ${bytes[4]}, want ${VERSION}`, path, 4);
  }
  if (crc32c(bytes, HEADER_BYTES, end) !== readU32(bytes, end)) {
    throw new CorruptionError('checksum mismatch', path, end);
  }
  const stones = new Map<number, DeletedInterval[]>();
  const cursor: ByteCursor = { bytes, pos: HEADER_BYTES, end };
  while (cursor.pos < end) {
    const at = cursor.pos;
    try {
      const ref = readUvarint(cursor);
      const interval = { mint: readVarint(cursor), maxt: readVarint(cursor) };
      const intervals = stones.get(ref);
      if (intervals === undefined) stones.set(ref, [interval]);
      else intervals.push(interval);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw new CorruptionError('tombstone ends early', path, at);
    }
  }
  return new Map(Array.from(stones, ([ref, intervals]) => [ref, joinIntervals(intervals)]));
}

/** The same times as intervals in time order that neither overlap nor touch; those that end before they begin go. */
export function joinIntervals(intervals: readonly DeletedInterval[]): DeletedInterval[] {
  const sorted = intervals
    .filter(({ mint, maxt }) => mint <= maxt)
    .sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
  const joined: { mint: number; maxt: number }[] = [];
  for (const { mint, maxt } of sorted) {
    const last = joined.at(-1);
    if (last === undefined || mint > last.maxt + 1) joined.push({ mint, maxt });
    else last.maxt = Math.max(last.maxt, maxt);
  }
  return joined;
}

/**
 * The tombstones of a block's directory; none when there is no file.
 * @throws CorruptionError, or CodedError unavailable when the file cannot be read.
 */
export function readTombstones(directory: string): Tombstones {
  const path = join(directory, TOMBSTONES_FILE);
  const bytes = onDisk(`read ${path}`, () => {
    try {
      return readFileSync(path);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  });
  return bytes === undefined ? NO_TOMBSTONES : decodeTombstones(bytes, path);
}

/** Writes the tombstones of a block's directory in place of those there are. @throws CodedError unavailable. */
export function writeTombstones(files: FileLayer, directory: string, stones: Tombstones): void {
  writeFileDurably(files, directory, TOMBSTONES_FILE, encodeTombstones(stones));
}
