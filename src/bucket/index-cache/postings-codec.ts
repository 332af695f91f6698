/**
 * Postings as they lie in an index cache: the distances of ascending series ids as unsigned varints, compressed, behind
 * three letters that say how.
 *
 *   "dvs" | one snappy block
 *   "dss" | snappy frames (google/snappy, framing_format.txt); nothing at all for no postings
 *
 * Ids are those of the index' postings, so below 2^32: an id of a version 2 index is its series' offset divided by 16.
 * Format: thanos pkg/store/postings_codec.go, which writes "dss" and reads both.
 */
import { uncompressSync } from 'snappy';
import { CorruptionError, errorText } from '../../lib/errors.ts';
import { readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { compressSnappyFrames, decompressSnappyFrames } from '../../lib/snappy-frames.ts';

const BLOCK = 'dvs';
const FRAMES = 'dss';
const HEADER_BYTES = 3;

/** limit: no snappy block holds more than a copy of 64 bytes for each 3, so what claims more is no block. */
const RATIO_MAX = 22;
const ID_LIMIT = 2 ** 32;

/** Encodes ascending ids as Go writes them today ("dss"). The caller vouches for the order. */
export function encodePostings(ids: Uint32Array): Uint8Array {
  const frames = compressSnappyFrames(encodeDistances(ids));
  const bytes = new Uint8Array(HEADER_BYTES + frames.length);
  bytes.set(Buffer.from(FRAMES));
  bytes.set(frames, HEADER_BYTES);
  return bytes;
}

function encodeDistances(ids: Uint32Array): Uint8Array {
  let [size, previous] = [0, 0];
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    size += sizeUvarint(id - previous);
    previous = id;
  }
  const out = new Uint8Array(size);
  let pos = 0;
  previous = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    pos = writeUvarint(out, pos, id - previous);
    previous = id;
  }
  return out;
}

/**
 * Decodes ids of either form. The memory that it takes is bounded by the size of the bytes.
 * @throws CorruptionError for bytes that are none.
 */
export function decodePostings(bytes: Uint8Array): Uint32Array {
  const header = String.fromCharCode(...bytes.subarray(0, HEADER_BYTES));
  const body = bytes.subarray(HEADER_BYTES);
  if (header === FRAMES) return decodeDistances(unframe(body));
  if (header === BLOCK) return decodeDistances(uncompress(body));
  throw corrupt('neither dvs nor dss', 0);
}

function unframe(body: Uint8Array): Uint8Array {
  try {
    return decompressSnappyFrames(body, body.length * RATIO_MAX);
  } catch (thrown) {
    throw corrupt(errorText(thrown) || 'more content than there can be', HEADER_BYTES);
  }
}

function uncompress(body: Uint8Array): Uint8Array {
  try {
    const size = readUvarint({ bytes: body, pos: 0, end: body.length });
    if (size > body.length * RATIO_MAX) throw new Error(`a block of ${size} bytes`);
    const out = uncompressSync(body, { asBuffer: true, copyOutputData: true });
    return typeof out === 'string' ? Buffer.from(out) : out;
  } catch (thrown) {
    throw corrupt(errorText(thrown), HEADER_BYTES);
  }
}

function decodeDistances(bytes: Uint8Array): Uint32Array {
  // A varint ends with the only one of its bytes that is below 0x80.
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) < 0x80) count++;
  if (bytes.length > 0 && (bytes.at(-1) as number) >= 0x80) {
    throw corrupt('a varint without an end', bytes.length);
  }
  const ids = new Uint32Array(count);
  let [pos, id] = [0, 0];
  for (let i = 0; i < count; i++) {
    let b = bytes[pos++] as number;
    let distance = b & 0x7f;
    for (let scale = 128; b >= 0x80; scale *= 128) {
      b = bytes[pos++] as number;
      distance += (b & 0x7f) * scale;
    }
    id += distance;
    if (id >= ID_LIMIT) throw corrupt('an id above 32 bits', pos);
    ids[i] = id;
  }
  return ids;
}

function corrupt(what: string, offset: number): CorruptionError {
  return new CorruptionError(`cached postings: ${what}`, 'index cache', offset);
}
