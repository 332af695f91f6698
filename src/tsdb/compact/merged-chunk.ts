/** A chunk on its way from blocks into a block; objects are used again and again. */
import type { CorruptionError } from '../../lib/errors.ts';
import type { BlockChunk } from '../block/block-writer.ts';

/** Who can say where a chunk lies. */
export interface ChunkOrigin {
  /** The error for what is wrong with the chunk at a ref. */
  corrupt(ref: number, message: string): CorruptionError;
}

const NO_BYTES = new Uint8Array(0);

/** All fields are the user's to set; `data` is a view that its reader owns. */
export class MergedChunk implements BlockChunk {
  mint = 0;
  maxt = 0;
  encoding = 0;
  count = 0;
  data: Uint8Array = NO_BYTES;
  /** Where it was read; undefined for one that was put together from samples. */
  origin: ChunkOrigin | undefined;
  ref = 0;

  /** Becomes what another one is. */
  copyFrom(other: MergedChunk): void {
    this.mint = other.mint;
    this.maxt = other.maxt;
    this.encoding = other.encoding;
    this.count = other.count;
    this.data = other.data;
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
    const [a, b] = [this.data, other.data];
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }
}
