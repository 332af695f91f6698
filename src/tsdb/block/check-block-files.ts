/**
 * A look at the ends of a block's files: enough to tell a block that is whole from one that was torn or lost a file,
 * at the cost of a dozen small reads. Checksums of what lies between are looked at when it is read.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readU32 } from '../../lib/big-endian.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { onDisk } from '../../lib/on-disk.ts';
import {
  CHUNK_CRC_BYTES,
  ENCODING_BYTES,
  SEGMENTS_DIRECTORY,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_REFS,
  SEGMENT_VERSION,
  chunkSegmentName,
} from '../chunks/segment-format.ts';
import { NamedSource } from '../index/byte-source.ts';
import { FileSource } from '../index/file-source.ts';
import { INDEX_FILE } from '../index/index-format.ts';
import { lastChunkRef } from '../index/last-chunk.ts';
import { readTombstones } from './tombstones.ts';

/** perf: nothing of what is looked at is longer. */
const WINDOW_BYTES = 256;

/**
 * Checks index, chunk segments and tombstones of a block's directory and answers how many segments there are.
 * @throws CodedError: corrupt, not_found or unavailable, with the file's name.
 */
export function checkBlockFiles(directory: string): number {
  const last = lastRef(join(directory, INDEX_FILE));
  const segments = countSegments(join(directory, SEGMENTS_DIRECTORY));
  for (let i = 0; i < segments; i++) {
    const path = join(directory, SEGMENTS_DIRECTORY, chunkSegmentName(i));
    using file = new FileSource(path, WINDOW_BYTES);
    const source = new NamedSource(file, path);
    checkSegmentHeader(source);
    if (last !== undefined && Math.floor(last / SEGMENT_REFS) === i) checkChunk(source, last);
  }
  if (last !== undefined && last >= segments * SEGMENT_REFS) {
    const missing = chunkSegmentName(Math.floor(last / SEGMENT_REFS));
    const path = join(directory, SEGMENTS_DIRECTORY, missing);
    throw new CorruptionError('the index refers to a chunk segment that is not there', path, 0);
  }
  readTombstones(directory);
  return segments;
}

function lastRef(path: string): number | undefined {
  using file = new FileSource(path, WINDOW_BYTES);
  return lastChunkRef(new NamedSource(file, path));
}

/** How many segments there are. @throws CorruptionError when one is missing between others. */
function countSegments(directory: string): number {
  const names = onDisk(`read ${directory}`, () => {
    try {
      return readdirSync(directory);
    } catch (thrown) {
      // A block without series has no segment, and may lack the directory, too.
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw thrown;
    }
  });
  const segments = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const count = segments.length === 0 ? 0 : Math.max(...segments);
  for (let i = 0; i < count; i++) {
    const name = chunkSegmentName(i);
    if (names.includes(name)) continue;
    throw new CorruptionError('a chunk segment is missing', join(directory, name), 0);
  }
  return count;
}

function checkSegmentHeader(source: NamedSource): void {
  const bytes = source.read(0, SEGMENT_HEADER_BYTES, 'chunk segment header');
  if (readU32(bytes, 0) !== SEGMENT_MAGIC) throw source.corrupt('not a chunk segment', 0);
  if (bytes[4] !== SEGMENT_VERSION) {
    throw source.corrupt(`unknown chunk segment version ${bytes[4]}`, 4);
  }
}

/** Makes sure that a chunk ends inside its file. */
function checkChunk(source: NamedSource, ref: number): void {
  const offset = ref % SEGMENT_REFS;
  const { value: length, end } = source.readUvarint(offset, 'the last chunk');
  if (end + ENCODING_BYTES + length + CHUNK_CRC_BYTES > source.size) {
    throw source.corrupt('the last chunk reaches over the end', offset);
  }
}
