/**
 * Aggregate chunks of downsampled blocks, encoding byte 255: up to five chunks in one. Thanos
 * pkg/compact/downsample/aggr.go is the format's home; docs/format/block.md draws it.
 */
import { ShortBytesError, readUvarint, sizeUvarint, writeUvarint } from '../lib/varint.ts';

/** The encoding byte. */
export const ENCODING_AGGR = 0xff;

/** The aggregates in the order of a chunk. */
export const AGGREGATES = ['count', 'sum', 'min', 'max', 'counter'] as const;

/** One of the aggregates. */
export type Aggregate = (typeof AGGREGATES)[number];

/** Where the parts of an aggregate chunk are, by the number of the aggregate; reusable. */
export class AggrParts {
  readonly encodings = new Uint8Array(AGGREGATES.length);
  /** Where the data begin, the 2-byte count, in the bytes that were split. */
  readonly offsets = new Uint32Array(AGGREGATES.length);
  /** How long the data are; 0 for an aggregate that is not there. */
  readonly lengths = new Uint32Array(AGGREGATES.length);

  /**
   * Finds the parts of the chunk at bytes[offset..offset + length].
   * @returns false when the bytes are not such a chunk; the fields then mean nothing.
   */
  split(bytes: Uint8Array, offset: number, length: number): boolean {
    const cursor = { bytes, pos: offset, end: offset + length };
    try {
      for (let i = 0; i < AGGREGATES.length; i++) {
        const size = readUvarint(cursor);
        this.lengths[i] = size;
        if (size === 0) continue;
        if (size >= cursor.end - cursor.pos) return false;
        this.encodings[i] = bytes[cursor.pos] as number;
        this.offsets[i] = cursor.pos + 1;
        cursor.pos += size + 1;
      }
    } catch (thrown) {
      if (thrown instanceof ShortBytesError) return false;
      throw thrown;
    }
    return cursor.pos === cursor.end;
  }
}

/** A chunk to be put into an aggregate chunk. */
export interface AggrPart {
  readonly encoding: number;
  /** With its 2-byte count in front. */
  readonly data: Uint8Array;
}

/** The bytes of an aggregate chunk, in the order of {@link AGGREGATES}; undefined for one that is not there. */
export function joinAggrChunk(parts: readonly (AggrPart | undefined)[]): Uint8Array {
  let size = 0;
  for (let i = 0; i < AGGREGATES.length; i++) {
    const length = parts[i]?.data.length ?? 0;
    size += length === 0 ? 1 : sizeUvarint(length) + 1 + length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < AGGREGATES.length; i++) {
    const part = parts[i];
    at = writeUvarint(bytes, at, part?.data.length ?? 0);
    if (part === undefined || part.data.length === 0) continue;
    bytes[at++] = part.encoding;
    bytes.set(part.data, at);
    at += part.data.length;
  }
  return bytes;
}
