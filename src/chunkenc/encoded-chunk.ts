/** A chunk with its bytes, as it goes to a file or a block. */

/** Times in ms, both inclusive; `data` begins with the 2-byte count and is the reader's own. */
export interface EncodedChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly count: number;
  readonly data: Uint8Array;
}
