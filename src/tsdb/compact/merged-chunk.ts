/** A chunk on its way from blocks into a block; objects are used again and again. */
import type { CorruptionError } from '../../lib/errors.ts';
import type { BlockChunk } from '../block/block-writer.ts';

/** Who can say where a chunk lies. */
export interface ChunkOrigin {
  /** The error for what is wrong with the chunk at a ref. */
  corrupt(ref: number, message: string): CorruptionError;
}

const NO_BYTES = new Uint8Array(0);

/** All fields are the user's to set; `bytes` are the reader's own, and valid as long as it says. */
export class MergedChunk implements BlockChunk {
  mint = 0;
  maxt = 0;
  encoding = 0;
  count = 0;
  /** The chunk, its count in front, is bytes[from..to]. */
  bytes: Uint8Array = NO_BYTES;
  from = 0;
  to = 0;
  /** Where its frame in a segment begins in `bytes`, checked and to be copied as it is; -1 when there is none. */
  frameFrom = -1;
  /** Where it was read; undefined for one that was put together from samples. */
  origin: ChunkOrigin | undefined;
  ref = 0;

  /** A view of the chunk. perf: most chunks are copied in their frames and need none. */
  get data(): Uint8Array {
    return this.bytes.subarray(this.from, this.to);
  }

  /** Takes bytes that lie in no frame. */
  set data(bytes: Uint8Array) {
    this.bytes = bytes;
    this.from = 0;
    this.to = bytes.length;
    this.frameFrom = -1;
  }

  /** Becomes what another one is. */
  copyFrom(other: MergedChunk): void {
    this.mint = other.mint;
    this.maxt = other.maxt;
    this.encoding = other.encoding;
    this.count = other.count;
    this.bytes = other.bytes;
    this.from = other.from;
    this.to = other.to;
    this.frameFrom = other.frameFrom;
    this.origin = other.origin;
    this.ref = other.ref;
  }

  /** The error for what is wrong with it. */
  corrupt(message: string): Error {
    return this.origin?.corrupt(this.ref, message) ?? new Error(`BUG: own chunk: ${message}`);
  }

  /** Whether another one has the same times and bytes. */
  equals(other: MergedChunk): boolean {
    if (this.mint !== other.mint || this.maxt !== other.maxt) return false;
    const length = this.to - this.from;
    if (length !== other.to - other.from) return false;
    for (let i = 0; i < length; i++)
      if (this.bytes[this.from + i] !== other.bytes[other.from + i]) return false;
    return true;
  }
}
