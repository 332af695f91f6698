/** The twin of the kernel store-chunks: what it does, in TypeScript. */
import { crc32c } from '../../lib/crc32c.ts';
import { readU32 } from '../../lib/big-endian.ts';
import { ShortBytesError, readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import { AGGREGATES, AggrParts, ENCODING_AGGR } from '../../chunkenc/aggr-chunk.ts';
import type { FrameSink } from './frame-sink.ts';

/** What to frame: chunks from..to of `bytes`, which begin at `base` of the segment. */
export interface FrameTask {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly offsets: Uint32Array;
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
  readonly from: number;
  readonly to: number;
  readonly mask: number;
}

const STATUS = { ok: 0, short: 1, badChecksum: 2, otherEncoding: 3, noAggregate: 4, malformed: 5 };
/** limit: the longest chunk, that of a whole segment file. */
const CHUNK_BYTES_MAX = 0x20000000;
const LENGTH_BYTES_MAX = 5;
/** Of a Series. */
const CHUNKS_TAG = 0x12;
const RAW_TAG = 0x1a;
const COUNT_TAG = 0x22;

/** Frames chunks; answers how many, and puts why no more into the two words of `status`. */
export function frameTwin(task: FrameTask, into: FrameSink, status: Uint32Array): number {
  const stop = (code: number, detail = 0): void => {
    status[0] = code;
    status[1] = detail;
  };
  stop(STATUS.ok);
  for (let i = task.from; i < task.to; i++) {
    const message = frameOne(task, i, stop);
    if (message === undefined) return i - task.from;
    into.append(message, [message.length], i);
  }
  return task.to - task.from;
}

function frameOne(
  { bytes, base, offsets, mint, maxt, mask }: FrameTask,
  i: number,
  stop: (code: number, detail?: number) => void,
): Uint8Array | undefined {
  const begin = (offsets[i] as number) - base;
  const cursor = { bytes, pos: begin, end: Math.min(bytes.length, begin + LENGTH_BYTES_MAX) };
  let length: number;
  try {
    length = readUvarint(cursor);
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
    if (cursor.end < begin + LENGTH_BYTES_MAX)
      stop(STATUS.short, Math.max(0, bytes.length - begin) + 16);
    else stop(STATUS.malformed);
    return undefined;
  }
  if (length > CHUNK_BYTES_MAX) {
    stop(STATUS.malformed);
    return undefined;
  }
  const at = cursor.pos;
  const end = at + 1 + length;
  if (end + 4 > bytes.length) {
    stop(STATUS.short, end + 4 - begin);
    return undefined;
  }
  if (crc32c(bytes, at, end) !== readU32(bytes, end)) {
    stop(STATUS.badChecksum);
    return undefined;
  }
  const parts = partsOf(bytes, at, end, mask, stop);
  return parts && encodeAggrChunk(mint[i] as number, maxt[i] as number, parts);
}

/** A chunk to be a field of an AggrChunk. */
export interface TaggedChunk {
  /** The field's first byte. */
  readonly tag: number;
  /** 1 to 3. */
  readonly encoding: number;
  readonly data: Uint8Array;
}

function partsOf(
  bytes: Uint8Array,
  at: number,
  end: number,
  mask: number,
  stop: (code: number, detail?: number) => void,
): TaggedChunk[] | undefined {
  const encoding = bytes[at] as number;
  if (encoding >= 1 && encoding <= 3) {
    return [{ tag: RAW_TAG, encoding, data: bytes.subarray(at + 1, end) }];
  }
  if (encoding !== ENCODING_AGGR) {
    stop(STATUS.otherEncoding, encoding);
    return undefined;
  }
  const split = new AggrParts();
  if (!split.split(bytes, at + 1, end - at - 1)) {
    stop(STATUS.malformed);
    return undefined;
  }
  const parts: TaggedChunk[] = [];
  for (let a = 0; a < AGGREGATES.length; a++) {
    if (((mask >> a) & 1) === 0) continue;
    const size = split.lengths[a] as number;
    const inner = split.encodings[a] as number;
    if (size === 0) {
      stop(STATUS.noAggregate, a);
      return undefined;
    }
    if (inner < 1 || inner > 3) {
      stop(STATUS.otherEncoding, inner);
      return undefined;
    }
    const from = split.offsets[a] as number;
    parts.push({
      tag: COUNT_TAG + a * 8,
      encoding: inner,
      data: bytes.subarray(from, from + size),
    });
  }
  return parts;
}

/** A chunk as the field `chunks` of a Series. Fields that are zero are left out, as proto3 has it. */
export function encodeAggrChunk(
  mint: number,
  maxt: number,
  parts: readonly TaggedChunk[],
): Uint8Array {
  const pieces = [encodeTime(0x08, mint), encodeTime(0x10, maxt)];
  for (const { tag, encoding, data } of parts) {
    const hash = encodeHash(xxhash64(data));
    const type = encoding === 1 ? [] : [0x08, encoding - 1];
    const length = sizeUvarint(data.length);
    const size = type.length + 1 + length + data.length + hash.length;
    const head = new Uint8Array(1 + sizeUvarint(size) + type.length + 1 + length);
    head[0] = tag;
    let at = writeUvarint(head, 1, size);
    head.set(type, at);
    at += type.length;
    head[at] = 0x12;
    writeUvarint(head, at + 1, data.length);
    pieces.push(head, data, hash);
  }
  const body = Buffer.concat(pieces);
  const field = new Uint8Array(1 + sizeUvarint(body.length) + body.length);
  field[0] = CHUNKS_TAG;
  field.set(body, writeUvarint(field, 1, body.length));
  return field;
}

const INT64_MAX = 2n ** 63n - 1n;

/** Times are int64 on the wire; what a damaged index has beyond is its largest or smallest one. */
function encodeTime(tag: number, ms: number): Uint8Array {
  if (ms === 0) return new Uint8Array(0);
  const value = ms >= 2 ** 63 ? INT64_MAX : BigInt(Math.max(ms, -(2 ** 63)));
  return Uint8Array.of(tag, ...bigVarint(BigInt.asUintN(64, value)));
}

function encodeHash(hash: bigint): Uint8Array {
  return Uint8Array.of(0x18, ...bigVarint(hash));
}

function bigVarint(value: bigint): number[] {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128n) {
    bytes.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return bytes;
}

/** Which of `count` shards bytes belong to. */
export function shardTwin(bytes: Uint8Array, count: number): number {
  return Number(xxhash64(bytes) % BigInt(count));
}
