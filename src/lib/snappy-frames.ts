/**
 * The framing format of snappy (google/snappy, framing_format.txt): what gRPC's `snappy` means in Thanos.
 *
 *   chunk:  type u8 | length u24 LE | body
 *   0xff    "sNaPpY", before all others
 *   0x00    masked crc32c u32 LE of the content | its snappy block
 *   0x01    masked crc32c u32 LE | the content as it is
 *   0x80-fe skipped; 0x02-7f refused
 */
import { compressSync, uncompressSync } from 'snappy';
import { crc32c } from './crc32c.ts';
import { readUvarint } from './varint.ts';

/** The first chunk of every stream. */
const STREAM_IDENTIFIER = Uint8Array.of(0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);
const COMPRESSED = 0x00;
const PLAIN = 0x01;
const IDENTIFIER = 0xff;

/** limit: of the format, content bytes of a chunk. */
const CHUNK_BYTES_MAX = 65_536;

/** Thrown when decompressed bytes are more than was allowed. */
export class TooLargeError extends Error {}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The frames of bytes, which must not lie in shared memory. No bytes make no frames, as in Go. */
export function compressSnappyFrames(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return new Uint8Array(0);
  const parts: Uint8Array[] = [STREAM_IDENTIFIER];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES_MAX) {
    const content = bytes.subarray(at, at + CHUNK_BYTES_MAX);
    const block = compressSync(content, { copyOutputData: true });
    // As in Go: what does not become an eighth smaller is sent as it is.
    const pays = block.length < content.length - content.length / 8;
    const body = pays ? block : content;
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32LE((pays ? COMPRESSED : PLAIN) + (body.length + 4) * 256, 0);
    head.writeUInt32LE(masked(content), 4);
    parts.push(head, body);
  }
  return Buffer.concat(parts);
}

/** The content of frames. @throws TooLargeError above `bytesMax`. @throws Error for what is no such stream. */
export function decompressSnappyFrames(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 4) throw corrupt(at);
    const type = bytes[at] as number;
    const length =
      (bytes[at + 1] as number) |
      ((bytes[at + 2] as number) << 8) |
      ((bytes[at + 3] as number) << 16);
    const body = bytes.subarray(at + 4, at + 4 + length);
    if (body.length < length || (at === 0 && type !== IDENTIFIER)) throw corrupt(at);
    if (type === COMPRESSED || type === PLAIN) {
      const content = chunkContent(type, body, at);
      total += content.length;
      if (total > bytesMax) throw new TooLargeError();
      parts.push(content);
    } else if (type === IDENTIFIER) checkIdentifier(body, at);
    else if (type < 0x80) throw new Error('snappy: unsupported input');
    at += 4 + length;
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

function chunkContent(type: number, body: Uint8Array, at: number): Uint8Array {
  if (body.length < 4) throw corrupt(at);
  const block = body.subarray(4);
  let content = block;
  if (type === COMPRESSED) {
    // The size that a block claims is checked before memory is set aside for it.
    const cursor = { bytes: block, pos: 0, end: block.length };
    if (block.length === 0 || readUvarint(cursor) > CHUNK_BYTES_MAX) throw corrupt(at);
    const out = uncompressSync(block, { asBuffer: true, copyOutputData: true });
    content = typeof out === 'string' ? Buffer.from(out) : out;
  }
  if (content.length > CHUNK_BYTES_MAX) throw corrupt(at);
  const view = new DataView(body.buffer, body.byteOffset, 4);
  if (view.getUint32(0, true) !== masked(content)) throw corrupt(at);
  return content;
}

function checkIdentifier(body: Uint8Array, at: number): void {
  const want = STREAM_IDENTIFIER.subarray(4);
  if (body.length !== want.length || want.some((byte, i) => body[i] !== byte)) throw corrupt(at);
}

function corrupt(offset: number): Error {
  return new Error(`snappy: corrupt input (offset ${offset})`);
}
