/**
 * Mutated segments of chunks, floats and histograms: the frames themselves, whose checksums then tell, and chunks that are
 * nonsense under right checksums, read and decoded.
 */
import { ok } from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { smallBlock } from '../../../test/support/block-probe.ts';
import { HISTOGRAM_CASES } from '../../../test/support/histogram-cases.ts';
import { damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { encodePlain } from '../../../test/support/plain-histogram.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { Random } from '../../lib/prng.ts';
import { writeUvarint } from '../../lib/varint.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { PageCache } from './page-cache.ts';
import { SegmentReader } from './segment-reader.ts';
import { SEGMENT_HEADER_BYTES } from './segment-format.ts';

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const block = smallBlock(directory.path);

function withCrc(bytes: Uint8Array): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(bytes));
  return Buffer.concat([bytes, crc]);
}

/** Either way of mutating. */
function change(bytes: Uint8Array, random: Random, from = 0): Buffer {
  return (random.below(2) === 0 ? mutate : damage)(bytes, random, { from });
}

const chunkPath = join(directory.path, '000001');
const memory = PageCache.allocate(8 * 65536);
const scratch = new XorScratch();
let nextNumber = 1 << 22;

interface Frame {
  /** Where it begins in the segment. */
  readonly at: number;
  readonly bytes: Buffer;
  /** Bytes of the length before the encoding. */
  readonly prefix: number;
}

function frameOf(encoding: number, data: Uint8Array, at: number): Frame {
  const length = Buffer.alloc(10);
  const prefix = writeUvarint(length, 0, data.length);
  const checked = withCrc(Buffer.concat([Uint8Array.of(encoding), data]));
  return { at, prefix, bytes: Buffer.concat([length.subarray(0, prefix), checked]) };
}

/** Frames of floats from the block and of histograms, one behind the other. */
function makeFrames(): readonly [Buffer, readonly Frame[]] {
  const source = readFileSync(join(block.directory, 'chunks/000001'));
  const frames: Frame[] = [];
  let at = SEGMENT_HEADER_BYTES;
  const add = (encoding: number, data: Uint8Array): void => {
    const frame = frameOf(encoding, data, at);
    frames.push(frame);
    at += frame.bytes.length;
  };
  for (let from = SEGMENT_HEADER_BYTES; from < source.length && frames.length < 4;) {
    // Chunks are short here: one byte of length.
    const length = source[from] as number;
    add(source[from + 1] as number, source.subarray(from + 2, from + 2 + length));
    from += length + 6;
  }
  for (const encoding of [2, 3]) {
    const [data] = Object.values(HISTOGRAM_CASES).flatMap((one) => encodePlain(encoding, one));
    add(encoding, data as Uint8Array);
  }
  const header = source.subarray(0, SEGMENT_HEADER_BYTES);
  return [Buffer.concat([header, ...frames.map(({ bytes }) => bytes)]), frames];
}

const [segment, frames] = makeFrames();
const whole = frames.map(({ bytes, prefix }) => bytes.subarray(prefix, -4));

/** Reads the chunk at an offset of the file as a query does; its encoding and data. */
function readChunk(reader: SegmentReader, at: number, size: number): Buffer {
  scratch.clear();
  reader.load(scratch, at, size);
  const { from, length, count, encoding } = reader;
  const { buffer, byteOffset, byteLength } = scratch.source;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const data = Buffer.from(bytes.subarray(from - 1, from + length));
  if (encoding === 1 || encoding === 4) {
    if (!scratch.appendSource(from, length, count, false, encoding))
      throw reader.corrupt(at, 'no chunk of its count');
    ok(count <= length * 8);
  } else if (encoding > 1 && encoding < 7) {
    const columns = new HistogramColumns();
    decodeHistogramChunk(bytes, from, length, encoding, columns, chunkPath);
    ok(columns.length <= length * 8 && columns.bucketsLength <= length * 8);
  } else throw reader.corrupt(at, `unknown encoding ${encoding}`);
  return data;
}

/** Opens a file of these bytes in an empty cache. */
function withSegment(bytes: Uint8Array, use: (reader: SegmentReader) => void): void {
  writeFileSync(chunkPath, bytes);
  const fd = openSync(chunkPath, 'r');
  const file = { number: nextNumber++, path: chunkPath, size: bytes.length };
  try {
    use(new SegmentReader({ descriptor: () => fd, segment: () => file }, new PageCache(memory)));
  } finally {
    closeSync(fd);
  }
}

testFuzz({
  name: 'segments of floats and histograms',
  run: (random) => {
    const moves = random.below(2) === 0;
    const bytes = (moves ? mutate : damage)(segment, random, { from: SEGMENT_HEADER_BYTES });
    let failure: unknown;
    withSegment(bytes, (reader) => {
      for (const { at, bytes: frame, prefix } of frames) {
        try {
          const data = readChunk(reader, at, bytes.length);
          // No checksum says where a chunk belongs: one that was moved whole is sound in its new place.
          const isOwn = data.equals(frame.subarray(prefix, -4));
          ok(isOwn || (moves && whole.some((other) => data.equals(other))), `chunk at ${at}`);
        } catch (thrown) {
          if (!(thrown instanceof CorruptionError)) throw thrown;
          failure = thrown;
        }
      }
    });
    if (failure !== undefined) throw failure;
    return bytes.length;
  },
});

testFuzz({
  name: 'chunks of floats and histograms under right checksums',
  run: (random) => {
    const changed = random.below(frames.length);
    const { bytes: frame, prefix, at } = frames[changed] as Frame;
    const checked = change(frame.subarray(prefix, -4), random);
    // Now and then with a length that is not that of the bytes.
    const made = frameOf(checked[0] ?? 1, checked.subarray(1), at);
    if (random.below(8) === 0) made.bytes[0] = random.below(256);
    const bytes = Buffer.concat([segment.subarray(0, at), made.bytes]);
    withSegment(bytes, (reader) => void readChunk(reader, at, bytes.length));
    return bytes.length;
  },
});
